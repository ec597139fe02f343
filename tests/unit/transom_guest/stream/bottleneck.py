"""A bottleneck in arithmetic: a sender under rate control, a drop-tail queue, a way, a viewer's feedback."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from transom_guest.stream.packet_bucket import PacketBucket
from transom_guest.stream.rate import START_KBPS, RateControl
from transom_guest.stream.rate_estimate import Packet
from transom_guest.stream.rate_reports import Report

MTU = 1200
FEEDBACK_S = 0.1
OWN_REPORT_S = 0.5
REPORTS_S = 0.5, 1.5
"""Seconds between two receiver reports: aiortc's, which are as old browsers'."""
CAP = 4000
FIRST_FRAME = 30_000


@dataclass
class Run:
    """What came of it: (time, ms in the queue) of packets, what arrived each second, targets over time."""

    queues: list[tuple[float, float]] = field(default_factory=list)
    arrived: dict[int, int] = field(default_factory=dict)
    targets: list[tuple[float, int]] = field(default_factory=list)
    frames: list[float] = field(default_factory=list)

    def kbps(self, since: float, until: float) -> float:
        return (
            sum(size for at, size in self.arrived.items() if since <= at < until) * 8 / 1000 / (until - since)
        )

    def worst_queue_ms(self, since: float, until: float) -> float:
        return max((queue for at, queue in self.queues if since <= at < until), default=0.0)

    def longest_freeze(self, since: float = 0.0) -> float:
        times = [at for at in self.frames if at >= since]
        return max((b - a for a, b in pairwise(times)), default=99.0)


class Reporter:
    """Our reports on their way to a viewer, and its receiver reports on theirs back."""

    def __init__(self, dice: random.Random) -> None:
        self._dice, self._next_own, self._next = dice, 0.0, REPORTS_S[0]
        self._own: list[tuple[float, float]] = []
        self._heard: tuple[float, float] | None = None
        self._packets = self._lost = 0
        self._back: list[tuple[float, Report]] = []

    def step(self, now: float, way: float) -> None:
        """One of ours leaves now and then, and takes `way` seconds."""
        if now >= self._next_own:
            self._next_own = now + self._dice.uniform(0.5, 1.5) * OWN_REPORT_S
            self._own.append((now, now + way))
        while self._own and self._own[0][1] <= now:
            self._heard = self._own.pop(0)

    def count(self, now: float, told: list[tuple[float, Packet]]) -> list[tuple[float, Packet]]:
        """Count what has arrived; the rest is returned."""
        due = [packet for at, packet in told if at <= now]
        self._packets += len(due)
        self._lost += sum(packet.arrived is None for packet in due)
        return [each for each in told if each[0] > now] if due else told

    def come(self, now: float, way: float) -> list[Report]:
        """The reports that come back now."""
        if now >= self._next and self._packets:
            self._next = now + self._dice.uniform(*REPORTS_S)
            rtt, waited = None, 0.0
            if self._heard is not None:
                rtt, waited = self._heard[1] - self._heard[0] + way, now - self._heard[1]
            self._back.append((now + way, Report(self._lost / self._packets, 0.01, rtt, waited)))
            self._packets = self._lost = 0
        come = [report for at, report in self._back if at <= now]
        self._back = self._back[len(come) :]
        return come


def run(
    rate: Callable[[float], float],
    *,
    rtt: float | Callable[[float], float] = 0.08,
    loss: Callable[[float], float] = lambda _: 0.0,
    wanted_kbps: Callable[[float], float] = lambda _: 99_999.0,
    fills: float = 1.0,
    longer: Callable[[float], float] = lambda _: 0.0,
    jitter_s: float | Callable[[float], float] = 0.0,
    stalls: Callable[[float], float] = lambda at: at,
    seconds: float = 30.0,
    queue_s: float = 0.4,
    seed: int = 1,
    reports: bool = False,
) -> Run:
    """Time steps of a millisecond; `rate` is the link's kbit/s at a time, and `rtt` and `jitter_s` may be of one too.

    `fills` is the share of what it may send that the encoder sends; `longer` are seconds that the way to the viewer
    is longer at a time; each packet is up to `jitter_s` later, and what would arrive at a time does at `stalls` of it.
    With `reports` the viewer tells of no single packet, and sends receiver reports.
    """
    dice, control, seen = random.Random(seed), RateControl(0.0, CAP, told=not reports), Run()
    trip, jitter = _always(rtt), _always(jitter_s)
    reporter = Reporter(random.Random(seed))
    free_at = next_frame = last_at = 0.0
    bucket, first = PacketBucket(0.0, START_KBPS), FIRST_FRAME
    told: list[tuple[float, Packet]] = []
    feedbacks: list[tuple[float, list[Packet]]] = []
    now, next_told = 0.0, FEEDBACK_S
    while now < seconds:
        decision, half = control.decision, trip(now) / 2
        if control.heard:
            bucket.carry(now, decision.kbps, decision.burst_kbps)
        leaving: list[bytes] = []
        if now >= next_frame and not bucket.queued:
            kbps = min(decision.kbps * fills, wanted_kbps(now))
            size = first or int(max(kbps * 125 / decision.fps * dice.uniform(0.7, 1.3), 100))
            first = 0
            leaving = bucket.put(now, [bytes(MTU)] * (size // MTU) + [bytes(max(size % MTU, 60))])
            next_frame = max(next_frame + 1 / decision.fps, now)
            control.sent(now, size)
        for size in map(len, leaving or bucket.take(now)):
            stands = max(free_at - now, 0.0)
            if stands > queue_s or dice.random() < loss(now):
                told.append((now + stands + half + longer(now), Packet(now, None, size)))
                continue
            free_at = max(free_at, now) + size * 8 / 1000 / rate(now)
            last_at = max(last_at, stalls(free_at + half + longer(now) + dice.random() * jitter(now)))
            at = last_at
            told.append((at, Packet(now, at + 1000.0, size)))
            seen.queues.append((now, stands * 1000))
            seen.arrived[int(at)] = seen.arrived.get(int(at), 0) + size
            if not bucket.queued:
                seen.frames.append(at)
        if reports:
            reporter.step(now, max(free_at - now, 0.0) + half + longer(now))
            told = reporter.count(now, told)
            for report in reporter.come(now, half):
                control.reported(now, report)
        elif now >= next_told:
            next_told = now + FEEDBACK_S
            due = [packet for at, packet in told if at <= now]
            told = [each for each in told if each[0] > now]
            if due:
                feedbacks.append((now + half, due))
        while feedbacks and feedbacks[0][0] <= now:
            control.feedback(now, feedbacks.pop(0)[1])
        control.tick(now)
        seen.targets.append((now, control.decision.kbps))
        now += 0.001
    return seen


def _always(found: float | Callable[[float], float]) -> Callable[[float], float]:
    return found if callable(found) else lambda _: found
