"""What receiver reports say of the link of a viewer that tells of no single packet (RFC 3550, 6.4.1). Pure.

A report is a second's: the share that was lost, the jitter, and the round trip of our own report before it. What the
round trip is longer by than the least of lately, less the jitter, stood in queues. A viewer's word, as all of RTCP is.
"""

from __future__ import annotations

import math
import struct
from collections import deque
from dataclasses import dataclass

from transom_guest.stream import rate_estimate

SENDER, RECEIVER = 200, 201
"""Types of RTCP packets that carry report blocks."""
BLOCK = struct.Struct("!IB3xIIII")
"""SSRC, fraction lost, highest number, jitter, our report's time, and the wait since: the newest, of 24 bytes."""
MOST_BYTES = 1500
NTP_EPOCH_S = 2_208_988_800
"""Seconds from 1900, where NTP's time begins, to 1970."""
CLOCK = 90_000
"""Of video's timestamps, in which jitter is told."""
MOST_RTT_S, MOST_JITTER_S = 10.0, 0.1
"""A round trip beyond this is none; more jitter than this excuses no queue."""
BASE_S = 20.0
"""Seconds after which the least round trip is taken anew, in two halves."""
LEAST_GAP_S = 0.2
"""Seconds between two reports: nobody needs to say more."""
KEPT_FRAMES = 2048
PACKET_BYTES = 1200
LOSS_HIGH = 0.1
"""Share lost that is congestion where no round trip tells of a queue..."""
LOSS_LOW = 0.02
"""...and the most with which more is tried then: as Google's congestion control has it (draft-ietf-rmcat-gcc-02, 6)."""
STANDS_S = 0.025
"""Seconds in queues from which on the link is full."""
SILENCE_S, MOST_SILENCE_S = 3.0, 15.0
"""Seconds without a report after which one is missing: three times what passed between the last, within these."""


@dataclass(frozen=True, slots=True)
class Report:
    """One report on our video."""

    lost: float
    """Share of the packets since the report before."""
    jitter_s: float
    rtt_s: float | None
    """Seconds there and back, without the viewer's wait; None where it has heard no report of ours."""
    waited_s: float = 0.0
    """The viewer's wait: so much older is what the round trip tells."""


def report_of(rtcp: bytes, ssrc: int, seconds: float) -> Report | None:
    """The last report on the stream `ssrc` in a packet of RTCP that came at `seconds` since 1970; None without one."""
    found, at = None, 0
    rtcp = rtcp[:MOST_BYTES]
    while at + 8 <= len(rtcp):
        first, kind, words = struct.unpack_from("!BBH", rtcp, at)
        end = at + 4 * (words + 1)
        if first >> 6 != 2 or end > len(rtcp):
            break
        if kind in (SENDER, RECEIVER):
            begin = at + (8 if kind == RECEIVER else 28)
            for start in range(
                begin, min(begin + BLOCK.size * (first & 31), end - BLOCK.size + 1), BLOCK.size
            ):
                block = BLOCK.unpack_from(rtcp, start)
                found = _report(block, seconds) if block[0] == ssrc else found
        at = end
    return found


def _report(block: tuple[int, ...], seconds: float) -> Report:
    _, lost, _, jitter, last, since = block
    waited = since / 65536
    # the middle 32 bits of NTP's time: seconds in 16.16, that begin anew each 18 hours
    trip = ((round((seconds + NTP_EPOCH_S) * 65536) - last - since) % 2**32) / 65536
    known = last != 0 and trip <= MOST_RTT_S and waited <= MOST_SILENCE_S
    return Report(
        lost / 256, min(jitter / CLOCK, MOST_JITTER_S), trip if known else None, waited if known else 0.0
    )


