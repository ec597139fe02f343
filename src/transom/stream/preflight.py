"""Whether a viewer at this host would get a picture: the looks, and a verdict in plain words. Looks block, shortly."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from transom_wire.stun import answers, build_binding_request

CHECK_S = 0.5
"""For an answer to one STUN check; a path that takes longer shows no desktop worth having."""
CHECKS = 6
FINGERPRINT = "sha-256 " + ":".join(["00"] * 32)
"""Nobody holds a certificate for it: the peer of a look never gets past its checks."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found; `detail` names the pair of addresses, or what went wrong."""

    what: str
    works: bool
    detail: str
    refused: str = ""
    """What the other side said no to: `credentials`, `door` for a relay that may not send there, `offer` for
    a server that took no look at the machine, `over` for a session that has ended, or `silent` for a machine
    that is ready and answers no offer."""


@dataclass(frozen=True, slots=True)
class Target:
    """A registered peer's way in: the door, the two ufrags, and the password of the guest's."""

    door: tuple[str, int]
    guest: str
    viewer: str
    password: str

    def request(self, transaction: bytes) -> bytes:
        """A STUN check of the viewer's, of 12 random bytes."""
        return build_binding_request(
            guest_ufrag=self.guest,
            viewer_ufrag=self.viewer,
            password=self.password,
            transaction=transaction,
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """`ok`, `weak` or `problem`, and why."""

    standing: str
    text: str


UDP, WEBSOCKET, NOVNC, CODEC = "udp", "websocket", "novnc", "h264"


def judge(looks: Sequence[Look]) -> Verdict:
    """The first thing that matters."""
    works = {look.what: look.works for look in looks}
    relays = [look for look in looks if look.what.startswith("turn")]
    untaken = [look.detail for look in looks if look.refused == "offer"]
    if any(look.refused == "over" for look in looks):
        return Verdict("problem", "the session is over: nothing was tried; look at one that runs")
    if untaken:
        return Verdict("problem", f"the server took no look at the machine: {untaken[0]}")
    if any(look.refused == "silent" for look in looks):
        return _of_a_silent_machine(_without_novnc(looks))
    if CODEC in works and not works[CODEC]:
        why = next(look.detail for look in looks if look.what == CODEC)
        return Verdict("problem", f"the machine gives no H.264 answer: {why or 'nothing is known of why'}")
    lack = _without_novnc(looks)
    if works.get(UDP):
        if not lack:
            return Verdict("ok", "all well: the picture comes directly, by UDP")
        return Verdict("weak", f"UDP works; {lack}, so there is no noVNC to fall back to")
    ways = [f"{look.what}: {look.detail}" for look in relays if look.works]
    if ways:
        return Verdict("weak", f"UDP to the machine is blocked; a relay works ({'; '.join(ways)})")
    why = _why_no_relay(relays)
    if not lack:
        return Verdict("weak", f"UDP to the machine is blocked; noVNC works; {why}")
    if works.get(WEBSOCKET):
        return Verdict("problem", f"no picture gets through: UDP is blocked; {lack}; {why}")
    return Verdict("problem", f"nothing gets through: no UDP, no WebSocket; {why}")


def _without_novnc(looks: Sequence[Look]) -> str:
    """Why there is no noVNC; empty where it greeted."""
    found = {look.what: look for look in looks}
    novnc, websocket = found.get(NOVNC), found.get(WEBSOCKET)
    if novnc is not None and novnc.works:
        return ""
    if websocket is None or not websocket.works:
        return "WebSockets are cut on the way"
    return f"noVNC was tried in vain ({novnc.detail})" if novnc is not None else "noVNC was not tried"


def _of_a_silent_machine(lack: str) -> Verdict:
    silent = "the session is ready, and its machine's stream server does not answer"
    if not lack:
        return Verdict("weak", f"{silent}; the desktop comes by noVNC")
    return Verdict("problem", f"{silent}; {lack}, so there is no noVNC either")


def _why_no_relay(relays: Sequence[Look]) -> str:
    said = {look.refused for look in relays}
    if "door" in said:
        return "the relay may not send to the machine's door: its allowed-peer-ip or denied-peer-ip"
    if "credentials" in said:
        return "the relay refuses the credentials: the TURN secret differs between the two"
    return "no relay gets through to the machine" if relays else "no TURN relay is set up"


def offer(ufrag: str, password: str) -> str:
    """A viewer's offer that asks for constrained baseline H.264 and nothing else."""
    return "\r\n".join(
        (
            "v=0",
            "o=- 1 2 IN IP4 127.0.0.1",
            "s=-",
            "t=0 0",
            "a=group:BUNDLE 0",
            "m=video 9 UDP/TLS/RTP/SAVPF 96",
            "c=IN IP4 0.0.0.0",
            "a=mid:0",
            f"a=ice-ufrag:{ufrag}",
            f"a=ice-pwd:{password}",
            f"a=fingerprint:{FINGERPRINT}",
            "a=setup:actpass",
            "a=recvonly",
            "a=rtcp-mux",
            "a=rtpmap:96 H264/90000",
            "a=fmtp:96 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
            "",
        )
    )


def credentials() -> tuple[str, str]:
    """An ICE ufrag and password."""
    return secrets.token_hex(4), secrets.token_hex(16)


def check(target: Target) -> Look:
    """Send STUN checks to the door as the viewer of a registered peer would, until one is answered."""
    door = target.door
    family = socket.AF_INET6 if ":" in door[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sending:
        sending.settimeout(CHECK_S)
        try:
            sending.connect(door)
            pair = f"{place(sending.getsockname())} -> {place(door)}"
            for _ in range(CHECKS):
                took = _answered(sending, target)
                if took is not None:
                    return Look(UDP, True, f"{pair}, answered in {took:.0f} ms")
        except OSError as error:
            return Look(UDP, False, f"{place(door)}: {error.strerror or error}")
    return Look(UDP, False, f"{pair}: no answer")


def place(address: tuple[Any, ...]) -> str:
    """Host and port, as people write them."""
    return f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"


def _answered(sending: socket.socket, target: Target) -> float | None:
    """Milliseconds to the answer of one check; None when none came in time."""
    transaction, since = secrets.token_bytes(12), time.monotonic()
    try:
        sending.send(target.request(transaction))
        while time.monotonic() - since < CHECK_S:
            if answers(sending.recv(2048), transaction):
                return (time.monotonic() - since) * 1000
    except (TimeoutError, ConnectionRefusedError):
        time.sleep(0.05)
    return None
