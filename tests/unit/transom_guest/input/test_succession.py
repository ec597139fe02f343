import json

import pytest

from transom_guest.input.message import Asked
from transom_guest.input.succession import Succession
from transom_guest.input.taken import Taken


class Hands:
    def __init__(self) -> None:
        self.left: list[str] = []

    def leave(self, viewer: str) -> None:
        self.left.append(viewer)


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def taken() -> Taken:
    made = Taken()
    for viewer in ("page/1", "other/1"):
        made.begin(viewer)
        made.felt(viewer, 5)
    return made


@pytest.mark.parametrize("viewer", ["page/2", "page/1073741830"])
def test_a_page_is_told_of_its_own_earlier_connection_which_is_over_then(
    hands: Hands, taken: Taken, viewer: str
) -> None:
    assert json.loads(Succession(hands, taken).answer(viewer, Asked(1, 1))) == ["had", 1, 5]
    assert hands.left == ["page/1"]
    assert not taken.admits("page/1") and taken.admits("other/1")


def test_nobody_is_told_of_what_is_not_known_and_none_ends_itself(hands: Hands, taken: Taken) -> None:
    succession = Succession(hands, taken)
    assert json.loads(succession.answer("page/1", Asked(1, 1))) == ["had", 1, -1]
    assert taken.admits("page/1")
    assert json.loads(succession.answer("page/3", Asked(1, 2))) == ["had", 2, -1]
    succession.bar("page")
    assert json.loads(succession.answer("page/3", Asked(1, 1))) == ["had", 1, -1]


def test_a_channel_of_novnc_is_asked_about_by_its_number(hands: Hands, taken: Taken) -> None:
    succession, number = Succession(hands, taken), 2**30 + 5
    channel = f"page/{number}"
    succession.begin(channel)
    assert succession.admits(channel)
    taken.felt(channel, 9)
    assert json.loads(succession.answer("page/4", Asked(1, number))) == ["had", number, 9]
    assert not succession.admits(channel) and hands.left == [channel]
