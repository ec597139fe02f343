from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from transom_wire.rfb_tally import Doings, Tally

HELLO = b"RFB 003.008\n\x01\x01"
ASK = b"\x03\x01" + struct.pack(">4H", 0, 0, 1280, 720)


def key(down: int) -> bytes:
    return struct.pack(">BBxxI", 4, down, 0x61)


def pointer(mask: int) -> bytes:
    return struct.pack(">BBHH", 5, mask, 10, 10)


def scancode(down: int) -> bytes:
    return struct.pack(">BBHII", 255, 0, down, 0x61, 30)


SAID = HELLO + key(1) + key(1) + key(0) + ASK + scancode(1) + scancode(0)
SAID += pointer(0) + pointer(1) + pointer(1) + pointer(5) + pointer(0) + pointer(8) + pointer(0) + pointer(16)
DONE = Doings(keys=3, buttons=2, wheel=2)


def test_presses_are_counted_once_and_moves_and_releases_are_not() -> None:
    tally = Tally()
    tally.read(SAID)
    assert tally.take() == DONE
    assert not tally.take()


@given(st.lists(st.integers(0, len(SAID)), max_size=8))
def test_however_it_comes_apart_the_count_is_the_same(cuts: list[int]) -> None:
    tally, at = Tally(), 0
    for cut in [*sorted(cuts), len(SAID)]:
        tally.read(SAID[at:cut])
        at = cut
    assert tally.take() == DONE


@given(st.binary(max_size=300))
def test_what_cannot_be_read_ends_the_count_and_nothing_else(garbage: bytes) -> None:
    tally = Tally()
    tally.read(HELLO + key(1) + b"\xee" + garbage)
    tally.read(key(1))
    assert tally.take() == Doings(keys=1)
