"""How an exit fares: events in, a new Health out. Pure.

Our own checks move the state; what users' machines report only colours the score and asks for a check
sooner, because a guest can make any number of connections fail.

    healthy --fails--> suspect --fails 3 in a row--> quarantined --each failed retry doubles the pause-->
    dead (10 min without one success) --one success--> suspect --3 successes--> healthy
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from transom.model.exit import ExitState, Health

FAILURES = 3
"""Failed checks in a row that put an exit into quarantine."""
SUCCESSES = 3
"""Checks that must work in a row before a suspect exit counts as healthy."""
PAUSES_MS = (10_000, 20_000, 40_000, 80_000, 160_000, 320_000)
"""Pauses between the checks of an exit in quarantine; the last one is repeated."""
DEAD_AFTER_MS = 600_000
"""Without one success for this long, an exit in quarantine is dead."""
DEAD_PAUSE_MS = 900_000
"""A dead exit is asked again this often: sellers mend things."""
SUSPECT_PAUSE_MS = 2_000
"""A suspect exit is asked again this soon."""
WEIGHT = 0.2
"""Weight of the newest figure in a moving average."""
EASY_MS = 500.0
"""A latency at which half of the score is left."""
BUSY_BYTES_S = 2_000_000.0
"""A load in bytes a second at which half of the load's part is used up."""
LOAD_PART = 10.0
"""Points of the score that load may cost."""
WHY_LIMIT = 200
"""Characters of a failure's reason."""


@dataclass(frozen=True, slots=True)
class Worked:
    """Our check went through."""

    latency_ms: float


@dataclass(frozen=True, slots=True)
class Failed:
    """Our check did not."""

    why: str


@dataclass(frozen=True, slots=True)
class Traffic:
    """What users' machines did since the last report."""

    worked: int
    failed: int
    """Connections that the upstream itself could not make, or refused."""
    bytes: int
    seconds: float
    latency_ms: float | None = None
    """What connecting took them on average."""


Event = Worked | Failed | Traffic


def after(health: Health, event: Event, now: int) -> Health:
    """What is known once `event` has been taken in."""
    match event:
        case Worked(latency_ms=latency):
            return _worked(health, latency, now)
        case Failed(why=why):
            return _failed(health, why, now)
        case Traffic():
            return _traffic(health, event, now)


def score(health: Health) -> int:
    """0 to 100: what remains after failures, latency and load. 0 for what is not given to anybody."""
    if not health.state.usable:
        return 0
    latency = EASY_MS / (EASY_MS + max(0.0, (health.latency_ms or 0.0) - 100.0))
    load = LOAD_PART * health.load / (health.load + BUSY_BYTES_S)
    points = 100.0 * (1.0 - health.loss) * latency - load
    return max(1, round(points)) if health.state is ExitState.HEALTHY else max(1, round(points / 2))


def next_check(health: Health, every_ms: int) -> int:
    """When the schedule should check it, Unix milliseconds."""
    if health.checked_at == 0:
        return health.retry_at
    if health.state is ExitState.HEALTHY:
        due = health.checked_at + every_ms
        return min(due, health.retry_at) if health.retry_at > health.checked_at else due
    return health.retry_at


def sooner(health: Health, now: int) -> Health:
    """Ask for a check now, where the last one is not of this very moment."""
    if health.state is not ExitState.HEALTHY or now - health.checked_at < SUSPECT_PAUSE_MS:
        return health
    return replace(health, retry_at=now)


def _worked(health: Health, latency_ms: float, now: int) -> Health:
    streak = max(0, health.streak) + 1
    done = replace(
        health,
        streak=streak,
        checked_at=now,
        latency_ms=_average(health.latency_ms, max(0.0, latency_ms)),
        loss=_average(health.loss, 0.0),
        why="",
    )
    if health.state is ExitState.HEALTHY:
        return replace(done, retry_at=0, strikes=0)
    if health.state is ExitState.SUSPECT and streak >= SUCCESSES:
        return _into(replace(done, strikes=0, retry_at=0), ExitState.HEALTHY, now)
    return _into(replace(done, retry_at=now + SUSPECT_PAUSE_MS), ExitState.SUSPECT, now)


def _failed(health: Health, why: str, now: int) -> Health:
    streak = min(0, health.streak) - 1
    done = replace(
        health, streak=streak, checked_at=now, loss=_average(health.loss, 1.0), why=why[:WHY_LIMIT]
    )
    if health.state in (ExitState.HEALTHY, ExitState.SUSPECT):
        # One that has just left quarantine goes back at its first failure.
        if streak <= -FAILURES or (health.state is ExitState.SUSPECT and health.strikes):
            return _quarantine(done, now)
        return _into(replace(done, retry_at=now + SUSPECT_PAUSE_MS), ExitState.SUSPECT, now)
    # Time in which nobody asked, as while the controller was down, counts for nothing.
    asked = now - health.since >= DEAD_AFTER_MS and health.strikes >= len(PAUSES_MS)
    if health.state is ExitState.DEAD or asked:
        return _into(replace(done, retry_at=now + DEAD_PAUSE_MS), ExitState.DEAD, now)
    return _quarantine(done, now)


def _quarantine(health: Health, now: int) -> Health:
    pause = PAUSES_MS[min(health.strikes, len(PAUSES_MS) - 1)]
    struck = replace(health, strikes=health.strikes + 1, retry_at=now + pause)
    return _into(struck, ExitState.QUARANTINED, now)


def _traffic(health: Health, traffic: Traffic, now: int) -> Health:
    total = traffic.worked + traffic.failed
    moved = max(0, traffic.bytes) / max(traffic.seconds, 0.001)
    done = replace(health, load=_average(health.load, moved))
    if total:
        done = replace(done, loss=_average(health.loss, traffic.failed / total))
    if traffic.latency_ms is not None and traffic.worked:
        done = replace(done, latency_ms=_average(health.latency_ms, max(0.0, traffic.latency_ms)))
    return sooner(done, now) if traffic.failed else done


def _into(health: Health, state: ExitState, now: int) -> Health:
    return health if health.state is state else replace(health, state=state, since=now)


def _average(before: float | None, new: float) -> float:
    return new if before is None else before + WEIGHT * (new - before)
