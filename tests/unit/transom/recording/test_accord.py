from __future__ import annotations

import pytest

from transom.recording.accord import Accord
from transom_wire.record import Record, RecordState


def an_accord(told: str, said: tuple[str, int] | None, page: str = "clear") -> Accord:
    made = Accord()
    made.told, made.page = Record(told, 7, 10), page
    if said is not None:
        made.hears(RecordState(*said))
    return made


@pytest.mark.parametrize(
    ("told", "said", "begun", "quiet"),
    [
        ("on", None, False, False),
        ("on", ("on", 7), True, False),
        ("on", ("on", 6), False, False),
        ("on", ("paused", 7), False, False),
        ("paused", ("paused", 7), False, True),
        ("paused", ("paused", 6), False, False),
        ("paused", ("off", 7), False, False),
        ("off", ("off", 7), False, True),
    ],
)
def test_only_a_word_of_the_state_and_the_run_that_were_told_counts(
    told: str, said: tuple[str, int] | None, begun: bool, quiet: bool
) -> None:
    accord = an_accord(told, said)
    assert (accord.begun, accord.quiet) == (begun, quiet)
    accord.lost()
    assert not accord.begun and not accord.quiet


@pytest.mark.parametrize(
    ("said", "page", "full", "why"),
    [
        (("on", 7), "clear", False, ""),
        (("on", 7), "unwatched", False, ""),
        (("on", 7), "shown", False, "shown"),
        (None, "silent", False, "silent"),
        (None, "clear", False, "recorder"),
        (("on", 7), "shown", True, "full"),
    ],
)
def test_why_there_is_no_picture(said: tuple[str, int] | None, page: str, full: bool, why: str) -> None:
    accord = an_accord("on", said, page)
    accord.full = full
    assert accord.why == why


def test_a_pause_is_owed_until_the_recorder_says_so() -> None:
    accord = an_accord("on", ("on", 7))
    accord.pauses()
    assert accord.wish("on") == "paused" and accord.wish("off") == "off"
    assert not accord.hears(RecordState("on", 7)) and accord.wish("on") == "paused"
    accord.lost()
    assert accord.wish("on") == "paused", "another stream knows nothing of it"
    assert accord.hears(RecordState("paused", 7)) and accord.wish("on") == "on"


def test_one_that_is_quiet_owes_none() -> None:
    accord = an_accord("paused", ("paused", 7))
    accord.pauses()
    assert accord.wish("on") == "on"


@pytest.mark.parametrize(
    ("told", "said", "page", "noted", "news"),
    [
        ("on", None, "clear", "off", None),
        ("on", ("on", 7), "clear", "off", ("on", "")),
        ("on", ("on", 7), "clear", "on", None),
        ("on", ("on", 7), "starting", "off", None),
        ("on", ("on", 7), "starting", "on", ("paused", "starting")),
        ("on", ("on", 7), "shown", "off", ("paused", "shown")),
        ("on", ("on", 7), "silent", "paused", None),
        ("paused", None, "shown", "on", ("paused", "")),
        ("off", None, "clear", "on", ("off", "")),
    ],
)
def test_what_the_timeline_is_to_say(
    told: str, said: tuple[str, int] | None, page: str, noted: str, news: tuple[str, str] | None
) -> None:
    assert an_accord(told, said, page).news(noted) == news
