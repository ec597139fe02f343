import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_guest.clipboard import frames
from transom_guest.clipboard.frames import (
    CHUNK,
    DEADLINE,
    MAX_STRAY,
    FrameError,
    Got,
    Inbox,
    No,
    Put,
    Refused,
    Whole,
    parse,
)
from transom_guest.clipboard.item import PNG, TEXT, Item

LIMIT = 3 * CHUNK


def test_each_message_of_the_contract_is_read() -> None:
    assert parse('["put", 3, "text/plain", 12, 0]') == Put(3, TEXT, 12, 0)
    assert parse('["put", 3, "image/png", 4294967296, 9]') == Put(3, PNG, 2**32, 9)
    assert parse('["got", 3]') == Got(3)
    assert parse('["no", 3, "size"]') == No(3)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '"put"',
        '["put", 1, "text/html", 3, 0]',
        '["put", 1, "text/plain", -3, 0]',
        '["put", 1, "text/plain", true, 0]',
        '["put", 1, "text/plain", 1.5, 0]',
        '["put", 1, "text/plain", 1e400, 0]',
        '["put", 1, "text/plain", 3]',
        '["put", 1, "text/plain", 3, -1]',
        '["got"]',
        '["got", 1, 2]',
        '["no", 1, 2]',
        '["may", 1, 1, 1]',
        "[" * 200,
        " " * 300,
    ],
)
def test_what_is_outside_the_contract_is_refused(text: str) -> None:
    with pytest.raises(FrameError):
        parse(text)


@given(st.text(max_size=300) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_no_text_does_more_than_be_refused(text: str) -> None:
    with contextlib.suppress(FrameError):
        parse(text)


def test_an_item_comes_out_as_it_went_in() -> None:
    item = Item(TEXT, b"x" * (2 * CHUNK + 7))
    inbox = Inbox(LIMIT)
    message = parse(frames.put(5, item, 2))
    assert isinstance(message, Put)
    assert inbox.announced(message, 0) is None
    assert [inbox.chunk(chunk, 1) for chunk in frames.chunks(item)] == [None, None, Whole(5, item, 2)]
    assert not inbox.busy


@pytest.mark.parametrize(
    ("limit", "size", "reason"), [(LIMIT, 4 * 2**30, "size"), (0, 1, "policy"), (LIMIT, 0, "empty")]
)
def test_what_is_too_large_is_refused_as_it_is_announced(limit: int, size: int, reason: str) -> None:
    inbox = Inbox(limit)
    assert inbox.announced(Put(1, TEXT, size, 0), 0) == Refused(1, reason)
    assert inbox.chunk(b"x" * CHUNK, 0) is None
    assert inbox.held == 0


def test_chunks_that_nobody_announced_are_forgiven_for_a_while() -> None:
    inbox = Inbox(LIMIT)
    for _ in range(MAX_STRAY):
        inbox.chunk(b"x", 0)
    with pytest.raises(FrameError):
        inbox.chunk(b"x", 0)


@pytest.mark.parametrize("chunk", [b"", b"x" * 11])
def test_a_transfer_that_is_not_as_announced_is_broken(chunk: bytes) -> None:
    inbox = Inbox(LIMIT)
    inbox.announced(Put(1, TEXT, 10, 0), 0)
    assert inbox.chunk(chunk, 0) == Refused(1, "broken")


@pytest.mark.parametrize(("type", "data"), [(TEXT, b"\xff\xfe"), (PNG, b"GIF89a" * 9), (PNG, b"\x89PNG")])
def test_what_is_not_its_type_is_broken(type: str, data: bytes) -> None:
    inbox = Inbox(LIMIT)
    inbox.announced(Put(1, type, len(data), 0), 0)
    assert inbox.chunk(data, 0) == Refused(1, "broken")


def test_a_transfer_that_drips_is_given_up() -> None:
    inbox = Inbox(LIMIT)
    inbox.announced(Put(1, TEXT, 10, 0), 0)
    assert inbox.late(DEADLINE) is None
    assert inbox.chunk(b"x", DEADLINE + 1) == Refused(1, "slow")
    inbox.announced(Put(2, TEXT, 10, 0), 0)
    assert inbox.late(DEADLINE + 1) == Refused(2, "slow")
    assert inbox.late(DEADLINE + 2) is None


PUTS = st.builds(Put, st.integers(0, 9), st.sampled_from([TEXT, PNG]), st.integers(0, 2 * LIMIT))
CHUNKS = st.integers(0, CHUNK + 1).map(lambda size: b"x" * size)


@given(st.lists(PUTS | CHUNKS | st.just("late"), max_size=40), st.integers(0, LIMIT))
def test_whatever_comes_no_more_than_the_limit_is_held_and_no_item_differs_from_its_word(
    events: list[Put | bytes | str], limit: int
) -> None:
    inbox, now, open_put = Inbox(limit), 0.0, None
    for event in events:
        now += 1
        outcome = None
        if isinstance(event, Put):
            outcome = inbox.announced(event, now)
            open_put = event if outcome is None else None
        elif isinstance(event, bytes):
            with contextlib.suppress(FrameError):
                outcome = inbox.chunk(event, now)
        else:
            now += DEADLINE
            outcome = inbox.late(now)
        assert inbox.held <= limit
        if isinstance(outcome, Whole):
            assert open_put is not None
            assert (outcome.id, outcome.item.type) == (open_put.id, open_put.type)
            assert len(outcome.item.data) == open_put.size <= limit
