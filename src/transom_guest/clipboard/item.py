"""What a clipboard may hold here: a text or a PNG. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

TEXT, PNG = "text/plain", "image/png"
TYPES = (TEXT, PNG)
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_PIXELS = 40_000_000
"""Width times height of a picture: some bytes of PNG can ask for gigabytes once unpacked."""


class ItemError(ValueError):
    """Not what its type says; the text says why and never quotes it."""


@dataclass(frozen=True)
class Item:
    """One clipboard: UTF-8 text, or a PNG."""

    type: str
    data: bytes

    @cached_property
    def digest(self) -> bytes:
        """Tells one content from another."""
        return hashlib.sha256(self.type.encode() + b"\0" + self.data).digest()


def item(type: str, data: bytes) -> Item:
    """The item of these bytes, checked. Raises ItemError."""
    if not data:
        raise ItemError("nothing in it")
    if type == PNG:
        _check_png(data)
    elif type == TEXT:
        _check_text(data)
    else:
        raise ItemError("no such type")
    return Item(type, data)


def text_item(text: str) -> Item:
    """The item of a text; characters that UTF-8 cannot carry are replaced. Raises ItemError."""
    return item(TEXT, text.encode("utf-8", "replace"))


def _check_text(data: bytes) -> None:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ItemError("not UTF-8") from error


def _check_png(data: bytes) -> None:
    if len(data) < 33 or not data.startswith(PNG_SIGNATURE) or data[12:16] != b"IHDR":
        raise ItemError("not a PNG")
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    if not 0 < width * height <= MAX_PIXELS:
        raise ItemError("a picture without size, or too large")
