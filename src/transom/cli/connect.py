"""The looks of `transom doctor connect`: a peer of its own, signalled by polling, and never connected."""

from __future__ import annotations

import re
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from transom.cli.failure import Failure, printable
from transom.stream.allocation import by_relay
from transom.stream.greeting import Greeting, GreetingError
from transom.stream.preflight import CODEC, NOVNC, UDP, WEBSOCKET, Look, Target, check, credentials, offer

if TYPE_CHECKING:
    from transom.cli.client import Client

WAIT_MS = 8000
ECHO_S = 5.0
DISPLAY_S = 7.0
"""Until the machine's display has greeted; the server gives a look a second more."""
RELAYS_AT_ONCE = 3
"""With the direct way as many sources as the door takes of a peer; one after the other might outlast it."""
OVER = ("stopping", "ended", "failed")
"""States of a session whose machine answers nobody any more."""
TRIED = (CODEC, UDP, WEBSOCKET, NOVNC)
_CANDIDATE = re.compile(r"candidate:\S+ 1 udp \d+ ([0-9a-fA-F.:]+) (\d{1,5}) typ host")


def look(client: Client, session: str) -> list[Look]:
    """All looks, in the order that people read them. Raises Failure when there is no such session."""
    state = str(client.soon("sessions", session).get("state"))
    if state in OVER:
        return [Look(what, False, "not tried, the session is over", "over") for what in TRIED]
    return [*_machine(client, session, state), _websocket(client, session), _novnc(client, session)]


def rows(looks: list[Look]) -> list[dict[str, Any]]:
    """For a table, or JSON."""
    return [{"what": each.what, "works": each.works, "detail": each.detail} for each in looks]


def _machine(client: Client, session: str, state: str) -> list[Look]:
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
        found = _silence(state) if error.code == "no_answer" else Look(CODEC, False, str(error), "offer")
        return [found, *_relays(client, None)]
    except (TypeError, KeyError, IndexError):
        return [_silence(state), *_relays(client, None)]
    try:
        codec, target = _read(sdp, line, ufrag)
        direct = [check(target)] if target is not None else []
        return [codec, *direct, *_relays(client, target)]
    finally:
        with suppress(Failure):
            client.delete("webrtc", "session", session, "peers", peer, "1")


def _silence(state: str) -> Look:
    """What it is that no answer came of a session in this state."""
    if state == "ready":
        return Look(CODEC, False, "no answer, though the session is ready", "silent")
    return Look(CODEC, False, f"no answer: the session is {printable(state)[:32]}")


def _read(sdp: str, line: str, ufrag: str) -> tuple[Look, Target | None]:
    """What the machine's answer says, and the way to the door that `line` names."""
    ice = dict(re.findall(r"^a=(ice-ufrag|ice-pwd):(\S{4,256})\r?$", sdp, re.MULTILINE))
    door = _CANDIDATE.fullmatch(line)
    if len(ice) != 2 or door is None:
        return Look(CODEC, False, "the machine's answer has no transport"), None
    profile = re.search(r"profile-level-id=([0-9a-fA-F]{6})", sdp)
    baseline = profile is not None and profile[1].lower().startswith("42e0")
    codec = Look(CODEC, baseline, "constrained baseline" if baseline else "another profile")
    return codec, Target((door[1], int(door[2])), ice["ice-ufrag"], ufrag, ice["ice-pwd"])


def _relays(client: Client, target: Target | None) -> list[Look]:
    asked: list[tuple[str, str, str]] = []
    for server in client.get("webrtc", "ice-servers")["ice_servers"]:
        urls = server["urls"] if isinstance(server["urls"], list) else [server["urls"]]
        known = server.get("username", ""), server.get("credential", "")
        asked += [(url, *known) for url in urls if re.match(r"turns?:", url)]
    with ThreadPoolExecutor(RELAYS_AT_ONCE) as pool:
        return list(pool.map(lambda each: by_relay(each[0], each[1], each[2], target), asked))


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
        return Look(WEBSOCKET, False, _fault(error))
    return Look(WEBSOCKET, works, "echoed" if works else "another answer")


def _novnc(client: Client, session: str) -> Look:
    """Greet the display as noVNC does, up to its size, and let go."""
    from websockets.exceptions import WebSocketException
    from websockets.sync.client import connect

    began, greeting = time.monotonic(), Greeting()
    address = f"{client.socket_url('sessions', session, 'vnc')}?look=1"
    try:
        with connect(
            address, additional_headers=client.bearer, open_timeout=ECHO_S, close_timeout=1
        ) as socket:
            while greeting.size is None:
                heard = socket.recv(timeout=max(0.0, began + DISPLAY_S - time.monotonic()))
                if said := greeting.feed(heard.encode() if isinstance(heard, str) else heard):
                    socket.send(said)
    except GreetingError as error:
        return Look(NOVNC, False, str(error))
    except TimeoutError:
        return Look(NOVNC, False, f"no greeting in {DISPLAY_S:.0f} s")
    except (OSError, WebSocketException) as error:
        return Look(NOVNC, False, _fault(error))
    width, height = greeting.size
    took = (time.monotonic() - began) * 1000
    return Look(NOVNC, True, f"a screen of {width}x{height}, told in {took:.0f} ms")


def _fault(error: Exception) -> str:
    """What ended a WebSocket, in words for people."""
    from websockets.exceptions import ConnectionClosed, InvalidStatus

    if isinstance(error, ConnectionClosed):
        reason = error.rcvd.reason if error.rcvd is not None else ""
        return printable(reason)[:123] or "closed without a word"
    if isinstance(error, InvalidStatus):
        return f"refused with {error.response.status_code}"
    if isinstance(error, TimeoutError):
        return f"no answer in {ECHO_S:.0f} s"
    if isinstance(error, OSError):
        return error.strerror or "the server is not reached"
    return "what answers speaks no WebSocket"
