from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.transom.images.elves import longer, lz4, lz4_literals, token
from transom.images.lz4 import MAGIC, unpack

LIMIT = 1 << 20


@given(st.binary(max_size=2000))
def test_literals(data: bytes) -> None:
    assert unpack(lz4(lz4_literals(data)), LIMIT) == data


@given(st.binary(min_size=1, max_size=40), st.integers(4, 900), st.data())
def test_matches_that_reach_into_themselves(data: bytes, count: int, draw: st.DataObject) -> None:
    back = draw.draw(st.integers(1, len(data)))
    block = token(len(data), count - 4) + longer(len(data)) + data + back.to_bytes(2, "little")
    block += longer(count - 4) + token(1, 0) + b"!"
    expected = bytearray(data)
    for _ in range(count):
        expected.append(expected[-back])
    assert unpack(lz4(block), LIMIT) == bytes(expected) + b"!"


def test_several_blocks_and_frames() -> None:
    two = lz4(lz4_literals(b"ab"), lz4_literals(b"cd"))
    assert unpack(two + MAGIC + lz4(lz4_literals(b"ef"))[4:], LIMIT) == b"abcdef"


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"\x04\x22\x4d\x18",
        MAGIC + b"\1",
        MAGIC + bytes(4),
        MAGIC + b"\xff\xff\xff\xff" + b"x",
        lz4(b"\xf0\xff"),
        lz4(b"\x50ab"),
        lz4(b"\x10a\x05\x00\x10b"),
        lz4(b"\x10a\x00\x00\x10b"),
        lz4(b"\x10a\x01"),
        lz4(b"\x1fa\x01\x00\xff"),
    ],
)
def test_what_is_broken_is_refused(packed: bytes) -> None:
    with pytest.raises(ValueError):
        unpack(packed, LIMIT)


def test_the_limit_holds_for_literals_and_matches() -> None:
    bomb = token(1, 15) + b"a" + b"\1\0" + b"\xff" * 5000 + b"\0" + token(1, 0) + b"b"
    with pytest.raises(ValueError, match="passes the end"):
        unpack(lz4(bomb), 1000)
    with pytest.raises(ValueError, match="pass the end"):
        unpack(lz4(lz4_literals(b"abc"), lz4_literals(b"def")), 5)


@given(st.binary(max_size=200))
def test_any_bytes_are_unpacked_or_refused(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert len(unpack(lz4(data), 5000)) <= 5000
    with contextlib.suppress(ValueError):
        unpack(MAGIC + data, 5000)
