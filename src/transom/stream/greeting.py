"""What a viewer hears of a display before its first picture, in RFB 3.8 (RFC 6143, 7.1 to 7.3). Pure.

The display is a machine's, which may be hostile: what is kept of it has a limit, and none of its words is told."""

from __future__ import annotations

import struct
from typing import NoReturn

VERSION = b"RFB 003.008\n"
NO_SECURITY = b"\x01"
SHARED = b"\x01"
"""Nobody else who watches is sent away."""
INIT_BYTES = 24
"""Of ServerInit: width, height, pixel format, and the length of a name that is not read."""
LIMIT = 64 * 1024
"""Bytes heard in all; a greeting is some sixty and the display's name."""


class GreetingError(ValueError):
    """It is no display that greets a viewer of ours; the text is ours."""


class Greeting:
    """The display's bytes in, those of the viewer out, until `size` is known."""

    def __init__(self) -> None:
        self.size: tuple[int, int] | None = None
        """Of the screen, in pixels."""
        self._kept = bytearray()
        self._heard = 0
        self._take = self._version

    def feed(self, data: bytes) -> bytes:
        """Return what the viewer says to all that was heard so far. Raises GreetingError."""
        self._heard += len(data)
        if self._heard > LIMIT:
            self._end("it talks without end")
        if self.size is not None:
            return b""
        self._kept += data
        said = bytearray()
        while self.size is None and (answer := self._take()) is not None:
            said += answer
        return bytes(said)

    def _cut(self, size: int) -> bytes | None:
        if len(self._kept) < size:
            return None
        heard = bytes(self._kept[:size])
        del self._kept[:size]
        return heard

    def _version(self) -> bytes | None:
        heard = self._cut(len(VERSION))
        if heard is None:
            return None
        if heard != VERSION:
            self._end("it does not speak RFB 3.8")
        self._take = self._security
        return VERSION

    def _security(self) -> bytes | None:
        if not self._kept or len(self._kept) <= self._kept[0]:
            return None
        if NO_SECURITY[0] not in self._kept[1 : 1 + self._kept[0]]:
            self._end("it refuses viewers")
        self._cut(1 + self._kept[0])
        self._take = self._result
        return NO_SECURITY

    def _result(self) -> bytes | None:
        heard = self._cut(4)
        if heard is None:
            return None
        if any(heard):
            self._end("it refuses viewers")
        self._take = self._init
        return SHARED

    def _init(self) -> bytes | None:
        heard = self._cut(INIT_BYTES)
        if heard is None:
            return None
        width, height = struct.unpack(">HH", heard[:4])
        if not width or not height:
            self._end("its screen has no size")
        self.size = width, height
        return b""

    def _end(self, why: str) -> NoReturn:
        raise GreetingError(why)
