"""The end of a WebSocket whose viewer has gone already is nobody's error."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.websockets import WebSocket, WebSocketDisconnect

from transom.api.sockets import OVER, TOO_MANY, Closing, Places, close


async def _accepted(failure: Exception) -> WebSocket:
    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        if message["type"] == "websocket.close":
            raise failure

    socket = WebSocket({"type": "websocket", "headers": [], "subprotocols": []}, receive, send)
    await socket.accept()
    return socket


@pytest.mark.parametrize(
    "failure", [OSError("gone"), RuntimeError("closed"), WebSocketDisconnect(1006), ConnectionResetError()]
)
async def test_a_viewer_that_has_gone_is_no_error(failure: Exception) -> None:
    await close(await _accepted(failure), Closing(OVER, "stopped"))


def test_a_reason_fits_the_frame() -> None:
    assert len(Closing(OVER, "ä" * 200).reason.encode()) <= 120


def test_a_link_has_places_that_no_other_link_takes() -> None:
    places = Places(limit=3, own=2)
    with ExitStack() as held:
        for _ in range(5):
            held.enter_context(places.take("s", "greedy"))
        with pytest.raises(Closing) as caught:
            held.enter_context(places.take("s", "greedy"))
        assert caught.value.code == TOO_MANY
        for _ in range(2):
            held.enter_context(places.take("s", "modest"))
        with pytest.raises(Closing):
            held.enter_context(places.take("s", "modest"))
        held.enter_context(places.take("another", "greedy"))
    with ExitStack() as held:
        for _ in range(5):
            held.enter_context(places.take("s", "modest"))


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=80))
def test_whatever_others_hold_a_link_s_own_places_are_there(steps: Sequence[tuple[str, bool]]) -> None:
    """Each step opens one of a link's sockets, or closes its oldest."""
    places = Places(limit=3, own=2)
    held: dict[str, list[ExitStack]] = {link: [] for link in "abcd"}
    for link, opens in steps:
        if not opens:
            if held[link]:
                held[link].pop(0).close()
            continue
        one = ExitStack()
        try:
            one.enter_context(places.take("s", link))
        except Closing:
            assert len(held[link]) >= places.own
        else:
            held[link].append(one)
        shared = sum(max(0, len(each) - places.own) for each in held.values())
        assert shared <= places.limit
    for one in (one for each in held.values() for one in each):
        one.close()
    assert not places._taken
