"""What feedback says of one viewer's link: queue, loss, what arrives, round trip. Pure.

The delay of a packet above the least of the last ten seconds is the time it stood in queues, as in NADA
(RFC 8698) and SCReAM (RFC 8298): clocks of both sides need not agree, only run. Times are seconds; sent and
arrived may be of different clocks. Feedback is a viewer's word: what cannot be is left out and counted.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

BASE_S = 10.0
"""Seconds after which the least delay is taken anew, in two halves: clocks drift, and routes change. After so many
without a word at once: the desktop stood still, for hours perhaps, and nothing of ours stands in a queue."""
WINDOW_S = 1.0
"""Seconds of packets that loss and bitrate are taken from."""
ARRIVED_S = 0.5
"""Seconds of arrivals that say what a full link carries."""
LEAST_S = 0.5
"""Seconds of feedback that the least delay is taken from when the way is longer than it was."""
STEADY_S, STEADY_WINDOWS = 0.005, 4
"""Seconds by which the least delays of so many of these in turn differ at most where the way itself is that long: a
queue that stands goes up and down with the sizes of frames."""
STANDING_S = 0.09
"""Seconds of feedback in which a queue that is there at all times is one that stands..."""
STANDING_PACKETS = 6
"""...and no fewer packets, up to LEAST_S: of a few, all may be late by the way's jitter alone."""
LOSS_PACKETS = 10
"""Packets that a loss ratio takes at least; fewer say nothing."""
LOSS_HIGH = 0.15
"""Share of packets lost that is congestion without a queue; radio links lose up to ten percent by themselves."""
SILENCE_S = 1.0
"""Seconds, beyond the round trip, without a word on what was sent, after which one is missing."""
TRAIN_PACKETS = 6
"""Packets sent close together that measure a link."""
TRAIN_GAP_S = 0.02
"""Seconds between two packets of one train at most."""
SINCE_S = 0.15
"""Seconds of packets that tell of a bitrate at least."""
PAIRS_S, PAIR_GAP_S, PAIRS = 0.6, 0.002, 4
"""Of frames in these seconds, so many at least, packets that left with no more between two of them tell of a link."""
MOST_PACKETS = 4096
"""Packets of one feedback, and of the window; the rest is ignored."""
MOST_BYTES = 65_535
MOST_QUEUE_S = 10.0
"""A packet later than this tells of a clock that jumped."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet that feedback speaks of: sent by our clock, arrived by the viewer's, None when lost."""

    sent: float
    arrived: float | None
    size: int


