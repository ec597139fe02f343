"""A boot without a desktop, for tests of keeper and driver: runs inside a machine as transom_guest.boot.

It dials the link as boot and as webrtc. An offer's SDP is Python that runs here as the machine's user; the
answer's SDP is what that printed. A stream it is asked for echoes in upper case. A warm one parks, lets go of the
link when asked, and takes any identity.

What is asked with HERE runs in this process itself, which was there before the machine was saved and has drawn
random numbers by then (DRAWN), as no service of the real guest does.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import io
import os
import random
import socket
import ssl
import subprocess
import sys
import threading
import time

from transom_guest.identity import taker
from transom_guest.standby import freshen
from transom_wire import WIRE_VERSION
from transom_wire.codec import decode, encode
from transom_wire.framing import HEADER, pack
from transom_wire.link import (
    TO_GUEST,
    Hello,
    Identity,
    OpenStream,
    Park,
    PeerAnswer,
    PeerOffer,
    Ping,
    Progress,
    Ready,
    Welcome,
)

HERE = "# here\n"
DRAWN = (random.getrandbits(64), ssl.RAND_bytes(8).hex(), os.urandom(8).hex())


def address() -> tuple[str, int]:
    host, _, port = os.environ["TRANSOM_LINK"].rpartition(":")
    return host, int(port)


class Connection:
    """One link connection, blocking."""

    def __init__(self, role: str, token: str, stream: str | None = None) -> None:
        self.role = role
        self.socket = socket.create_connection(address(), timeout=30)
        self.say(Hello(version=WIRE_VERSION, role=role, token=token, stream=stream))
        self.welcome = self.hear()
        self.socket.settimeout(None)

    def say(self, message: object) -> None:
        self.socket.sendall(pack(encode(message)))

    def hear(self) -> object:
        """The next message, and not a byte beyond it: after its Welcome a stream is raw."""
        (size,) = HEADER.unpack(self._read(HEADER.size))
        return decode(self._read(size), TO_GUEST.get(self.role, (Welcome,)))

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise EOFError
            data += more
        return data


def run(code: str, token: str) -> str:
    if code.startswith(HERE):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(code, {"DRAWN": DRAWN, "TOKEN": token})
        return said.getvalue()
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "TOKEN": token},
        check=False,
    )
    return (done.stdout + done.stderr)[-60000:]


def answer(link: Connection, token: str) -> None:
    while True:
        message = link.hear()
        if isinstance(message, PeerOffer):
            link.say(PeerAnswer(peer=message.peer, epoch=message.epoch, sdp=run(message.sdp, token)))


def echo(token: str, stream: str) -> None:
    raw = Connection("stream", token, stream).socket
    while data := raw.recv(65536):
        raw.sendall(data.upper())


def redial(token: str) -> Connection:
    """As a saved machine does: until a keeper answers, whosever it is."""
    while True:
        try:
            return Connection("boot", token)
        except (OSError, EOFError):
            time.sleep(0.1)


LINKS: dict[str, Connection] = {}


def stay() -> None:
    """A link that says nothing for half a minute is dead, also while nobody has claimed the machine."""
    while True:
        time.sleep(5)
        for each in tuple(LINKS.values()):
            with contextlib.suppress(OSError):
                each.say(Ping())


def dial_again(role: str, token: str) -> Connection:
    """As the real services do: a keeper that heard no Hello in time, on a busy host, has closed the connection."""
    while True:
        try:
            return Connection(role, token)
        except (OSError, EOFError) as error:
            print(f"the {role} link: {error!r}")
            time.sleep(0.5)


def begin(boot: Connection) -> str:
    """Everything from Welcome on for a machine with an identity; the link's token."""
    token = boot.welcome.link_token
    webrtc = LINKS["webrtc"] = dial_again("webrtc", token)
    threading.Thread(target=answer, args=(webrtc, token), daemon=True).start()
    boot.say(Ready(width=boot.welcome.width, height=boot.welcome.height))
    return token


def main() -> None:
    boot_token = sys.stdin.readline().strip()
    boot = LINKS["boot"] = dial_again("boot", boot_token)
    print("[SUPERVISOR] stand-in started")
    threading.Thread(target=stay, daemon=True).start()
    boot.say(Progress(stage="display"))
    if boot.welcome.warm:
        # what the keys of a clone are made with, loaded before it is one: as by the real services
        importlib.import_module("transom_guest.stream.certificate")
        importlib.import_module("transom_wire.sealing")
        boot.say(Progress(stage="parked"))
    else:
        token = begin(boot)
    while True:
        message = boot.hear()
        if isinstance(message, OpenStream):
            threading.Thread(target=echo, args=(token, message.stream), daemon=True).start()
        elif isinstance(message, Park):
            del LINKS["boot"]
            boot.socket.close()
            boot = LINKS["boot"] = redial(boot_token)
            boot.say(Progress(stage="parked"))
        elif isinstance(message, Identity):
            asyncio.run(taker(os.environ).take(message))
            freshen()
            boot.say(Progress(stage="claimed"))
            token = begin(boot)


if __name__ == "__main__":
    main()
