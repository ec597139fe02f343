import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_guest.stream.png import SIGNATURE, encode_png


def chunks(png: bytes) -> dict[bytes, bytes]:
    assert png.startswith(SIGNATURE)
    stream, found = io.BytesIO(png[len(SIGNATURE) :]), {}
    while head := stream.read(8):
        size, kind = struct.unpack("!I4s", head)
        found[kind] = stream.read(size)
        assert struct.unpack("!I", stream.read(4))[0] == zlib.crc32(kind + found[kind])
    return found


def pixels(png: bytes, width: int) -> list[tuple[int, ...]]:
    raw = zlib.decompress(chunks(png)[b"IDAT"])
    line = 1 + 4 * width
    assert len(raw) % line == 0
    rows = [raw[at : at + line] for at in range(0, len(raw), line)]
    assert all(row[0] == 0 for row in rows)
    return [tuple(row[at : at + 4]) for row in rows for at in range(1, line, 4)]


def test_opaque_clear_and_half_transparent_pixels():
    png = encode_png(3, 1, (0xFF102030, 0x00123456, 0x80400000))
    assert pixels(png, 3) == [(0x10, 0x20, 0x30, 0xFF), (0, 0, 0, 0), (0x7F, 0, 0, 0x80)]


def test_the_header_says_size_and_rgba():
    assert chunks(encode_png(2, 1, (0, 0)))[b"IHDR"] == struct.pack("!IIBBBBB", 2, 1, 8, 6, 0, 0, 0)


@pytest.mark.parametrize(("width", "height", "count"), [(0, 1, 0), (2, 2, 3), (-1, -1, 1)])
def test_pixels_that_do_not_fill_the_size_are_refused(width, height, count):
    with pytest.raises(ValueError, match="differ"):
        encode_png(width, height, (0,) * count)


@given(st.integers(1, 8), st.integers(1, 8), st.data())
def test_any_pixels_make_a_whole_picture_with_their_alpha(width, height, data):
    argb = tuple(
        data.draw(st.lists(st.integers(0, 2**32 - 1), min_size=width * height, max_size=width * height))
    )
    found = pixels(encode_png(width, height, argb), width)
    assert [pixel[3] for pixel in found] == [pixel >> 24 for pixel in argb]