class LinkEstimate:
    """Takes feedback in; every figure is of the newest."""

    def __init__(self) -> None:
        self._window: deque[Packet] = deque(maxlen=MOST_PACKETS)
        self._base = self._base_next = math.inf
        self._base_at = -math.inf
        self._leasts: deque[tuple[float, float, int]] = deque(maxlen=MOST_PACKETS)
        self._steady: deque[float] = deque(maxlen=STEADY_WINDOWS)
        self._steady_at, self._steady_least = math.inf, math.inf
        self._trips: deque[tuple[float, float]] = deque(maxlen=MOST_PACKETS)
        self.queue_s = 0.0
        """Seconds that even the luckiest of the newest packets stood in queues: what stands, and not what a frame
        made for a moment (as CoDel's, RFC 8289)."""
        self.rtt_s = 0.0
        """Seconds from sending to feedback, the least of a second: the viewer's wait to tell is hardly in it."""
        self.train_kbps = 0.0
        """What the newest train arrived at, 0 when this feedback had none."""
        self.train_sent_kbps = 0.0
        """What that train was sent at."""
        self.garbage = 0
        """Packets that cannot be."""
        self.silence_s = SILENCE_S
        self.unsure = False
        """It cannot be told whether there is room: it always can."""

    def take(self, now: float, packets: Sequence[Packet]) -> bool:
        """Take in one feedback; False when there was nothing of use in it."""
        good = [each for each in packets[:MOST_PACKETS] if _possible(each, now)]
        self.garbage += len(packets) - len(good)
        self.train_kbps = self.train_sent_kbps = 0.0
        if not good:
            return False
        self._window.extend(good)
        self._measure(now, good)
        newest = max(each.sent for each in self._window)
        while self._window and self._window[0].sent < newest - WINDOW_S:
            self._window.popleft()
        return True

    def lengthen(self) -> None:
        """The way became longer: what packets were late by lately was no queue."""
        if self._leasts:
            self._base = self._base_next = min(least for _, least, _ in self._leasts)
            self.queue_s = 0.0

    @property
    def steady(self) -> bool:
        """Whether the least delay was the same all along: then it is the way's."""
        full = len(self._steady) == STEADY_WINDOWS
        return full and max(self._steady) - min(self._steady) < STEADY_S

    @property
    def loss(self) -> float:
        """Share of the last second's packets that did not arrive; 0 while there were too few."""
        if len(self._window) < LOSS_PACKETS:
            return 0.0
        return sum(each.arrived is None for each in self._window) / len(self._window)

    @property
    def sure_loss(self) -> float:
        """The same less its standard deviation: of thirty packets one in ten and one in six look alike."""
        loss = self.loss
        return max(loss - math.sqrt(loss * (1 - loss) / max(len(self._window), 1)), 0.0)

    @property
    def too_lossy(self) -> bool:
        """More is lost than a radio loses."""
        return self.sure_loss > LOSS_HIGH and self._lost_in_both_halves

    @property
    def _lost_in_both_halves(self) -> bool:
        """Half as much in each: a radio that loses all for a moment is no full link."""
        middle = self._window[-1].sent - WINDOW_S / 2
        halves: tuple[list[bool], list[bool]] = ([], [])
        for each in self._window:
            halves[each.sent > middle].append(each.arrived is None)
        return all(sum(half) > LOSS_HIGH / 2 * len(half) for half in halves)

    @property
    def sent_kbps(self) -> float:
        """What was sent in the last second that feedback knows."""
        return sum(each.size for each in self._window) * 8 / 1000 / WINDOW_S

    def sent_since(self, since: float) -> float:
        """The same since a move at that time, where that is shorter ago and long enough."""
        newest = self._window[-1].sent if self._window else since
        span = min(newest - since, WINDOW_S)
        if span < SINCE_S:
            return self.sent_kbps
        return sum(each.size for each in self._window if each.sent > newest - span) * 8 / 1000 / span

    @property
    def pair_kbps(self) -> float:
        """What packets of one frame that left at once came through at, over some frames; 0 when there were too few.

        Of jitter a sum has little left; a receiver that takes packets in together makes it more than the link carries.
        """
        bits = gaps = 0.0
        frames, first, last = 0, True, None
        for each in self._window:
            pair = last is not None and _left_at_once(last, each)
            if last is not None and pair and each.sent > self._window[-1].sent - PAIRS_S:
                bits += each.size * 8 / 1000
                gaps += (each.arrived or 0.0) - (last.arrived or 0.0)
                frames += first
            first, last = not pair, each
        return bits / max(gaps, 0.001) if frames >= PAIRS else 0.0

    @property
    def arrived_kbps(self) -> float:
        """What came out of the link in the newest half second of arrivals."""
        arrived = [(each.arrived, each.size) for each in self._window if each.arrived is not None]
        if len(arrived) < 2:
            return 0.0
        newest = max(at for at, _ in arrived)
        recent = [(at, size) for at, size in arrived if at > newest - ARRIVED_S]
        span = max(newest - min(at for at, _ in recent), ARRIVED_S / 2)
        return sum(size for _, size in recent) * 8 / 1000 / span

    def _measure(self, now: float, packets: Sequence[Packet]) -> None:
        arrived = [each for each in packets if each.arrived is not None]
        if not arrived:
            return
        delays = [each.arrived - each.sent for each in arrived if each.arrived is not None]
        self._settle_base(now, min(delays), len(delays))
        queue = self._standing(now) - self._base
        if queue > MOST_QUEUE_S:
            self._base = self._base_next = min(delays)
            queue = 0.0
        self.queue_s = max(queue, 0.0)
        self._trips.append((now, max(now - max(each.sent for each in arrived), 0.0)))
        while self._trips[0][0] < now - WINDOW_S:
            self._trips.popleft()
        self.rtt_s = min(trip for _, trip in self._trips)
        self._train(arrived)

    def _standing(self, now: float) -> float:
        """The least delay of the newest packets: of STANDING_S, and enough of them."""
        found, packets = math.inf, 0
        for at, least, count in reversed(self._leasts):
            if at <= now - STANDING_S and packets >= STANDING_PACKETS:
                break
            found, packets = min(found, least), packets + count
        return found

    def _settle_base(self, now: float, least: float, count: int) -> None:
        if self._leasts and now >= self._leasts[-1][0] + BASE_S:
            self._base = self._base_next = math.inf
            self._steady.clear()
        if now >= self._base_at + BASE_S / 2:
            self._base, self._base_next, self._base_at = self._base_next, math.inf, now
        self._leasts.append((now, least, count))
        while self._leasts[0][0] < now - LEAST_S:
            self._leasts.popleft()
        self._base_next = min(self._base_next, least)
        self._base = min(self._base, self._base_next)
        if now >= self._steady_at + LEAST_S:
            self._steady.append(self._steady_least)
        if now >= self._steady_at + LEAST_S or math.isinf(self._steady_at):
            self._steady_at, self._steady_least = now, math.inf
        self._steady_least = min(self._steady_least, least)

    def _train(self, arrived: Sequence[Packet]) -> None:
        """The longest run of packets sent close together."""
        runs: list[list[Packet]] = [[]]
        for each in sorted(arrived, key=lambda packet: packet.sent):
            if runs[-1] and each.sent - runs[-1][-1].sent > TRAIN_GAP_S:
                runs.append([])
            runs[-1].append(each)
        train = max(runs, key=len)
        if len(train) < TRAIN_PACKETS:
            return
        arrivals = [each.arrived for each in train if each.arrived is not None]
        bits = sum(each.size for each in train[1:]) * 8 / 1000
        self.train_sent_kbps = bits / max(train[-1].sent - train[0].sent, 0.001)
        self.train_kbps = bits / max(max(arrivals) - min(arrivals), 0.001)


def _left_at_once(one: Packet, other: Packet) -> bool:
    arrived = one.arrived is not None and other.arrived is not None
    return arrived and 0 <= other.sent - one.sent < PAIR_GAP_S


def _possible(packet: Packet, now: float) -> bool:
    times = [packet.sent] if packet.arrived is None else [packet.sent, packet.arrived]
    return (
        all(math.isfinite(each) and abs(each) < 1e10 for each in times)
        and now - 60 < packet.sent <= now
        and 0 < packet.size <= MOST_BYTES
    )
