"""What a viewer says in RFB (RFC 6143), with everything taken out that reaches a desktop. Pure but for a clock.

Both the guest and the controller put a watcher's bytes through `Watching`; neither trusts the other. Messages that
ask for pictures pass; keys, pointer, clipboard and sizes are read and dropped; what is unknown ends the stream.
Only that direction is read: nothing here parses what a machine sends.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from transom_wire.rate import Bucket

VERSIONS = (b"RFB 003.007\n", b"RFB 003.008\n")
"""3.3 is refused: in it the viewer does not choose the security type, so its next byte would mean something else."""
NO_SECURITY = 1
SHARED = b"\x01"
"""ClientInit as the machine hears it, whatever was said: a watcher never asks that others are sent away."""
ENCODINGS_LIMIT = 256
"""Encodings of one SetEncodings; noVNC names about twenty."""
CUT_TEXT_LIMIT = 1024 * 1024
"""Bytes of one clipboard, which is read past and never kept."""
FENCE_LIMIT = 64
"""Bytes of a fence, by its own definition."""
WHOLE_PER_S, WHOLE_AT_ONCE = 0.5, 10.0
"""Whole pictures that a watcher may ask for a second, and at once: each is drawn and packed anew beside who drives. Of
what it asks for beyond, it is sent what has changed."""
UPDATE, INCREMENTAL = 3, 1
PICTURES = frozenset(
    {0, 1, 2, 5, 6, 7, 16, 21, 50, -223, -224, -239, -260, -307, -308, -312, -313, 0x574D5664}
)
"""Encodings, and pseudo-encodings of size, name, pointer shape and pace; JPEG's and zlib's qualities besides.
Left out are those that only serve input: clipboard, keys, more buttons, power."""
QUALITIES = ((-32, -23), (-256, -247), (-512, -412), (-768, -763))


class RfbError(ValueError):
    """The viewer said what no watcher of ours says; the text says why and never quotes it."""


@dataclass(frozen=True, slots=True)
class _Message:
    """A kind of message: how many bytes tell its length, its length from those, and what passes of it."""

    head: int
    length: Callable[[bytes], int]
    passes: Callable[[bytes], bytes] = lambda _: b""
    input: bool = True


class Watching:
    """One viewer's bytes in, those a machine may hear out. Keeps at most one unfinished message."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._whole = clock, Bucket(WHOLE_PER_S, WHOLE_AT_ONCE, clock())
        self.dropped = 0
        """Messages of input that went no further."""
        self._kept = bytearray()
        self._skip = 0
        self._take: Callable[[], bytes | None] = self._version

    def feed(self, data: bytes) -> bytes:
        """Return what passes of all that has been said so far. Raises RfbError, after which nothing passes."""
        self._kept += data
        passed = bytearray()
        while (said := self._take()) is not None:
            passed += said
        return bytes(passed)

    def _cut(self, size: int) -> bytes | None:
        if len(self._kept) < size:
            return None
        said = bytes(self._kept[:size])
        del self._kept[:size]
        return said

    def _version(self) -> bytes | None:
        said = self._cut(12)
        if said is not None:
            if said not in VERSIONS:
                self._end("not RFB 3.7 or 3.8")
            self._take = self._security
        return said

    def _security(self) -> bytes | None:
        said = self._cut(1)
        if said is not None:
            if said[0] != NO_SECURITY:
                self._end("another security type than None")
            self._take = self._init
        return said

    def _init(self) -> bytes | None:
        if self._cut(1) is None:
            return None
        self._take = self._message
        return SHARED

    def _message(self) -> bytes | None:
        if self._skip:
            gone = min(self._skip, len(self._kept))
            del self._kept[:gone]
            self._skip -= gone
        if self._skip or not self._kept:
            return None
        message = _MESSAGES.get(self._kept[0])
        if message is None:
            self._end("an unknown message")
        if len(self._kept) < message.head:
            return None
        try:
            length = message.length(bytes(self._kept[: message.head]))
        except RfbError as error:
            self._end(str(error))
        return self._drop(length) if message.input else self._pass(message, length)

    def _drop(self, length: int) -> bytes:
        self.dropped += 1
        self._skip = length
        return b""

    def _pass(self, message: _Message, length: int) -> bytes | None:
        said = self._cut(length)
        if said is None:
            return None
        if said[0] == UPDATE and said[1] != INCREMENTAL and not self._whole.take(1, self._clock()):
            said = bytes([UPDATE, INCREMENTAL]) + said[2:]
        return message.passes(said)

    def _end(self, why: str) -> NoReturn:
        self._kept.clear()
        self._take = self._refuse
        raise RfbError(why)

    def _refuse(self) -> bytes | None:
        raise RfbError("the stream is over")


def _fixed(size: int) -> Callable[[bytes], int]:
    return lambda _: size


def _encodings_length(head: bytes) -> int:
    count = int.from_bytes(head[2:4], "big")
    if count > ENCODINGS_LIMIT:
        raise RfbError("too many encodings")
    return 4 + 4 * count


def _encodings(said: bytes) -> bytes:
    wanted = [number for (number,) in struct.iter_unpack(">i", said[4:]) if _shows(number)]
    return struct.pack(f">BxH{len(wanted)}i", 2, len(wanted), *wanted)


def _shows(encoding: int) -> bool:
    return encoding in PICTURES or any(low <= encoding <= high for low, high in QUALITIES)


def _cut_text_length(head: bytes) -> int:
    size = abs(int.from_bytes(head[4:8], "big", signed=True))  # negative: the extended clipboard
    if size > CUT_TEXT_LIMIT:
        raise RfbError("a clipboard over its limit")
    return 8 + size


def _fence_length(head: bytes) -> int:
    if head[8] > FENCE_LIMIT:
        raise RfbError("a fence over its limit")
    return 9 + head[8]


def _pointer_length(head: bytes) -> int:
    return 7 if head[1] & 0x80 else 6  # the marker of more buttons, which one byte then tells


def _qemu_length(head: bytes) -> int:
    if head[1] == 0:
        return 12
    if head[1] == 1:
        return 10 if head[2:4] == b"\x00\x02" else 4
    raise RfbError("an unknown message")


def _pass_on(said: bytes) -> bytes:
    return said


_MESSAGES = {
    0: _Message(1, _fixed(20), _pass_on, input=False),  # SetPixelFormat
    2: _Message(4, _encodings_length, _encodings, input=False),
    3: _Message(1, _fixed(10), _pass_on, input=False),  # FramebufferUpdateRequest
    4: _Message(2, _fixed(8)),  # KeyEvent
    5: _Message(2, _pointer_length),
    6: _Message(8, _cut_text_length),
    150: _Message(1, _fixed(10), _pass_on, input=False),  # EnableContinuousUpdates
    248: _Message(9, _fence_length, _pass_on, input=False),
    250: _Message(1, _fixed(4)),  # xvp
    251: _Message(8, lambda head: 8 + 16 * head[6]),  # SetDesktopSize
    255: _Message(4, _qemu_length),
}
