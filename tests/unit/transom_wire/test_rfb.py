from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_wire.rfb import (
    CUT_TEXT_LIMIT,
    ENCODINGS_LIMIT,
    SHARED,
    WHOLE_AT_ONCE,
    WHOLE_PER_S,
    RfbError,
    Watching,
)

HELLO = b"RFB 003.008\n" + b"\x01" + b"\x01"
PIXELS = b"\x00" + bytes(19)
ASK = b"\x03\x01" + struct.pack(">4H", 0, 0, 1280, 720)
PACE = b"\x96\x01" + struct.pack(">4H", 0, 0, 1280, 720)
FENCE = b"\xf8" + bytes(3) + struct.pack(">IB", 1, 5) + b"abcde"
ENCODINGS = struct.pack(">BxH3i", 2, 3, 7, -223, -24)
PASSING = (PIXELS, ASK, PACE, FENCE, ENCODINGS)
KEY = struct.pack(">BBxxI", 4, 1, 0x61)
POINTER = struct.pack(">BBHH", 5, 1, 10, 10)
BACK_BUTTON = struct.pack(">BBHHB", 5, 0x80, 10, 10, 1)
PASTE = struct.pack(">BxxxI", 6, 5) + b"hello"
RICH_PASTE = struct.pack(">Bxxxi", 6, -8) + b"\x10" * 8
SCANCODE = struct.pack(">BBHII", 255, 0, 1, 0x61, 30)
SOUND = struct.pack(">BBHBBI", 255, 1, 2, 0, 2, 44100)
QUIET = struct.pack(">BBH", 255, 1, 1)
POWER = b"\xfa\x00\x01\x02"
SIZE = struct.pack(">BxHHBx", 251, 800, 600, 2) + bytes(32)
INPUT = (KEY, POINTER, BACK_BUTTON, PASTE, RICH_PASTE, SCANCODE, SOUND, QUIET, POWER, SIZE)


def greeted() -> Watching:
    sieve = Watching()
    assert sieve.feed(HELLO) == HELLO
    return sieve


def test_whole_pictures_are_asked_for_seldom_and_what_changed_as_often_as_one_likes() -> None:
    """Each whole one is drawn and packed anew beside who drives."""
    now = [0.0]
    sieve = Watching(lambda: now[0])
    sieve.feed(HELLO)
    whole = ASK[:1] + b"\x00" + ASK[2:]
    passed = sieve.feed(whole * 1000)
    assert passed == whole * int(WHOLE_AT_ONCE) + ASK * (1000 - int(WHOLE_AT_ONCE))
    now[0] = 60.0 / WHOLE_PER_S
    assert sieve.feed(whole) == whole


@pytest.mark.parametrize("message", PASSING)
def test_what_asks_for_pictures_passes_as_it_is(message: bytes) -> None:
    sieve = greeted()
    assert sieve.feed(message) == message
    assert sieve.dropped == 0


@pytest.mark.parametrize("message", INPUT)
def test_input_is_dropped_whole_and_what_follows_passes(message: bytes) -> None:
    sieve = greeted()
    assert sieve.feed(message + ASK) == ASK
    assert sieve.dropped == 1


@given(st.lists(st.sampled_from(PASSING + INPUT), max_size=30), st.data())
def test_however_it_is_cut_what_passes_is_the_same(messages: list[bytes], data: st.DataObject) -> None:
    said = HELLO + b"".join(messages)
    sieve, passed = Watching(), b""
    while said:
        cut = data.draw(st.integers(1, 24))
        passed += sieve.feed(said[:cut])
        said = said[cut:]
    assert passed == HELLO + b"".join(message for message in messages if message in PASSING)
    assert sieve.dropped == sum(message in INPUT for message in messages)


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_whatever_a_viewer_says_only_questions_for_pictures_come_out(chunks: list[bytes]) -> None:
    sieve, passed = greeted(), b""
    for chunk in chunks:
        try:
            passed += sieve.feed(chunk)
        except RfbError:
            break
    # read as a machine reads it, none of it is input
    while passed:
        assert passed[0] in (0, 2, 3, 150, 248)
        length = {0: 20, 3: 10, 150: 10}.get(passed[0])
        if passed[0] == 2:
            length = 4 + 4 * int.from_bytes(passed[2:4], "big")
        elif passed[0] == 248:
            length = 9 + passed[8]
        assert length is not None
        assert len(passed) >= length
        passed = passed[length:]


def test_encodings_that_serve_input_are_not_asked_for() -> None:
    clipboard, keys, buttons, power = 0xC0A1E5CE - 2**32, -258, -316, -309
    asked = struct.pack(">BxH6i", 2, 6, 7, clipboard, keys, buttons, power, -312)
    assert greeted().feed(asked) == struct.pack(">BxH2i", 2, 2, 7, -312)


def test_a_watcher_never_sends_the_others_away() -> None:
    assert Watching().feed(b"RFB 003.008\n\x01\x00") == b"RFB 003.008\n\x01" + SHARED


@pytest.mark.parametrize(
    "said",
    [
        b"RFB 003.003\n",
        b"GET / HTTP/1",
        b"RFB 003.008\n\x02",
        HELLO + b"\x07",
        HELLO + b"\xff\x02\x00\x00",
        HELLO + struct.pack(">BxH", 2, ENCODINGS_LIMIT + 1),
        HELLO + struct.pack(">BxxxI", 6, CUT_TEXT_LIMIT + 1),
        HELLO + struct.pack(">BxxxI", 6, 2**31),
        HELLO + b"\xf8" + bytes(7) + b"\x41",
    ],
)
def test_what_is_unknown_or_too_large_ends_the_stream_for_good(said: bytes) -> None:
    sieve = Watching()
    with pytest.raises(RfbError):
        sieve.feed(said)
    with pytest.raises(RfbError):
        sieve.feed(ASK)


def test_a_long_clipboard_is_read_past_and_not_kept() -> None:
    sieve = greeted()
    assert sieve.feed(struct.pack(">BxxxI", 6, CUT_TEXT_LIMIT)) == b""
    for _ in range(16):
        assert sieve.feed(bytes(CUT_TEXT_LIMIT // 16)) == b""
        assert len(sieve._kept) == 0
    assert sieve.feed(ASK) == ASK
