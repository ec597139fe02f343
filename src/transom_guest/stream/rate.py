"""How much one viewer's link is given: feedback and time in, decisions out. Pure; times are monotonic seconds.

A queue that grows, or loss beyond what a radio does, cuts to less than what arrived, and the queue is let
drain. A raise is a probe: a step up that is judged before the next; while the desktop has too little to show
to fill the link, only a train of packets that came through faster than the target may raise it. How far a step
goes is also said by the spacing in which a frame's packets arrive.
`docs/explanation/rate-control.md` tells why each number is what it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from transom_guest.stream.rate_burst import Burst
from transom_guest.stream.rate_ceiling import Ceiling
from transom_guest.stream.rate_decision import Decision, vbv_ms
from transom_guest.stream.rate_drain import DRAIN, DRAIN_FPS, DRAIN_FROM_S, UNMOVED, Before, Drain
from transom_guest.stream.rate_estimate import ARRIVED_S, LinkEstimate, Packet
from transom_guest.stream.rate_ladder import Ladder
from transom_guest.stream.rate_promise import Promise
from transom_guest.stream.rate_reports import Report, ReportEstimate

FLOOR_KBPS = 150
"""Under this motion is no picture any more, and noVNC serves better."""
START_KBPS = 1000
"""Before any feedback: a first key frame must not stand for seconds before a slow link."""
QUEUE_HIGH_S = 0.05
"""Seconds in queues at which the link is over-used."""
QUEUE_LOW_S = 0.025
"""Seconds in queues under which it is not..."""
PACKET_BITS = 1260 * 8
"""...or one packet of this size, and twice as much for over-use: on a slow link one packet alone is more."""
CUT = 0.85
"""Of what arrived, after over-use."""
STAND_S = 2.0
"""Seconds that little was sent, and packets came no sooner: the way is longer."""
JUDGE_S = 0.3
"""Seconds, beyond the round trip, until a step up is judged or a cut may be followed by another."""
LIMITED = 0.7
"""Of the target: when less was sent the desktop, not the link, limits."""
QUIET_RAISE = 1.08
"""One step up while the desktop limits, after QUIET_S without a queue or a move..."""
QUIET_S = 1.0
QUIET_LOSS = 0.1
"""...with no more loss than this..."""
PROVEN = 1.5
"""...and no further than this times what ever came through without a queue since the last over-use."""
TRAIN_SHARE = 0.85
"""Of what a train came through at, that may become the target."""
TRAIN_SPREAD = 0.8
"""Of what a train was sent at: it came through slower, so the link is full with it..."""
TRAIN_FOR_S = 1.0
"""...and this many seconds that says what the link carries."""
DEAF_S, UNREPORTED_S = 3.0, 6.0
"""Seconds in which a viewer that never gave any feedback should have, or a report: it will not, and the cap holds."""
BURST_STEP = 0.8
"""Smaller changes of what the link has proved to carry for a moment are not told."""


class RateControl:
    """One viewer's. Feed it `sent`, `feedback` or `reported`, and `tick`, then read `decision`."""

    def __init__(self, now: float, cap_kbps: int, *, told: bool = True) -> None:
        """`told`: the viewer gives feedback on each packet. Without it there are receiver reports at best."""
        self.link: LinkEstimate | ReportEstimate = LinkEstimate() if told else ReportEstimate()
        self.limited = True
        """The desktop had too little to show to fill the link, when last asked."""
        self._filled = False
        """What was sent since the last move filled the target."""
        self._cap = max(cap_kbps, FLOOR_KBPS)
        self._target = float(min(START_KBPS, self._cap))
        self._cause = "start"
        self._ladder = Ladder()
        self._ceiling, self._promise = Ceiling(), Promise()
        self._moved = now
        self._proven = 0.0
        self._low_at = now
        self._before = Before(self._target, self._ceiling, 0.0)
        self._cut, self._cut_at_s = False, 0.0
        self._train_kbps, self._train_at = 0.0, -math.inf
        self._probe_kbps, self._probe_at = 0.0, -math.inf
        self._heard: float | None = None
        self._waiting: float | None = None
        self._drain: Drain | None = None
        self._burst, self._burst_kbps = Burst(), 0.0
        self._decision = self._decide(now)

    @property
    def decision(self) -> Decision:
        """What holds now."""
        return self._decision

    @property
    def heard(self) -> bool:
        """The viewer gave feedback."""
        return self._heard is not None

    @property
    def target_kbps(self) -> int:
        """What the link is thought to carry."""
        return int(self._target)

    @property
    def congested(self) -> bool:
        """A queue stands."""
        return self._drain is not None or self.link.queue_s > self._high_s()

    @property
    def burst_kbps(self) -> int:
        """What the link has proved to carry for a moment without a queue; what it is held to, where nothing did."""
        return self._decision.burst_kbps

    def allow(self, cap_kbps: int) -> None:
        """Another cap."""
        self._cap = max(cap_kbps, FLOOR_KBPS)
        self._target = min(self._target, self._cap)

    def sent(self, now: float, size: int) -> None:
        """A frame of `size` bytes left: feedback on it is due."""
        if isinstance(self.link, ReportEstimate):
            self.link.sent(now, size)
        if self._waiting is None and (self._heard is None or now > self._heard):
            self._waiting = now

    def all_drawn(self) -> None:
        """The viewer has drawn all it was sent: of one who gives feedback what is due was lost, and no more comes."""
        if self._heard is not None:
            self._waiting = None

    def feedback(self, now: float, packets: Sequence[Packet]) -> Decision:
        """The viewer told which packets arrived, and when."""
        if isinstance(self.link, LinkEstimate) and self.link.take(now, packets):
            self._heard, self._waiting = now, None
            self._look()
            if self.link.train_kbps:
                self._burst.train(now, self.link.train_kbps, self.link.train_sent_kbps)
                self._probe_kbps = min(self.link.train_kbps, self.link.train_sent_kbps)
                self._probe_at = now
            if 0 < self.link.train_kbps < TRAIN_SPREAD * self.link.train_sent_kbps:
                self._train_kbps, self._train_at = self.link.train_kbps, now
            self._judge(now)
        self._decision = self._decide(now)
        return self._decision

    def reported(self, now: float, report: Report) -> Decision:
        """The viewer reported what it lost, and when it heard from us."""
        if isinstance(self.link, ReportEstimate) and self.link.take(now, report):
            self._heard, self._waiting = now, None
            self._look()
            if self.link.known_at >= self._moved:
                self._judge(now)
        self._decision = self._decide(now)
        return self._decision

    def tick(self, now: float) -> Decision:
        """Time passed; call it a few times a second."""
        waiting = math.inf if self._waiting is None else self._waiting
        if self._heard is None:
            if now - waiting >= (DEAF_S if isinstance(self.link, LinkEstimate) else UNREPORTED_S):
                self._move(now, self._cap, "limit")
        elif now - max(waiting, self._moved) >= self.link.silence_s + self.link.rtt_s:
            self._move(now, self._target / 2, "loss")
        self._decision = self._decide(now)
        return self._decision

    def _look(self) -> None:
        least = LIMITED * self._output()
        self.limited = self.link.sent_kbps < least
        self._filled = self.link.sent_since(self._moved) >= least

    def _judge(self, now: float) -> None:
        link = self.link
        self._promise.take(now, link.pair_kbps)
        if link.queue_s < self._low_s():
            self._low_at, self._cut = now, False
            self._proven = max(self._proven, link.arrived_kbps)
        if self._drain is not None:
            self._draining(now, self._drain)
            return
        if now - self._moved < JUDGE_S + link.rtt_s and not self._fresh_queue():
            return
        if link.queue_s > self._high_s():
            self._over_used(now)
        elif link.too_lossy:
            if isinstance(link, ReportEstimate) and not self._ceiling.known:
                # the round trip may have had a full queue in it from the first: it shows when that is drained
                self._drain = Drain(link.arrived_kbps * DRAIN, now, 0.0)
            self._ceiling = Ceiling(self._target, now)
            self._move(now, self._target * (1 - link.loss / 2), "loss")
        elif link.queue_s < self._low_s() and not link.unsure:
            self._raise(now)
        elif now - max(self._low_at, self._moved) > STAND_S:
            if self.limited or link.steady or self._promise.room(now, link.sent_kbps):
                link.lengthen()
            elif self._cut or not self._ceiling.near(self._target):
                # nothing moves: it is the way, or the link carries just this; a drain tells
                self._drain = Drain(self._target * DRAIN, now, link.queue_s)

    def _draining(self, now: float, drain: Drain) -> None:
        queue, rtt = self.link.queue_s, self.link.rtt_s
        if drain.first and now - drain.since < ARRIVED_S:
            # what arrives was sent before the cut and filled the link; what arrived when it was made may be older
            # a train may be of before, too: of a long queue what arrives is the measure
            carried = self.link.arrived_kbps if queue > DRAIN_FROM_S else self._carried(now)
            drain = self._drain = replace(drain, kbps=min(drain.kbps, carried * DRAIN))
        if queue < self._low_s():
            # until now the link was full, so this is what it carries
            self._drain, carried = None, self._carried(now)
            if drain.first:
                self._ceiling = replace(self._ceiling, kbps=min(self._ceiling.kbps, max(carried, FLOOR_KBPS)))
            self._move(now, min(self._target, carried), "delay")
        elif queue > drain.queue_s + DRAIN_FROM_S and now - drain.since > JUDGE_S + rtt:
            self._over_used(now)
        elif now - drain.since > drain.patience_s + JUDGE_S + rtt:
            full = self.link.sure_loss > QUIET_LOSS or self.link.sent_kbps > drain.kbps / DRAIN * LIMITED
            if full or queue < drain.queue_s / 2:
                # one that shortened nothing was no less than the link carries: that is what arrives
                less = max(self.link.arrived_kbps * DRAIN, FLOOR_KBPS / 2) if full else drain.kbps
                self._drain = Drain(min(drain.kbps, less), now, queue, first=False)
            else:
                self._ceiling = Ceiling()
                if queue > self._before.queue_s * UNMOVED:
                    self._move(now, max(self._before.kbps * CUT, self._target), "probe")
                    self._ceiling = self._before.ceiling
                self.link.lengthen()
                self._drain, self._moved, self._cut = None, now, False

    def _low_s(self) -> float:
        return max(QUEUE_LOW_S, PACKET_BITS / 1000 / self._target)

    def _high_s(self) -> float:
        return max(QUEUE_HIGH_S, 2 * self._low_s())

    def _fresh_queue(self) -> bool:
        """A queue that came up since the last move was a raise, or grew since a cut: no reason to wait."""
        known = self._cut_at_s if self._cause == "delay" else self._high_s()
        return self.link.queue_s > known + QUEUE_HIGH_S

    def _carried(self, now: float) -> float:
        """What the link carries, as far as arrivals and a train of late tell."""
        train = self._train_kbps if now - self._train_at < TRAIN_FOR_S else 0.0
        return max(self.link.arrived_kbps, train * TRAIN_SHARE)

    def _over_used(self, now: float) -> None:
        self._burst.over_used()
        self._promise.over_used(now)
        if not self._cut:
            self._before = Before(self._target, self._ceiling, 0.0)
        self._before = replace(self._before, queue_s=max(self._before.queue_s, self.link.queue_s))
        arrived = self._carried(now)
        if self._cut:  # the queue outlived a cut: what seemed to be carried was not
            arrived = min(arrived, self._target)
        sent = self.link.sent_kbps
        if sent < LIMITED * self._target and LIMITED * sent < arrived < self._target / 2:
            # little was sent, it came through, and yet it queues: what arrived is no measure of the link
            arrived = max(arrived, self._target / 2)
        self._ceiling = Ceiling(max(arrived, FLOOR_KBPS), now)
        self._proven = min(self._proven, self._ceiling.kbps)
        self._move(now, min(arrived * CUT, self._target), "delay")
        if self.link.queue_s > DRAIN_FROM_S or self._cut:
            self._drain = Drain(min(arrived, self._target) * DRAIN, now, self.link.queue_s)
        self._cut, self._cut_at_s = True, self.link.queue_s

    def _raise(self, now: float) -> None:
        if self._target >= self._cap:
            return
        self._ceiling = self._promise.ceiling(now, self._ceiling.after(now))
        near = self._ceiling.near(self._target)
        wanted = self._target * self._promise.step(self._target, self._ceiling.step(self._target), near=near)
        train = self._probe_kbps * TRAIN_SHARE if now - self._probe_at < TRAIN_FOR_S else 0.0
        if train > wanted and not near:
            self._move(now, min(train, 2 * self._target), "probe")
        elif self._filled:
            self._move(now, wanted, "probe")
        elif now - self._moved >= QUIET_S + self.link.rtt_s and self.link.sure_loss < QUIET_LOSS:
            known = 0 if self._ceiling.known else START_KBPS
            most = max(min(PROVEN * self._proven, self._burst.kbps(now) or math.inf), known)
            quiet = min(self._target * min(wanted / self._target, QUIET_RAISE), most)
            if quiet > self._target:
                self._move(now, quiet, "probe")

    def _move(self, now: float, kbps: float, cause: str) -> None:
        self._target = min(max(kbps, FLOOR_KBPS), self._cap)
        self._moved, self._probe_at = now, -math.inf
        self._cause = "limit" if self._target >= self._cap else cause

    def _output(self) -> float:
        drain = math.inf if self._drain is None else max(self._drain.kbps, FLOOR_KBPS / 2)
        return min(drain, self._target)

    def _decide(self, now: float) -> Decision:
        step = self._ladder.take(now, int(self._target), filled=not self.limited)
        tight = self._ceiling.known or self._target < START_KBPS
        vbv = vbv_ms(step.fps, tight=tight, start=self._cause == "start")
        proved = self._burst.kbps(now)
        if not BURST_STEP * self._burst_kbps <= proved <= self._burst_kbps / BURST_STEP:
            self._burst_kbps = proved
        kbps = int(self._output())
        fps = step.fps if self._drain is None else min(step.fps, DRAIN_FPS)
        return Decision(kbps, fps, step.scale, vbv, self._cause, max(int(self._burst_kbps), kbps))
