"""The three sockets: before they are open and after they are closed, nothing is done and nothing breaks."""

from __future__ import annotations

import pytest

from transom_keeper.openings import Openings
from transom_wire.control import RegisterPeer
from transom_wire.exit import NO_ROUTE


async def test_before_they_are_open_nothing_is_said_and_nothing_opened() -> None:
    openings = Openings()
    assert openings.say("boot", b"{}") is False
    assert await openings.open_stream("vnc") is None
    openings.leave_by(NO_ROUTE, lambda: None)
    await openings.close()


def test_a_door_that_is_not_there_yet_is_an_error_to_the_controller() -> None:
    with pytest.raises(ValueError):
        Openings().register(RegisterPeer("a", "ufrag", "p" * 24, "viewer", 5000))
    with pytest.raises(ValueError):
        Openings().release("a")
