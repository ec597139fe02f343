from __future__ import annotations

import itertools
import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom.stream.greeting import INIT_BYTES, LIMIT, NO_SECURITY, SHARED, VERSION, Greeting, GreetingError
from transom_wire.rfb import Watching

INIT = struct.pack(">HH16sI", 1280, 720, bytes(16), 4) + b"name"
WHOLE = VERSION + b"\x02\x02\x01" + bytes(4) + INIT
SAID = VERSION + NO_SECURITY + SHARED


@given(st.lists(st.integers(1, len(WHOLE)), max_size=12))
def test_a_display_is_greeted_however_its_bytes_are_cut(cuts: list[int]) -> None:
    greeting, said = Greeting(), b""
    places = sorted({0, *cuts, len(WHOLE)})
    for begin, end in itertools.pairwise(places):
        said += greeting.feed(WHOLE[begin:end])
    assert (greeting.size, said) == ((1280, 720), SAID)


def test_what_it_says_is_what_a_watcher_may_say() -> None:
    assert Watching().feed(SAID) == SAID


@pytest.mark.parametrize(
    ("heard", "why"),
    [
        (b"HTTP/1.1 200", "does not speak RFB"),
        (b"RFB 003.003\n", "does not speak RFB"),
        (VERSION + b"\x00", "refuses"),
        (VERSION + b"\x01\x02", "refuses"),
        (VERSION + b"\x01\x01" + b"\x00\x00\x00\x01", "refuses"),
        (VERSION + b"\x01\x01" + bytes(4 + INIT_BYTES), "no size"),
        (bytes(LIMIT + 1), "without end"),
    ],
)
def test_what_is_no_display_is_named_in_words_of_ours(heard: bytes, why: str) -> None:
    with pytest.raises(GreetingError, match=why):
        Greeting().feed(heard)


@given(st.lists(st.binary(max_size=64), max_size=20), st.integers(0, len(WHOLE)))
def test_a_hostile_display_gets_three_words_at_most(heard: list[bytes], honest: int) -> None:
    greeting, said = Greeting(), b""
    with suppress(GreetingError):
        for piece in (WHOLE[:honest], *heard):
            said += greeting.feed(piece)
    assert SAID.startswith(said)
