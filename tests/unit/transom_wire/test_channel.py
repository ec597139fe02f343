import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_wire.channel import CHUNK, FRAME_LIMIT, TEXT_LIMIT, ChannelViewer, framed, opened
from transom_wire.framing import FrameError, FrameReader
from transom_wire.peers import PeerTerms


@pytest.mark.parametrize(
    "content",
    [
        "x",
        "ü" * (TEXT_LIMIT // 2),
        b"x",
        b"y" * CHUNK,
        ChannelViewer("tab-1", PeerTerms(clipboard="both", clipboard_bytes=9)),
    ],
)
def test_what_goes_in_comes_out(content: str | bytes | ChannelViewer) -> None:
    (frame,) = FrameReader(FRAME_LIMIT).feed(framed(content))
    assert opened(frame) == content


@pytest.mark.parametrize("content", ["x" * (TEXT_LIMIT + 1), b"x" * (CHUNK + 1)])
def test_what_is_too_long_is_not_sent(content: str | bytes) -> None:
    with pytest.raises(FrameError):
        framed(content)


@pytest.mark.parametrize("frame", [b"b", b"t", b"v", b"q", b"t\xff", b"v{}", b"t" + b"x" * (TEXT_LIMIT + 1)])
def test_what_is_no_frame_is_refused(frame: bytes) -> None:
    with pytest.raises(FrameError):
        opened(frame)


@given(st.binary(min_size=1, max_size=200) | st.binary(max_size=200).map(lambda rest: b"v" + rest))
def test_no_bytes_do_more_than_be_refused(frame: bytes) -> None:
    with contextlib.suppress(FrameError):
        opened(frame)
