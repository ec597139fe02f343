"""Whether a packet of RTCP is one (RFC 3550, 6; RFC 4585, 6; RFC 5104; RFC 3611; transport-wide feedback). Pure.

What it reads comes from a viewer: hostile. Each packet's lengths and counts must fit one another; what is in them is
the business of whom it is for. Reduced-size packets (RFC 5506) are taken, so none must come first. Padding is the last
packet's alone, and by fours; of transport-wide feedback that comes alone it is as browsers have it, by one to three.
GStreamer asks the same, and throws all away without a word where it is not so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

MOST_BYTES = 1500
"""Of one datagram; the door carries no longer ones."""
MOST_PACKETS = 32
"""Of one datagram: a browser sends five."""
HEADER, SSRC, BLOCK = 4, 4, 24
"""Bytes of a packet's header, of a source's name, of a report on one source."""
PADDED = 0x20
"""In a packet's first byte."""
SEAL = 14
"""Bytes after sealed packets, at least: their number, and a tag of ten."""
DESCRIPTIONS, GOODBYE = 202, 203
LEAST_WORDS = {200: 6, 201: 1, 202: 1, 203: 1, 204: 2, 205: 2, 206: 2, 207: 1}
"""By type: what the shortest has after its header, in words of four bytes."""
DELTAS = (0, 1, 2, 0)
"""Bytes that an arrival takes by its symbol: none, near, far, and one that is reserved."""


def senders_of(datagram: bytes) -> set[int] | None:
    """Who speaks in it, and is spoken of as one who does (SSRCs); None where not all of it is RTCP."""
    if not HEADER <= len(datagram) <= MOST_BYTES:
        return None
    found: set[int] = set()
    at = 0
    for _ in range(MOST_PACKETS):
        end = at + HEADER + 4 * int.from_bytes(datagram[at + 2 : at + HEADER])
        if len(datagram) - at < HEADER or end > len(datagram) or not _fits(datagram[at:end]):
            return None
        if datagram[at] & PADDED and not _padding_fits(datagram, at, end):
            return None
        found |= _named(datagram[at:end])
        if end == len(datagram):
            return found
        at = end
    return None


def head_fits(sealed: bytes) -> bool:
    """Whether the head of a packet of SRTCP, which is in the clear (RFC 3711, 3.4), may be one's: what decrypts it
    takes the sender's name from there and asks no more."""
    if len(sealed) < HEADER + SSRC + SEAL or sealed[0] >> 6 != 2:
        return False
    words, least = int.from_bytes(sealed[2:HEADER]), LEAST_WORDS.get(sealed[1])
    spoken = sealed[1] not in (DESCRIPTIONS, GOODBYE) or sealed[0] & 31
    return bool(spoken) and least is not None and least <= words <= (len(sealed) - SEAL) // 4 - 1


def _padding_fits(datagram: bytes, at: int, end: int) -> bool:
    """Whether the padded packet from `at` to `end` may be where it is (RFC 3550, 6.4.1)."""
    return end == len(datagram) and (at == 0 or datagram[-1] % 4 == 0)


def _fits(packet: bytes) -> bool:
    """Whether one packet, of the length it says, is what its type wants."""
    padded = packet[-1] if packet[0] & PADDED else 0
    judge = _KINDS.get(packet[1])
    if judge is None or packet[0] >> 6 != 2 or padded > len(packet) - HEADER:
        return False
    return (not packet[0] & PADDED or padded > 0) and judge(
        packet[0] & 31, packet[HEADER : len(packet) - padded]
    )


def _named(packet: bytes) -> set[int]:
    """The senders of a packet that fits."""
    body, kind = packet[HEADER:], packet[1]
    if kind == GOODBYE:
        return {int.from_bytes(body[at : at + SSRC]) for at in range(0, SSRC * (packet[0] & 31), SSRC)}
    if kind != DESCRIPTIONS:
        return {int.from_bytes(body[:SSRC])}
    found, at = set(), 0
    for _ in range(packet[0] & 31):
        found.add(int.from_bytes(body[at : at + SSRC]))
        at = _after_chunk(body, at)
    return found


def _sender(count: int, body: bytes) -> bool:
    return len(body) >= SSRC + 20 + BLOCK * count


def _receiver(count: int, body: bytes) -> bool:
    return len(body) >= SSRC + BLOCK * count


def _descriptions(count: int, body: bytes) -> bool:
    at = 0
    for _ in range(count):
        at = _after_chunk(body, at)
        if at > len(body):
            return False
    return at == len(body)


def _after_chunk(body: bytes, at: int) -> int:
    """Where the description that begins at `at` ends: a name, items, a zero and more up to four bytes."""
    at += SSRC
    while at < len(body) and body[at]:
        at += 2 + (body[at + 1] if at + 1 < len(body) else 0)
    return (at // 4 + 1) * 4


def _goodbye(count: int, body: bytes) -> bool:
    reason = body[SSRC * count :]
    return 0 < SSRC * count <= len(body) and (not reason or 1 + reason[0] <= len(reason))


def _of_application(_count: int, body: bytes) -> bool:
    return len(body) >= SSRC + 4


def _extended(_count: int, body: bytes) -> bool:
    """A name, then blocks, each of the length it says."""
    at = SSRC
    while at + 4 <= len(body):
        at += 4 + 4 * int.from_bytes(body[at + 2 : at + 4])
    return at == len(body)


def _transport_feedback(format: int, body: bytes) -> bool:
    content = body[2 * SSRC :]
    if len(body) < 2 * SSRC:
        return False
    match format:
        case 1:
            return _entries(content, 4)
        case 3 | 4:
            return _entries(content, 8)
        case 15:
            return _arrivals(content)
    return True


def _picture_feedback(format: int, body: bytes) -> bool:
    content = body[2 * SSRC :]
    if len(body) < 2 * SSRC:
        return False
    match format:
        case 1:
            return not content
        case 2:
            return _entries(content, 4)
        case 4:
            return _entries(content, 8)
        case 15 if content[:4] == b"REMB":
            return len(content) >= 8 and len(content) == 8 + SSRC * content[4]
    return bool(content)


def _entries(content: bytes, size: int) -> bool:
    return len(content) >= size and len(content) % size == 0


def _arrivals(content: bytes) -> bool:
    """Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01, 3.1): as many packets as it says,
    in runs and vectors, then as many times of arrival as those want."""
    left, at, times = int.from_bytes(content[2:4]), 8, 0
    if len(content) < at or not left:
        return False
    while left > 0:
        if at + 2 > len(content):
            return False
        symbols = _symbols(int.from_bytes(content[at : at + 2]), left)
        times += sum(DELTAS[symbol] * often for symbol, often in symbols)
        left -= sum(often for _, often in symbols)
        at += 2
    return 0 <= len(content) - at - times < 4


def _symbols(chunk: int, left: int) -> Sequence[tuple[int, int]]:
    """Of one chunk, each and how often: only as many as are `left`."""
    if not chunk & 0x8000:
        return [((chunk >> 13) & 3, min((chunk & 0x1FFF) or 2**16, left))]
    if not chunk & 0x4000:
        return [((chunk >> (13 - bit)) & 1, 1) for bit in range(min(14, left))]
    return [((chunk >> (12 - 2 * pair)) & 3, 1) for pair in range(min(7, left))]


_KINDS: dict[int, Callable[[int, bytes], bool]] = {
    200: _sender,
    201: _receiver,
    DESCRIPTIONS: _descriptions,
    GOODBYE: _goodbye,
    204: _of_application,
    205: _transport_feedback,
    206: _picture_feedback,
    207: _extended,
}
