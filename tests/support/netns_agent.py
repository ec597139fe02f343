"""Stands in for a guest, in a network namespace with nothing but loopback: run by test_door_media with bwrap.

It binds the door's inner sockets, passes them out, and answers offers with an agent of its own that
listens on 127.0.0.1 only. One JSON message a datagram on the inherited SOCK_SEQPACKET descriptor.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from typing import Any

import aioice.ice
from aiortc import (
    RTCDataChannel,
    RTCPeerConnection,
    RTCSessionDescription,
    VideoStreamTrack,
)

SOMEWHERE = "a=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\na=end-of-candidates\r\n"
"""aioice gives up when it knows no remote candidate at all; a real guest's agent waits for the first check."""
OUTSIDE = ("8.8.8.8", "169.254.169.254", "10.0.0.1", "192.168.100.1", "224.0.0.1", "2001:4860:4860::8888")


def bound() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    return made


def reach(address: str, kind: int) -> str:
    """What the kernel says to a call outside."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, kind) as caller:
            caller.settimeout(1)
            caller.connect((address, 53))
            return "connected"
    except OSError as error:
        return type(error).__name__ if error.errno is None else str(error.errno)


async def answer(offer: str, peers: list[RTCPeerConnection]) -> str:
    peer = RTCPeerConnection()
    peers.append(peer)

    @peer.on("datachannel")
    def opened(channel: RTCDataChannel) -> None:
        channel.on("message", channel.send)

    peer.addTrack(VideoStreamTrack())
    lines = [part + SOMEWHERE if part.startswith("m=") else part for part in split_media(offer)]
    await peer.setRemoteDescription(RTCSessionDescription("".join(lines), "offer"))
    await peer.setLocalDescription(await peer.createAnswer())
    return peer.localDescription.sdp


def split_media(sdp: str) -> list[str]:
    head, *sections = sdp.split("\r\nm=")
    return [head + "\r\n", *("m=" + section.removesuffix("\r\n") + "\r\n" for section in sections)]


async def serve(control: socket.socket, facts: dict[str, Any]) -> None:
    loop = asyncio.get_running_loop()
    peers: list[RTCPeerConnection] = []
    await loop.sock_sendall(control, json.dumps(facts).encode())
    while request := await loop.sock_recv(control, 2**17):
        sdp = await answer(json.loads(request)["offer"], peers)
        await loop.sock_sendall(control, json.dumps({"answer": sdp}).encode())
    await asyncio.gather(*(peer.close() for peer in peers))


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    inner = [bound() for _ in range(int(sys.argv[2]))]
    socket.send_fds(control, [b"sockets"], [each.fileno() for each in inner])
    for each in inner:
        each.close()
    kinds = {"udp": socket.SOCK_DGRAM, "tcp": socket.SOCK_STREAM}
    facts = {f"{name} {address}": reach(address, kind) for address in OUTSIDE for name, kind in kinds.items()}
    control.setblocking(False)
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]
    asyncio.run(serve(control, facts))


if __name__ == "__main__":
    main()
