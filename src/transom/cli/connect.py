"""The looks of `transom doctor connect`: a peer of its own, signalled by polling, and never connected."""

from __future__ import annotations

import re
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from transom.cli.failure import Failure
from transom.stream.allocation import allocation
from transom.stream.preflight import CODEC, WEBSOCKET, Look, check, credentials, offer

if TYPE_CHECKING:
    from transom.cli.client import Client

WAIT_MS = 8000
ECHO_S = 5.0
_CANDIDATE = re.compile(r"candidate:\S+ 1 udp \d+ ([0-9a-fA-F.:]+) (\d{1,5}) typ host")


def look(client: Client, session: str) -> list[Look]:
    """All looks, in the order that people read them. Raises Failure when there is no such session."""
    return [*_udp(client, session), *_relays(client), _websocket(client, session)]


def rows(looks: list[Look]) -> list[dict[str, Any]]:
    """For a table, or JSON."""
    return [{"what": each.what, "works": each.works, "detail": each.detail} for each in looks]


def _udp(client: Client, session: str) -> list[Look]:
    client.get("sessions", session)
    peer = f"look-{secrets.token_hex(6)}"
    ufrag, password = credentials()
    query = {"peer": peer, "epoch": "1"}
    try:
        body = {"peer": peer, "epoch": 1, "sdp": offer(ufrag, password), "look": True}
        client.post("webrtc", "session", session, "offer", body=body)
        answer = client.get("webrtc", "session", session, "answer", **query, wait_ms=str(WAIT_MS))
        told = client.get("webrtc", "session", session, "candidate", **query)
        sdp, line = str(answer["sdp"]), str(told["candidates"][0]["candidate"])
    except Failure as error:
        return [Look(CODEC, False, str(error))]
    except (TypeError, KeyError, IndexError):
        return [Look(CODEC, False, "the machine did not answer")]
    try:
        return _judged(sdp, line, ufrag)
    finally:
        with suppress(Failure):
            client.delete("webrtc", "session", session, "peers", peer, "1")


def _judged(sdp: str, line: str, ufrag: str) -> list[Look]:
    """Of the machine's answer, and of the door that `line` names."""
    ice = dict(re.findall(r"^a=(ice-ufrag|ice-pwd):(\S{4,256})\r?$", sdp, re.MULTILINE))
    door = _CANDIDATE.fullmatch(line)
    if len(ice) != 2 or door is None:
        return [Look(CODEC, False, "the machine's answer has no transport")]
    profile = re.search(r"profile-level-id=([0-9a-fA-F]{6})", sdp)
    baseline = profile is not None and profile[1].lower().startswith("42e0")
    codec = Look(CODEC, baseline, "constrained baseline" if baseline else "another profile")
    place = (door[1], int(door[2]))
    udp = check(place, guest=ice["ice-ufrag"], viewer=ufrag, password=ice["ice-pwd"])
    return [codec, udp]


def _relays(client: Client) -> list[Look]:
    found: list[Look] = []
    for server in client.get("webrtc", "ice-servers")["ice_servers"]:
        urls = server["urls"] if isinstance(server["urls"], list) else [server["urls"]]
        for url in urls:
            if re.match(r"turns?:", url):
                found.append(allocation(url, server.get("username", ""), server.get("credential", "")))
    return found


def _websocket(client: Client, session: str) -> Look:
    from websockets.exceptions import WebSocketException
    from websockets.sync.client import connect

    try:
        with connect(
            client.socket_url("sessions", session, "echo"),
            additional_headers=client.bearer,
            open_timeout=ECHO_S,
            close_timeout=1,
        ) as socket:
            socket.send("transom")
            works = socket.recv(timeout=ECHO_S) == "transom"
    except (OSError, TimeoutError, WebSocketException) as error:
        return Look(WEBSOCKET, False, type(error).__name__)
    return Look(WEBSOCKET, works, "echoed" if works else "another answer")
