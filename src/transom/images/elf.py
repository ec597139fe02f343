"""Reads the little of ELF that kernels and their modules need: sections by name, notes. 64 bit, little endian.

The structures are those of elf(5).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

MAGIC = b"\x7fELF\x02\x01"
HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SECTION = struct.Struct("<IIQQQQIIQQ")
SEGMENT = struct.Struct("<IIQQQQQQ")
NOTE = struct.Struct("<III")
COUNT_LIMIT = 4096
"""Sections or segments; a kernel has fewer than a hundred."""
NOTE_SEGMENT, NO_BITS = 4, 8
PVH_OWNER, PVH_ENTRY = b"Xen\0", 18
"""XEN_ELFNOTE_PHYS32_ENTRY: where a VMM without a BIOS begins (xen/include/public/elfnote.h)."""


def section(data: bytes, name: bytes) -> bytes | None:
    """The content of the first section called `name`. Raises ValueError when it is not a whole ELF."""
    _, _, _, _, _, _, offset, _, _, _, _, size, count, names = _header(data)
    table = list(_table(data, SECTION, offset, size, count))
    if names >= len(table):
        raise ValueError("ELF has no section names")
    texts = _slice(data, table[names][4], table[names][5])
    for found, kind, _, _, start, length, *_ in table:
        end = texts.find(b"\0", found)
        if kind != NO_BITS and texts[found:end] == name:
            return _slice(data, start, length)
    return None


def has_pvh_entry(data: bytes) -> bool:
    """Does the kernel carry the note of a PVH entry? Raises ValueError when it is not a whole ELF."""
    _, _, _, _, _, offset, _, _, _, size, count, *_ = _header(data)
    for kind, _, start, _, _, length, _, align in _table(data, SEGMENT, offset, size, count):
        if kind == NOTE_SEGMENT and _has_note(_slice(data, start, length), align):
            return True
    return False


def _has_note(data: bytes, align: int) -> bool:
    step, at = 8 if align == 8 else 4, 0
    while at + NOTE.size <= len(data):
        name, content, kind = NOTE.unpack_from(data, at)
        at += NOTE.size
        if data[at : at + name] == PVH_OWNER and kind == PVH_ENTRY:
            return True
        at += -(-name // step) * step + -(-content // step) * step
    return False


def _header(data: bytes) -> tuple[int, ...]:
    if not data.startswith(MAGIC) or len(data) < HEADER.size:
        raise ValueError("not a 64-bit little-endian ELF")
    return HEADER.unpack_from(data)


def _table(
    data: bytes, shape: struct.Struct, offset: int, size: int, count: int
) -> Iterator[tuple[int, ...]]:
    if count > COUNT_LIMIT or (count and size != shape.size) or offset + size * count > len(data):
        raise ValueError("ELF table passes the end")
    for number in range(count):
        yield shape.unpack_from(data, offset + number * size)


def _slice(data: bytes, start: int, length: int) -> bytes:
    if start + length > len(data):
        raise ValueError("ELF content passes the end")
    return data[start : start + length]
