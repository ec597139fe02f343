"""How much one viewer's link is given: feedback and time in, decisions out. Pure; times are monotonic seconds.

A queue that grows, or loss beyond what a radio does, cuts to less than what arrived, and the queue is let
drain. A raise is a probe: a step up that is judged before the next; while the desktop has too little to show
to fill the link, only a train of packets that came through faster than the target may raise it.
`docs/explanation/rate-control.md` tells why each number is what it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from transom_guest.stream.rate_estimate import LinkEstimate, Packet
from transom_guest.stream.rate_ladder import Ladder

FLOOR_KBPS = 100
START_KBPS = 1000
"""Before any feedback: a first key frame must not stand for seconds before a slow link."""
QUEUE_HIGH_S = 0.05
"""Seconds in queues at which the link is over-used."""
QUEUE_LOW_S = 0.025
"""Seconds in queues under which it is not."""
CUT = 0.85
"""Of what arrived, after over-use."""
DRAIN = 0.35
"""Of what arrived, while a queue of DRAIN_FROM_S or more drains: the viewer lives on what stands in it."""
DRAIN_FROM_S = 0.1
LOSS_HIGH = 0.15
"""Share of packets lost that is congestion without a queue; radio links lose up to ten percent by themselves."""
RAISE = 1.25
"""One step up, where nothing is known of a ceiling."""
RAISE_NEAR = 1.03
"""One step up near where the link was over-used last."""
NEAR = (0.8, 1.2)
"""Where that is, in shares of it."""
CEILING_S = 20.0
"""Seconds after which the ceiling is forgotten."""
JUDGE_S = 0.3
"""Seconds, beyond the round trip, until a step up is judged or a cut may be followed by another."""
LIMITED = 0.7
"""Of the target: when less was sent the desktop, not the link, limits."""
TRAIN_SHARE = 0.85
"""Of what a train came through at, that may become the target."""
SILENCE_S = 1.0
"""Seconds without a word on what was sent: halve, and again after as long."""
SMOOTH_VBV_MS, TIGHT_VBV_MS = 500, 150
"""How much of the bitrate a frame may take at once: on a link that never was full, and on one that was."""
START_VBV_MS = 250


@dataclass(frozen=True, slots=True)
class Decision:
    """What the stream should be; `cause` is the newest reason."""

    kbps: int
    fps: int
    scale: int
    vbv_ms: int
    cause: str


class RateControl:
    """One viewer's. Feed it `sent`, `feedback` and `tick`, then read `decision`."""

    def __init__(self, now: float, cap_kbps: int) -> None:
        self.link = LinkEstimate()
        self.limited = True
        """The desktop had too little to show to fill the link, when last asked."""
        self._cap = max(cap_kbps, FLOOR_KBPS)
        self._target = float(min(START_KBPS, self._cap))
        self._cause = "start"
        self._ladder = Ladder()
        self._ceiling = math.inf
        self._ceiling_at = -math.inf
        self._moved = now
        self._heard = now
        self._waiting: float | None = None
        self._drain_kbps: float | None = None
        self._drain_since = now
        self._decision = self._decide(now)

    @property
    def decision(self) -> Decision:
        """What holds now."""
        return self._decision

    @property
    def target_kbps(self) -> int:
        """What the link is thought to carry."""
        return int(self._target)

    def sent(self, now: float) -> None:
        """A packet left: feedback on it is due."""
        if self._waiting is None:
            self._waiting = now

    def feedback(self, now: float, packets: Sequence[Packet]) -> Decision:
        """The viewer told which packets arrived, and when."""
        if self.link.take(now, packets):
            self._heard, self._waiting = now, None
            self.limited = self.link.sent_kbps < LIMITED * self._output()
            self._judge(now)
        self._decision = self._decide(now)
        return self._decision

    def tick(self, now: float) -> Decision:
        """Time passed; call it a few times a second."""
        quiet_since = max(self._waiting or math.inf, self._heard, self._moved)
        if now - quiet_since >= SILENCE_S + self.link.rtt_s:
            self._move(now, self._target / 2, "loss")
        self._decision = self._decide(now)
        return self._decision

    def _judge(self, now: float) -> None:
        link = self.link
        if self._drain_kbps is not None and link.queue_s < QUEUE_LOW_S:
            self._drain_kbps = None
            self._moved = now
        if now - self._moved < JUDGE_S + link.rtt_s and not self._fresh_queue():
            return
        if link.queue_s > QUEUE_HIGH_S:
            self._over_used(now)
        elif link.loss > LOSS_HIGH:
            self._ceiling, self._ceiling_at = self._target, now
            self._move(now, self._target * (1 - link.loss / 2), "loss")
        elif link.queue_s < QUEUE_LOW_S and self._drain_kbps is None:
            self._raise(now)

    def _fresh_queue(self) -> bool:
        """A queue that came up since the last move was a raise: no reason to wait."""
        return self.link.queue_s > 2 * QUEUE_HIGH_S and self._drain_kbps is None and self._cause != "delay"

    def _over_used(self, now: float) -> None:
        arrived = min(self.link.arrived_kbps, self._target)
        if self.link.sent_kbps < LIMITED * self._target and arrived < self._target / 2:
            # little was sent, and yet it queues: what arrived is no measure of the link
            arrived = max(arrived, self._target / 2)
        self._ceiling, self._ceiling_at = max(arrived, FLOOR_KBPS), now
        self._move(now, min(arrived * CUT, self._target), "delay")
        if self.link.queue_s > DRAIN_FROM_S:
            self._drain_kbps, self._drain_since = arrived * DRAIN, now

    def _raise(self, now: float) -> None:
        if self._target >= self._cap:
            return
        if now - self._ceiling_at > CEILING_S:
            self._ceiling = math.inf
        near = NEAR[0] * self._ceiling <= self._target <= NEAR[1] * self._ceiling
        wanted = self._target * (RAISE_NEAR if near else RAISE)
        train = min(self.link.train_kbps, self.link.train_sent_kbps) * TRAIN_SHARE
        if train > wanted and not near:
            self._move(now, min(train, 2 * self._target), "probe")
        elif not self.limited:
            self._move(now, wanted, "probe")

    def _move(self, now: float, kbps: float, cause: str) -> None:
        self._target = min(max(kbps, FLOOR_KBPS), self._cap)
        self._moved = now
        self._cause = "limit" if self._target >= self._cap else cause

    def _output(self) -> float:
        return self._target if self._drain_kbps is None else max(self._drain_kbps, FLOOR_KBPS / 2)

    def _decide(self, now: float) -> Decision:
        step = self._ladder.take(now, int(self._target))
        if math.isfinite(self._ceiling) or self._target < START_KBPS:
            vbv = TIGHT_VBV_MS
        else:
            vbv = START_VBV_MS if self._cause == "start" else SMOOTH_VBV_MS
        return Decision(int(self._output()), step.fps, step.scale, vbv, self._cause)
