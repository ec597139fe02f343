import struct

import pytest
from aiortc.codecs.h264 import H264PayloadDescriptor
from aiortc.rtp import HeaderExtensionsMap, RtpPacket
from hypothesis import given
from hypothesis import strategies as st

from transom_guest.stream.packets import MTU, Packetizer, extension, payloads

START = b"\0\0\0\1"
SSRC = 0x12345678


def a_unit(kind: int, body: bytes) -> bytes:
    """A NAL unit of this kind; no byte of it is zero, so that nothing looks like a start code."""
    return bytes([0x60 | kind]) + body


UNITS = st.lists(
    st.builds(
        lambda kind, seed, size: a_unit(kind, (seed * (size // len(seed) + 1))[:size]),
        st.sampled_from((1, 5, 7, 8)),
        st.binary(min_size=1, max_size=20).map(lambda data: data.replace(b"\0", b"\1")),
        st.integers(1, 5000),
    ),
    min_size=1,
    max_size=8,
)


def annex_b(units: list[bytes]) -> bytes:
    return b"".join(START + unit for unit in units)


@given(UNITS, st.integers(40, 1400))
def test_an_independent_depacketizer_gives_back_every_access_unit(units: list[bytes], room: int) -> None:
    parts = payloads(annex_b(units), room)
    assert all(len(part) <= room for part in parts)
    assert b"".join(H264PayloadDescriptor.parse(part)[1] for part in parts) == annex_b(units)


@given(UNITS, st.integers(0, 65535), st.integers(0, 2**40))
def test_packets_are_numbered_timed_and_the_last_is_marked(units: list[bytes], first: int, when: int) -> None:
    packetizer = Packetizer(96, SSRC, {4: b"\0\0", 6: b"\0\0\0"}, first)
    made = packetizer.packets(annex_b(units), when) + packetizer.packets(annex_b(units[:1]), when + 1500)
    parsed = [RtpPacket.parse(packet, HeaderExtensionsMap()) for packet in made]
    assert max(map(len, made)) <= MTU
    assert [packet.sequence_number for packet in parsed] == [(first + n) % 65536 for n in range(len(made))]
    ends = [index for index, packet in enumerate(parsed) if packet.marker]
    assert len(ends) == 2
    assert ends[-1] == len(made) - 1
    assert {packet.timestamp for packet in parsed[: ends[0] + 1]} == {when % 2**32}
    assert {(packet.ssrc, packet.payload_type) for packet in parsed} == {(SSRC, 96)}
    assert all(packet[0] & 0x10 and packet[12:14] == b"\xbe\xde" for packet in made)


def test_parameter_sets_travel_together_and_delimiters_not_at_all() -> None:
    small = [
        a_unit(9, b"\xf0"),
        a_unit(6, b"x264 says"),
        a_unit(7, b"sps"),
        a_unit(8, b"pps"),
        a_unit(5, b"i" * 50),
    ]
    (part,) = payloads(annex_b(small), 1000)
    assert part[0] & 31 == 24
    assert b"x264" not in part
    together, slices = payloads(annex_b(small[:4]) + START + a_unit(5, b"i" * 999), 1000)
    assert (together[0] & 31, slices[0] & 31) == (24, 5)


def test_nothing_but_a_delimiter_is_no_packet() -> None:
    assert Packetizer(96, SSRC, {}).packets(START + a_unit(9, b"\xf0"), 0) == []


@pytest.mark.parametrize(
    ("values", "words"), [({4: b"\0\0"}, 1), ({4: b"\0\0", 6: b"\0\0\0"}, 2), ({1: b"x" * 16}, 5)]
)
def test_an_extension_is_padded_to_words(values: dict[int, bytes], words: int) -> None:
    made = extension(values)
    assert struct.unpack("!HH", made[:4]) == (0xBEDE, words)
    assert len(made) == 4 + 4 * words
    assert extension({}) == b""