class ReportEstimate:
    """Takes reports in; every figure is of the newest. As LinkEstimate is, as far as they tell."""

    def __init__(self) -> None:
        self.queue_s = self.rtt_s = 0.0
        """Seconds in queues, and there and back."""
        self.train_kbps = self.train_sent_kbps = 0.0
        """Nothing is known of trains..."""
        self.pair_kbps = 0.0
        """...or of single packets."""
        self.steady = False
        """...nor whether the least delay stays the same."""
        self.garbage = 0
        self.loss = 0.0
        self.sure_loss = 0.0
        """`loss` less its standard deviation."""
        self.sent_kbps = 0.0
        """Between the last two reports."""
        self.arrived_kbps = 0.0
        """What came through while the link was full last, or more if more did since."""
        self.known_at = -math.inf
        """When the queue was as told: our report left then."""
        self.silence_s = SILENCE_S
        """Seconds in which the next report is due."""
        self._blind = True
        self._base = self._base_next = math.inf
        self._base_at = self._at = -math.inf
        self._trip = 0.0
        self._frames: deque[tuple[float, int]] = deque(maxlen=KEPT_FRAMES)
        self._gaps: deque[float] = deque(maxlen=4)

    def sent(self, now: float, size: int) -> None:
        """A frame of `size` bytes left."""
        self._frames.append((now, size))

    def take(self, now: float, report: Report) -> bool:
        """Take in one report; False when there was nothing of use in it."""
        if not (
            math.isfinite(report.lost) and 0 <= report.lost <= 1 and 0 <= report.jitter_s <= MOST_JITTER_S
        ):
            self.garbage += 1
            return False
        if now - self._at < LEAST_GAP_S:
            return False
        stood = self.queue_s
        self._time(now, report)
        gap = min(now - self._at, MOST_SILENCE_S)
        if math.isfinite(self._at):
            self._gaps.append(gap)
            self.silence_s = min(max(3 * max(self._gaps), SILENCE_S), MOST_SILENCE_S)
            self._count(now - self.rtt_s, gap, report.lost, self.queue_s - stood)
        self._at = now
        return True

    def sent_since(self, _since: float) -> float:
        """The same: a move is judged by a report of what was sent after it."""
        return self.sent_kbps

    def lengthen(self) -> None:
        """The way became longer: the round trip was so long for other reasons than a queue."""
        self._base = self._base_next = self._trip
        self.queue_s = 0.0

    @property
    def too_lossy(self) -> bool:
        """More is lost than a radio loses; where no round trip tells of queues, less is suspicious already."""
        return self.sure_loss > (LOSS_HIGH if self._blind else rate_estimate.LOSS_HIGH)

    @property
    def unsure(self) -> bool:
        """It cannot be told whether there is room."""
        return self._blind and self.loss > LOSS_LOW

    def _time(self, now: float, report: Report) -> None:
        trip = report.rtt_s
        if trip is None or not 0 <= trip <= MOST_RTT_S:
            self._blind = self._blind or now - self.known_at > BASE_S
            self.known_at = now if self._blind else self.known_at
            return
        self._blind, self._trip = False, trip
        if now >= self._base_at + BASE_S / 2:
            self._base, self._base_next, self._base_at = self._base_next, math.inf, now
        self._base_next = min(self._base_next, trip)
        self._base = min(self._base, self._base_next)
        self.rtt_s = trip
        self.known_at = now - trip - report.waited_s
        self.queue_s = max(trip - self._base - report.jitter_s, 0.0)

    def _count(self, until: float, gap: float, lost: float, grown: float) -> None:
        sizes = [size for at, size in self._frames if until - gap < at <= until]
        while self._frames and self._frames[0][0] <= until - gap:
            self._frames.popleft()
        self.loss = lost
        packets = max(sum(sizes) / PACKET_BYTES, len(sizes), 1)
        self.sure_loss = max(lost - math.sqrt(lost * (1 - lost) / packets), 0.0)
        self.sent_kbps = sum(sizes) * 8 / 1000 / gap
        # what came in filled the queue by so much: the rest went through
        arrived = self.sent_kbps * (1 - lost) / max(1 + grown / gap, 0.5)
        self.arrived_kbps = arrived if self.queue_s > STANDS_S else max(arrived, self.arrived_kbps)
