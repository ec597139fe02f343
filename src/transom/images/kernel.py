"""Takes the kernel out of Debian's vmlinuz: what QEMU's microvm and Firecracker start directly.

x86: an ELF with a PVH entry, packed in a bzImage (Documentation/arch/x86/boot.rst). arm64: the plain Image
(Documentation/arch/arm64/booting.rst), bare or packed by gzip.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from pathlib import Path

from transom.images import elf, lz4
from transom.images.errors import ImageError
from transom.images.run import run

LIMIT = 256 * 2**20
"""Bytes of an unpacked kernel; Debian's are 40 to 70 MiB."""
SETUP_SECTORS, BOOT_MAGIC, PROTOCOL, PAYLOAD_START, PAYLOAD_LENGTH = 0x1F1, 0x202, 0x206, 0x248, 0x24C
PAYLOAD_SINCE = 0x208
"""Boot protocol 2.08 tells where the payload is."""
SECTOR, TAIL = 512, 4
"""The build appends the unpacked size in four bytes to whatever is not gzip."""
GZIP, BZIP, XZ, ZSTD = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"
ARM_MAGIC, ARM_AT = b"ARM\x64", 0x38
UNZSTD_DEADLINE = 120.0
MEND = "use another suite, or report it with the kernel's version"


def extract(vmlinuz: bytes, work: Path) -> bytes:
    """Return the bare kernel in `vmlinuz`; `work` is an empty folder for outside tools. Raises ImageError."""
    try:
        if vmlinuz[BOOT_MAGIC : BOOT_MAGIC + 4] == b"HdrS":
            return _x86(unpack(payload(vmlinuz), work))
        bare = _gunzip(vmlinuz) if vmlinuz.startswith(GZIP) else vmlinuz
    except (ValueError, OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise ImageError(f"the kernel cannot be unpacked: {error}", mend=MEND) from error
    if bare[ARM_AT : ARM_AT + 4] != ARM_MAGIC:
        raise ImageError("the kernel is neither a bzImage nor an arm64 Image", mend=MEND)
    return bare


def payload(vmlinuz: bytes) -> bytes:
    """The packed kernel inside a bzImage. Raises ValueError."""

    def number(at: int, size: int) -> int:
        return int.from_bytes(vmlinuz[at : at + size], "little")

    if len(vmlinuz) < PAYLOAD_LENGTH + 4 or number(PROTOCOL, 2) < PAYLOAD_SINCE:
        raise ValueError("its header is too short or too old")
    sectors = number(SETUP_SECTORS, 1) or 4
    start = (sectors + 1) * SECTOR + number(PAYLOAD_START, 4)
    length = number(PAYLOAD_LENGTH, 4)
    if length <= TAIL or start + length > len(vmlinuz):
        raise ValueError("its payload passes the end")
    return vmlinuz[start : start + length]


def unpack(packed: bytes, work: Path) -> bytes:
    """Unpack a payload, LIMIT bytes at most. Raises ValueError and the unpackers' own errors."""
    if packed.startswith(GZIP):
        return _gunzip(packed)
    packed, size = packed[:-TAIL], int.from_bytes(packed[-TAIL:], "little")
    if size > LIMIT:
        raise ValueError("it would be too large")
    if packed.startswith(lz4.MAGIC):
        found = lz4.unpack(packed, LIMIT)
    elif packed.startswith(XZ):
        found = lzma.LZMADecompressor().decompress(packed, LIMIT)
    elif packed.startswith(BZIP):
        found = bz2.BZ2Decompressor().decompress(packed, LIMIT)
    elif packed.startswith(ZSTD):
        found = _unzstd(packed, work)
    else:
        raise ValueError(f"its packing is not known: {packed[:6].hex()}")
    if len(found) != size:
        raise ValueError(f"{len(found)} bytes came out where {size} were promised")
    return found


def _x86(found: bytes) -> bytes:
    if not elf.has_pvh_entry(found):
        raise ImageError("the kernel has no PVH entry", mend=MEND)
    return found


def _gunzip(packed: bytes) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    found = unpacker.decompress(packed, LIMIT)
    if not unpacker.eof:
        raise ValueError("gzip is cut short, or too large")
    return found


def _unzstd(packed: bytes, work: Path) -> bytes:
    source, target = work / "kernel.zst", work / "kernel"
    source.write_bytes(packed)
    run(
        ["zstd", "--decompress", "--quiet", f"--memory={LIMIT}", str(source), "-o", str(target)],
        deadline=UNZSTD_DEADLINE,
        mend="apt-get install zstd",
    )
    with target.open("rb") as file:
        return file.read(LIMIT + 1)
