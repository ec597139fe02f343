"""Streams in SCTP packets: those of real chunks are seen, and no bytes at all are a fault."""

from __future__ import annotations

import struct

from hypothesis import example, given
from hypothesis import strategies as st

from transom_guest.stream.sctp import DATA, I_DATA, highest_stream, packets_of

SACK = 3
HEADER = bytes(12)


def chunk(kind: int, stream: int, data: bytes = b"") -> bytes:
    body = struct.pack(">IHHI", 1, stream, 0, 51) + data
    return struct.pack(">BBH", kind, 3, 4 + len(body)) + body + bytes(-len(body) % 4)


def test_data_is_found_behind_other_chunks() -> None:
    packet = HEADER + chunk(SACK, 9000) + chunk(DATA, 2, b"abc") + chunk(I_DATA, 700, b"x") + chunk(DATA, 4)
    assert highest_stream(packet) == 700
    assert highest_stream(HEADER + chunk(SACK, 9000)) == -1


@given(
    st.lists(st.tuples(st.sampled_from([DATA, I_DATA, SACK]), st.integers(0, 65535), st.binary(max_size=9)))
)
def test_the_highest_of_all_data_is_told(chunks: list[tuple[int, int, bytes]]) -> None:
    packet = HEADER + b"".join(chunk(*one) for one in chunks)
    assert highest_stream(packet) == max((stream for kind, stream, _ in chunks if kind != SACK), default=-1)


@given(st.binary(max_size=200))
@example(HEADER + b"\x00\x00\x00\x00" * 9)
@example(HEADER + b"\x00\x00\xff\xff\x00")
def test_bytes_of_any_kind_are_read_to_an_end(packet: bytes) -> None:
    assert -1 <= highest_stream(packet) <= 65535


class Probed:
    """A pad's probe of GStreamer's, whose getters say CRITICAL for what it has not."""

    def __init__(self, one: bytes | None, some: list[bytes] | None) -> None:
        self._one, self._some = one, some

    def get_buffer(self) -> Buffer:
        assert self._one is not None, "gst_pad_probe_info_get_buffer: assertion failed"
        return Buffer(self._one)

    def get_buffer_list(self) -> BufferList:
        assert self._some is not None, "gst_pad_probe_info_get_buffer_list: assertion failed"
        return BufferList(self._some)


class Buffer:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def get_size(self) -> int:
        return len(self._data)

    def extract_dup(self, offset: int, size: int) -> bytes:
        return self._data[offset : offset + size]


class BufferList:
    def __init__(self, some: list[bytes]) -> None:
        self._some = some

    def length(self) -> int:
        return len(self._some)

    def get(self, index: int) -> Buffer:
        return Buffer(self._some[index])


def test_a_probe_is_asked_for_what_it_has_only() -> None:
    assert packets_of(Probed(b"one", None), several=False) == [b"one"]
    assert packets_of(Probed(None, [b"one", b"two"]), several=True) == [b"one", b"two"]
