from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_wire.framing import HEADER, MAX_FRAME, FrameError, FrameReader, pack

BODIES = st.lists(st.binary(min_size=1, max_size=50), max_size=8)


@given(BODIES, st.lists(st.integers(1, 40), max_size=40))
def test_frames_come_out_however_the_bytes_come_in(bodies: list[bytes], cuts: list[int]) -> None:
    data = b"".join(pack(body) for body in bodies)
    reader, got = FrameReader(), []
    for size in cuts:
        got += reader.feed(data[:size])
        data = data[size:]
    got += reader.feed(data)
    assert got == bodies
    assert reader.remainder == b""


@given(BODIES, st.binary(max_size=3))
def test_what_follows_the_last_frame_is_kept(bodies: list[bytes], tail: bytes) -> None:
    reader = FrameReader()
    assert reader.feed(b"".join(map(pack, bodies)) + tail) == bodies
    assert reader.remainder == tail


@given(st.binary(max_size=200))
def test_any_bytes_are_frames_or_a_frame_error(data: bytes) -> None:
    reader = FrameReader(limit=64)
    try:
        frames = reader.feed(data)
    except FrameError:
        return
    assert b"".join(pack(frame, 64) for frame in frames) + reader.remainder == data
    assert len(reader.remainder) < HEADER.size + 64


@pytest.mark.parametrize("size", [0, MAX_FRAME + 1, 2**32 - 1])
def test_a_size_that_is_not_allowed_is_refused_before_its_body_comes(size: int) -> None:
    with pytest.raises(FrameError):
        FrameReader().feed(HEADER.pack(size))


def test_a_frame_of_the_limit_passes_and_one_more_byte_does_not() -> None:
    assert FrameReader(limit=5).feed(pack(b"12345", 5)) == [b"12345"]
    with pytest.raises(FrameError):
        FrameReader(limit=5).feed(pack(b"123456", 6))


@pytest.mark.parametrize("body", [b"", b"123456"])
def test_what_is_empty_or_too_long_is_not_sent(body: bytes) -> None:
    with pytest.raises(FrameError):
        pack(body, 5)
