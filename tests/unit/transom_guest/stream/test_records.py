from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from transom_guest.stream.records import pieces
from transom_wire.files import CHUNK


@given(st.lists(st.integers(0, 3 * CHUNK), max_size=12))
def test_pieces_are_the_same_bytes_and_none_is_empty_or_too_long(sizes: list[int]) -> None:
    parts = [bytes([number % 256]) * size for number, size in enumerate(sizes)]
    sent = list(pieces(parts))
    assert b"".join(sent) == b"".join(parts)
    assert all(0 < len(piece) <= CHUNK for piece in sent)
