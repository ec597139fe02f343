"""RFB that means ill, at the display server with a machine's flags: it lives, and serves whoever else is there."""

from __future__ import annotations

import asyncio
import contextlib
import random
import struct

import pytest

from tests.integration.test_vnc_clipboard import screen, viewer
from transom_guest.desktop.display import VNC

FLAGS = tuple(f"-{name}={value}" for name, value in VNC.items() if not name.startswith("rfb"))
SIDES = (320, 200)
ASK = b"\x03\x00" + struct.pack(">4H", 0, 0, 1, 1)


def desktop_size(width: int, height: int, screens: int = 1) -> bytes:
    return struct.pack(">BxHHBx", 251, width, height, screens) + struct.pack(
        ">IHHHHI", 1, 0, 0, width, height, 0
    )


def pixel_format(bits: int, depth: int, most: int, shift: int) -> bytes:
    return struct.pack(">B3xBBBB3H3B3x", 0, bits, depth, 0, 1, most, most, most, shift, shift, shift)


ILL = {
    "one pixel": desktop_size(1, 1),
    "a wall": desktop_size(32768, 32768),
    "no pixel": desktop_size(0, 0),
    "screens that are not there": desktop_size(320, 200, 255),
    "four gigabytes of text": struct.pack(">BxxxI", 6, 2**32 - 1) + bytes(200_000),
    "two gigabytes of a rich clipboard": struct.pack(">Bxxxi", 6, -(2**31)) + bytes(200_000),
    "a rich clipboard of nothing": struct.pack(">Bxxxi", 6, -4) + struct.pack(">I", 0x10000001),
    "encodings without end": struct.pack(">BxH", 2, 65535) + bytes(4 * 1000),
    "a picture from outside": b"\x03\x00" + struct.pack(">4H", 65535, 65535, 65535, 65535),
    "colours that cannot be": pixel_format(255, 255, 0, 255),
    "more colours than bits": pixel_format(8, 32, 65535, 31),
    "a fence of all bytes": b"\xf8" + bytes(3) + struct.pack(">IB", 2**32 - 1, 255) + bytes(255),
    "a message that nobody knows": b"\x7f" * 1000,
    "keys and places that cannot be": struct.pack(">BBxxI", 4, 1, 2**32 - 1)
    + struct.pack(">BBHH", 5, 255, 65535, 65535),
    "noise": random.Random(7).randbytes(20_000),
}


async def served(path: str) -> None:
    """Somebody else's picture comes, and is as large as before."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"RFB 003.008\n\x01\x01" + ASK)
    async with asyncio.timeout(20):
        head = await reader.readexactly(12 + 2 + 4 + 20)
        assert struct.unpack(">HH", head[18:22]) == SIDES
        (name,) = struct.unpack(">I", await reader.readexactly(4))
        await reader.readexactly(name)
        assert (await reader.readexactly(4))[0] == 0
    writer.close()


async def answered(reader: asyncio.StreamReader) -> None:
    """Its own end, or a picture after all; or nothing, where it waits for the rest of a message."""
    with contextlib.suppress(TimeoutError, OSError):
        async with asyncio.timeout(0.3):
            await reader.read(65536)


@pytest.mark.parametrize("name", ILL)
async def test_what_no_viewer_says_ends_nobody_s_picture_and_changes_no_size(name: str) -> None:
    async with screen(FLAGS) as (_, path):
        reader, writer = await viewer(path, 0, -308, -312, -313)
        writer.write(ILL[name] + ASK)
        await answered(reader)
        await served(path)
        writer.close()
