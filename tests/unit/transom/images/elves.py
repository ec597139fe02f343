"""Makes small ELF files, bzImages and LZ4 for the tests of what reads them."""

from __future__ import annotations

import gzip
import struct

from transom.images.elf import HEADER, MAGIC, NOTE, SECTION, SEGMENT

PVH = NOTE.pack(4, 8, 18) + b"Xen\0" + bytes(8)


def elf(sections: dict[bytes, bytes] | None = None, notes: bytes | None = None) -> bytes:
    """An ELF with these sections, and a note segment when there are `notes`."""
    sections = sections or {}
    names = b"\0" + b"".join(name + b"\0" for name in (*sections, b".shstrtab"))
    body, table = bytearray(bytes(HEADER.size)), [SECTION.pack(*[0] * 10)]
    for name, content in {**sections, b".shstrtab": names}.items():
        at = names.index(b"\0" + name + b"\0") + 1
        table.append(SECTION.pack(at, 1, 0, 0, len(body), len(content), 0, 0, 1, 0))
        body += content
    segments = 0
    note_at = len(body)
    body += notes or b""
    segment_at = len(body)
    if notes is not None:
        segments = 1
        body += SEGMENT.pack(4, 0, note_at, 0, 0, len(notes), len(notes), 4)
    section_at = len(body)
    body += b"".join(table)
    sizes = (HEADER.size, SEGMENT.size, segments, SECTION.size, len(table), len(table) - 1)
    header = HEADER.pack(MAGIC.ljust(16, b"\0"), 2, 62, 1, 0, segment_at, section_at, 0, *sizes)
    return header + bytes(body[HEADER.size :])


def module(needs: str) -> bytes:
    """A kernel module that needs the named ones."""
    return elf({b".modinfo": b"license=GPL\0depends=" + needs.encode() + b"\0name=x\0"})


def bzimage(payload: bytes, *, sectors: int = 1, protocol: int = 0x20F) -> bytes:
    """A boot image around a packed kernel."""
    image = bytearray((sectors + 1) * 512)
    image[0x1F1] = sectors
    image[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", image, 0x206, protocol)
    struct.pack_into("<II", image, 0x248, 16, len(payload))
    return bytes(image) + bytes(16) + payload


def kernel() -> bytes:
    """A boot image with a kernel that has a PVH entry, packed by gzip."""
    return bzimage(gzip.compress(elf(notes=PVH), mtime=0))


def lz4_literals(data: bytes) -> bytes:
    """`data` as one LZ4 sequence that copies nothing."""
    return token(len(data), 0)[:1] + longer(len(data)) + data


def token(literals: int, match: int) -> bytes:
    return bytes([min(literals, 15) << 4 | min(match, 15)])


def longer(count: int) -> bytes:
    if count < 15:
        return b""
    count -= 15
    return b"\xff" * (count // 255) + bytes([count % 255])


def lz4(*blocks: bytes) -> bytes:
    """Blocks in the kernel's frame."""
    return b"\x02\x21\x4c\x18" + b"".join(struct.pack("<I", len(block)) + block for block in blocks)
