"""A link that drops while it is full, in arithmetic, and how long its viewer's picture stands.

Packets that the queue has no room for are lost, asked for, and sent again as far as there is room; then the key frame.
"""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from transom_guest.stream.pacing import Grab, Pacer
from transom_guest.stream.packet_bucket import PacketBucket
from transom_guest.stream.rate import START_KBPS
from transom_guest.stream.rate_decision import Decision
from transom_guest.stream.rate_estimate import Packet
from transom_guest.stream.rate_links import TICK_S, Links
from transom_guest.stream.rate_repair import NUMBERS, Repairs
from transom_wire.link import PeerTerms

MTU, CAP_KBPS, KEY_BYTES = 1200, 4500, 5000
QUEUE_S, FEEDBACK_S, STEP_S = 0.3, 0.05, 0.001
DROP_AT, END_AT = 5.0, 7.5
LEAST_ASK_S = 0.02
"""Seconds between two times that a viewer asks for the same packet, or the round trip."""


@dataclass(eq=False)
class Sender:
    """A peer and its video, without GStreamer; the encoder takes no time, and the picture changes at all times."""

    name: str = "driver"
    epoch: int = 1
    terms: PeerTerms = field(default_factory=lambda: PeerTerms(kbps=CAP_KBPS))
    bucket: PacketBucket = field(default_factory=lambda: PacketBucket(0.0, START_KBPS))
    repairs: Repairs = field(default_factory=Repairs)
    now: float = 0.0

    @property
    def video(self) -> Sender:
        return self

    def carry(self, decision: Decision, rtt_s: float) -> None:
        self.bucket.carry(self.now, decision.kbps, decision.burst_kbps)
        self.repairs.kbps, self.repairs.rtt_s = decision.kbps, rtt_s

    def behind_s(self) -> float:
        return self.bucket.empty_in(self.now)

    def say(self, text: str) -> bool:
        return True

    def misdeeds(self) -> tuple[int, ...]:
        return (0, 0, 0, 0)


class Viewer:
    """Shows each frame of which all packets came, if it showed the one before it, or the frame is a key frame."""

    def __init__(self) -> None:
        self.came: set[int] = set()
        self.asked: dict[int, float] = {}
        self.shown: list[float] = []
        self._newest = self._next = -1
        self.frames: list[tuple[int, int, bool]] = []
        """First number, the one after the last, and whether it is a key frame."""

    def take(self, now: float, number: int) -> None:
        self.came.add(number)
        self.asked.pop(number, None)
        for missing in range(self._newest + 1, number):
            self.asked[missing] = now
        self._newest = max(self._newest, number)
        self._show(now)

    def _whole(self, index: int) -> bool:
        return index < len(self.frames) and self.came.issuperset(range(*self.frames[index][:2]))

    def _show(self, now: float) -> None:
        keys = [at for at in range(max(self._next, 0), len(self.frames)) if self.frames[at][2]]
        while True:
            found = next((at for at in reversed(keys) if at > self._next and self._whole(at)), self._next)
            if found < 0 or not self._whole(found):
                return
            self._next = found + 1
            self.asked = {number: at for number, at in self.asked.items() if number >= self.frames[found][1]}
            self.shown.append(now)

    def asks(self, now: float, rtt: float) -> list[int]:
        due = [number for number, at in self.asked.items() if at <= now]
        self.asked.update(dict.fromkeys(due, now + max(rtt, LEAST_ASK_S)))
        return due


def shown(
    after_kbps: int, rtt: float, seed: int, before_kbps: int = CAP_KBPS, loss: float = 0.0
) -> list[float]:
    """When pictures were shown by a viewer whose link drops from `before_kbps` to `after_kbps` at DROP_AT."""
    dice, sender, viewer, pacer = random.Random(seed), Sender(), Viewer(), Pacer()
    decisions: list[Decision] = []
    links = Links(decisions.append, lambda _: None, lambda after_s: pacer.key_wanted(sender.now + after_s))
    links.join(0.0, sender, told=True)
    flight: list[tuple[float, int]] = []
    asked: list[tuple[float, int]] = []
    told: list[tuple[float, Packet]] = []
    waiting: list[int] = []
    free_at = next_told = next_tick = 0.0
    sizes: list[int] = []

    def send(now: float, number: int) -> None:
        nonlocal free_at
        stands = max(free_at - now, 0.0)
        kbps = after_kbps if now >= DROP_AT else before_kbps
        if stands > QUEUE_S or dice.random() < loss:
            told.append((now + stands + rtt / 2, Packet(now, None, sizes[number])))
            return
        free_at = max(free_at, now) + sizes[number] * 8 / 1000 / kbps
        told.append((free_at + rtt / 2, Packet(now, free_at + rtt / 2, sizes[number])))
        heapq.heappush(flight, (free_at + rtt / 2, number))

    for step in range(round(END_AT / STEP_S)):
        now = sender.now = step * STEP_S
        grab = pacer.decide(now)
        if isinstance(grab, Grab):
            decision = decisions[-1]
            size = max(
                int(decision.kbps * 125 / decision.fps * dice.uniform(0.7, 1.3)), KEY_BYTES * grab.key, 100
            )
            packets = [bytes(MTU)] * (size // MTU) + [bytes(max(size % MTU, 60))]
            first = len(sizes)
            viewer.frames.append((first, first + len(packets), grab.key))
            sizes += map(len, packets)
            waiting += range(first, len(sizes))
            if grab.key:
                sender.repairs.renewed(first % NUMBERS)
            leaving = len(sender.bucket.put(now, packets))
            links.sent(now, size)
            pacer.grabbed(now, key=grab.key)
            pacer.frame_out(now + links.next_frame_in())
            pacer.damaged()
        else:
            leaving = len(sender.bucket.take(now))
        for number in waiting[:leaving]:
            send(now, number)
        del waiting[:leaving]
        while flight and flight[0][0] <= now:
            viewer.take(now, heapq.heappop(flight)[1])
        asked += [(now + rtt / 2, number) for number in viewer.asks(now, rtt)]
        while asked and asked[0][0] <= now:
            number = asked.pop(0)[1]
            if sender.repairs.take(now, number % NUMBERS):
                sender.bucket.spent(now, MTU)
                send(now, number)
        if now >= next_told:
            next_told = now + FEEDBACK_S
            due = [packet for at, packet in told if at + rtt / 2 <= now]
            told[:] = [each for each in told if each[0] + rtt / 2 > now]
            if due:
                links.feedback(now, sender, due)
                if sender.repairs.hopeless(now) and links.may_have_key(now, sender):
                    pacer.key_wanted(now + links.room_in(sender))
        if now >= next_tick:
            next_tick = now + TICK_S
            links.tick(now)
        pacer.set_fps(decisions[-1].fps)
    return viewer.shown


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(("kbps", "rtt"), [(300, 0.04), (500, 0.04), (500, 0.2), (1000, 0.08)])
def test_a_picture_is_back_within_a_second_of_a_drop(kbps: int, rtt: float, seed: int) -> None:
    times = [at for at in shown(kbps, rtt, seed) if at > DROP_AT - 1]
    assert max(b - a for a, b in pairwise([*times, END_AT])) < 1.0
