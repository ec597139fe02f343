"""What data channels carry, on a stream of kind `channel`: for pages that have none, those on noVNC.

Frames (transom_wire.framing), the first byte of each saying what it is:

| first byte | from | the rest |
|---|---|---|
| `v` | controller | ChannelViewer: whose stream this is and by what terms; first of all, and again when they change |
| `t` | both | a text message of the channel `clipboard`, or of what channels.md says of `control` |
| `b` | both | a binary message of the channel `clipboard` |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from transom_wire.codec import WireError, decode, encode
from transom_wire.fields import Id
from transom_wire.framing import FrameError, pack
from transom_wire.peers import PeerTerms

CHUNK = 16 * 1024
"""Bytes of a binary message."""
TEXT_LIMIT = 16 * 1024
"""Bytes of a text message."""
FRAME_LIMIT = CHUNK + 1
_VIEWER, _TEXT, _BINARY = b"v", b"t", b"b"


@dataclass(frozen=True, slots=True)
class ChannelViewer:
    """Whose stream this is, and what may pass on it."""

    TYPE: ClassVar[str] = "channel_viewer"
    peer: Id
    terms: PeerTerms


Content = ChannelViewer | str | bytes


def framed(content: Content) -> bytes:
    """A frame with this in it. Raises FrameError for what is too long."""
    match content:
        case ChannelViewer():
            return pack(_VIEWER + encode(content), FRAME_LIMIT)
        case str():
            return framed_text(content.encode())
        case bytes():
            return pack(_BINARY + content, FRAME_LIMIT)


def framed_text(utf8: bytes) -> bytes:
    """A frame with a text message that is encoded already. Raises FrameError for one that is too long."""
    return pack(_TEXT + utf8, 1 + TEXT_LIMIT)


def opened(frame: bytes) -> Content:
    """What is in a frame. Raises FrameError; its text quotes nothing."""
    kind, rest = frame[:1], frame[1:]
    try:
        if kind == _BINARY and rest:
            return rest
        if kind == _TEXT and 0 < len(rest) <= TEXT_LIMIT:
            return rest.decode()
        if kind == _VIEWER:
            return decode(rest, (ChannelViewer,))
    except (UnicodeDecodeError, WireError) as error:
        raise FrameError("not a frame of a channel's") from error
    raise FrameError("not a frame of a channel's")
