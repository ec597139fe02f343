"""What is RTCP, and what is not."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_guest.stream.rtcp import MOST_BYTES, MOST_PACKETS, PADDED, SEAL, head_fits, senders_of

RECEIVER, DESCRIPTIONS, GOODBYE, APPLICATION, TRANSPORT, PICTURE, EXTENDED = 201, 202, 203, 204, 205, 206, 207


def packet(kind: int, count: int, body: bytes, padding: int = 0) -> bytes:
    """With the length that it has."""
    body += bytes(padding - 1) + bytes([padding]) if padding else b""
    return bytes([0x80 | (0x20 if padding else 0) | count, kind]) + struct.pack("!H", len(body) // 4) + body


def arrivals(chunks: list[int], count: int, times: bytes) -> bytes:
    """Transport-wide feedback, padded as browsers pad it."""
    body = struct.pack("!IIHHI", 1, 2, 100, count, 7) + struct.pack(f"!{len(chunks)}H", *chunks) + times
    return packet(TRANSPORT, 15, body, -len(body) % 4)


def description(*names: int) -> bytes:
    chunks = b"".join(struct.pack("!I", name) + b"\x01\x04abcd\x00\x00" for name in names)
    return packet(DESCRIPTIONS, len(names), chunks)


report = packet(RECEIVER, 1, struct.pack("!I", 1) + bytes(24))
WELL = {
    "a browser's report": report + description(1),
    "a sender's": packet(200, 1, struct.pack("!I", 1) + bytes(20 + 24)),
    "packets that did not come": packet(TRANSPORT, 1, bytes(8) + b"\x00\x05\x00\x01"),
    "no picture": packet(PICTURE, 1, bytes(8)),
    "a picture of its own": packet(PICTURE, 4, bytes(8) + bytes(8)),
    "an estimate": packet(PICTURE, 15, bytes(8) + b"REMB\x02\x01\x02\x03" + bytes(8)),
    "one goes": packet(GOODBYE, 1, bytes(4) + b"\x03bye"),
    "an application's": packet(APPLICATION, 0, bytes(8)),
    "an extended report": packet(EXTENDED, 0, bytes(4) + b"\x04\x00\x00\x02" + bytes(8)),
    "a run of arrivals": arrivals([0x2000 | 5], 5, bytes(5)),
    "one bit each": arrivals([0x8000 | 0b11 << 12], 2, bytes(2)),
    "two bits each": arrivals([0xC000 | 0b01_10 << 10], 2, bytes(3)),
    "a run of those that did not come": arrivals([0x1FFF], 0x1FFF, b""),
}
ILL = {
    "nothing": b"",
    "half a head": b"\x80\xc9\x00",
    "another version": b"\x40" + report[1:],
    "a type that nobody has": packet(199, 0, bytes(8)),
    "shorter than it says": report[:-4],
    "longer than it says": report + b"\x80",
    "more reports than there are": bytes([0x82]) + report[1:],
    "more padding than there is": packet(RECEIVER, 0, bytes(4) + b"\x00\x00\x00\xff")[:1].replace(
        b"\x80", b"\xa0"
    )
    + packet(RECEIVER, 0, bytes(4) + b"\x00\x00\x00\xff")[1:],
    "padding of nothing": b"\xa0" + packet(RECEIVER, 0, bytes(8))[1:],
    "an item over its end": packet(DESCRIPTIONS, 1, bytes(4) + b"\x01\xff\x00\x00"),
    "fewer descriptions": packet(DESCRIPTIONS, 2, bytes(4) + b"\x00\x00\x00\x00"),
    "nobody goes": packet(GOODBYE, 0, b""),
    "a reason over its end": packet(GOODBYE, 1, bytes(4) + b"\xffbye"),
    "feedback of nothing": packet(TRANSPORT, 1, bytes(8)),
    "half an entry": packet(PICTURE, 4, bytes(8) + bytes(4)),
    "an estimate of more streams": packet(PICTURE, 15, bytes(8) + b"REMB\xff\x01\x02\x03" + bytes(8)),
    "no packet at all": arrivals([0x2000], 0, b""),
    "fewer symbols than packets": arrivals([0x2000 | 5], 50, bytes(5)),
    "fewer times than arrivals": arrivals([0x2000 | 200], 200, bytes(5)),
    "more times than arrivals": arrivals([0x2000 | 2], 2, bytes(9)),
    "a run over its end": arrivals([0x2000 | 9], 2, bytes(9)),
    "blocks over their end": packet(EXTENDED, 0, bytes(4) + b"\x04\x00\xff\xff" + bytes(8)),
    "too many": packet(PICTURE, 1, bytes(8)) * (MOST_PACKETS + 1),
    "too long": packet(APPLICATION, 0, bytes(MOST_BYTES)),
}


@pytest.mark.parametrize("name", WELL)
def test_what_browsers_send_is_taken_alone_and_beside_others(name: str) -> None:
    assert senders_of(WELL[name]) is not None
    if not WELL[name][0] & PADDED:
        assert senders_of(report + WELL[name] + description(3)) is not None


def test_padding_is_the_last_packet_s_and_by_fours_beside_others() -> None:
    """As GStreamer asks, which tells nobody what it throws away."""
    alone, whole = arrivals([0x2000 | 5], 5, bytes(5)), packet(APPLICATION, 0, bytes(8), 4)
    assert alone[0] & PADDED and alone[-1] == 1
    assert senders_of(alone) is not None
    assert senders_of(report + whole) is not None
    assert senders_of(report + alone) is None
    for padded in (alone, whole):
        assert senders_of(padded + report) is None
        assert senders_of(report + padded + report) is None


@pytest.mark.parametrize("name", ILL)
def test_what_does_not_fit_is_not_taken_nor_what_it_came_with(name: str) -> None:
    assert senders_of(ILL[name]) is None
    if ILL[name]:
        assert senders_of(report + ILL[name]) is None


@pytest.mark.parametrize("name", WELL)
def test_the_head_of_what_browsers_send_is_taken_sealed(name: str) -> None:
    assert head_fits(WELL[name] + bytes(SEAL))
    assert head_fits(WELL[name] + report + bytes(SEAL + 6))


@pytest.mark.parametrize(
    "name", ["nothing", "half a head", "another version", "a type that nobody has", "nobody goes"]
)
def test_a_head_that_is_none_is_not_taken(name: str) -> None:
    assert not head_fits(ILL[name] + bytes(SEAL))


@given(st.binary(max_size=60))
def test_a_head_that_fits_is_no_longer_than_what_came(noise: bytes) -> None:
    if head_fits(noise):
        assert 4 * (int.from_bytes(noise[2:4]) + 1) + SEAL <= len(noise)


def test_everybody_who_speaks_is_named() -> None:
    datagram = (
        report + description(1, 7, 9) + packet(GOODBYE, 2, struct.pack("!II", 4, 5)) + WELL["no picture"]
    )
    assert senders_of(datagram) == {1, 7, 9, 4, 5, 0}


@given(st.binary(max_size=200))
def test_noise_breaks_nothing(noise: bytes) -> None:
    senders_of(noise)
    for kind in range(192, 224):
        for first in (0x80, 0x9F, 0xA1):
            words = struct.pack("!H", len(noise) // 4)
            found = senders_of(bytes([first, kind]) + words + noise)
            assert found is None or len(found) <= 31


@given(st.sampled_from(sorted(WELL)), st.integers(0, 400), st.integers(0, 255), st.integers(0, 60))
def test_no_byte_that_is_another_and_no_cut_breaks_anything(name: str, at: int, byte: int, cut: int) -> None:
    datagram = bytearray(report + WELL[name])
    datagram[at % len(datagram)] = byte
    senders_of(bytes(datagram))
    assert senders_of(bytes(datagram)[: len(datagram) - 1 - 4 * (cut // 4)]) is None


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 0x1FFF)), min_size=1, max_size=30))
def test_arrivals_fit_when_each_has_its_time_and_only_then(runs: list[tuple[int, int]]) -> None:
    count, times = sum(often for _, often in runs), sum(kind * often for kind, often in runs)
    whole = arrivals([kind << 13 | often for kind, often in runs], min(count, 0xFFFF), bytes(times))
    fits = count <= 0xFFFF and len(whole) <= MOST_BYTES
    assert (senders_of(whole) is not None) is fits
    if fits and times:
        short = arrivals([kind << 13 | often for kind, often in runs], count, bytes(times - 1))
        assert senders_of(short) is None
