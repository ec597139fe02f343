"""How many warm machines there should be, and the next thing to do about it: pure functions of what is there.

The pool serves real requests and never competes with them: while a session waits for a machine nothing is made,
and memory that is short is given back before anything else. Size follows demand: as many machines as are asked
for while one is being made, twice over, within the operator's limits.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from transom.model.machine import Machine, MachinePhase

SAFETY = 2.0
"""Arrivals come in bunches: so many times the average that one making-time sees."""
REPLACE_MS = 120_000
"""So much longer than its age a machine may wait for the one that takes its place."""
BACK_OFF_S = (5, 15, 60, 300, 900)
"""Seconds between tries at making a machine, when they fail one after another."""


@dataclass(frozen=True, slots=True)
class PoolPolicy:
    """Settings of the pool. `most` 0: there is none."""

    least: int
    most: int
    age_ms: int
    """A machine that has waited longer is replaced by a fresh one, which is made first where there is room."""
    reserve_bytes: int
    """Memory of the host that the pool leaves to everybody else."""
    settle_ms: int = 2_000
    """So long after a look into the pool nothing is made: somebody's desktop is starting."""

    @property
    def on(self) -> bool:
        """True when there is a pool."""
        return self.most > 0


@dataclass(frozen=True, slots=True)
class PoolView:
    """The world as the pool's plan sees it. Times are Unix milliseconds."""

    now: int
    image: str | None
    driver: str
    machines: tuple[Machine, ...]
    """The pool's own rows that are not over: making, parked, leaving."""
    lost: frozenset[str] = frozenset()
    """Machines that are known to be gone, or that nobody makes any more."""
    making: bool = False
    """One is being made, or its image prepared."""
    waiting: int = 0
    """Sessions that have no ready machine yet."""
    arrivals_per_minute: float = 0.0
    looked_at: int = 0
    """When a session last looked into the pool."""
    make_ms: int = 5_000
    """What making one took lately."""
    available_bytes: int = 0
    machine_bytes: int = 0
    """What a parked machine is expected to use."""
    failures: int = 0
    """Makings that failed one after another, and when the last did."""
    failed_at: int = 0


@dataclass(frozen=True, slots=True)
class MakeWarm:
    """Make one machine and wait until it is parked."""


@dataclass(frozen=True, slots=True)
class DropWarm:
    """Take a machine out of the pool and remove it."""

    machine: str
    why: str


PoolStep = MakeWarm | DropWarm


def target(view: PoolView, policy: PoolPolicy) -> int:
    """How many parked machines are wanted, memory aside."""
    if not policy.on or view.image is None:
        return 0
    asked_meanwhile = view.arrivals_per_minute * view.make_ms / 60_000
    return max(policy.least, min(policy.most, math.ceil(asked_meanwhile * SAFETY)))


def plan_pool(view: PoolView, policy: PoolPolicy) -> list[PoolStep]:
    """What to drop, then at most one machine to make; empty when only time or an event can change anything."""
    dropped = list(_dropped(view, policy))
    return [*dropped, *([MakeWarm()] if not dropped and _may_make(view, policy) else [])]


def _dropped(view: PoolView, policy: PoolPolicy) -> Iterable[DropWarm]:
    kept: list[Machine] = []
    for machine in view.machines:
        why = _unfit(machine, view, policy)
        if why:
            yield DropWarm(machine.id, why)
        elif machine.phase is MachinePhase.PARKED:
            kept.append(machine)
    if not view.making and not _has_room(view, policy):
        # no successor can be made beside them: one at a time makes room for it
        for machine in [each for each in kept if _aged(each, view, policy)][:1]:
            kept.remove(machine)
            yield DropWarm(machine.id, "too old")
    # The oldest go: the youngest would be the last to be too old.
    oldest_first = sorted(kept, key=lambda machine: (machine.made_at, machine.id))
    surplus = max(0, len(kept) - target(view, policy))
    short = _short(view, policy)
    for index, machine in enumerate(oldest_first):
        if index < surplus:
            yield DropWarm(machine.id, "more than are wanted")
        elif index < max(short, surplus):
            yield DropWarm(machine.id, "memory is short")


def _unfit(machine: Machine, view: PoolView, policy: PoolPolicy) -> str:
    if machine.phase is MachinePhase.LEAVING:
        return "it was on its way out"
    if machine.id in view.lost:
        return "it is gone"
    if machine.phase is not MachinePhase.PARKED:
        return ""
    if (machine.image, machine.driver) != (view.image, view.driver):
        return "it is of another image or driver"
    return "too old" if view.now - machine.phase_since >= policy.age_ms + REPLACE_MS else ""


def _aged(machine: Machine, view: PoolView, policy: PoolPolicy) -> bool:
    """It still serves, and is to be replaced."""
    return machine.phase is MachinePhase.PARKED and view.now - machine.phase_since >= policy.age_ms


def _has_room(view: PoolView, policy: PoolPolicy) -> bool:
    fits = view.available_bytes - view.machine_bytes >= policy.reserve_bytes
    return fits and len(view.machines) < policy.most


def _short(view: PoolView, policy: PoolPolicy) -> int:
    """How many machines' memory is missing from the reserve."""
    missing = policy.reserve_bytes - view.available_bytes
    return math.ceil(missing / max(1, view.machine_bytes)) if missing > 0 else 0


def _may_make(view: PoolView, policy: PoolPolicy) -> bool:
    if view.making or view.waiting > 0 or view.now < view.looked_at + policy.settle_ms:
        return False
    if view.now < _not_before(view) or not _has_room(view, policy):
        return False
    return sum(not _aged(each, view, policy) for each in view.machines) < target(view, policy)


def _not_before(view: PoolView) -> int:
    if view.failures == 0:
        return 0
    return view.failed_at + BACK_OFF_S[min(view.failures, len(BACK_OFF_S)) - 1] * 1000
