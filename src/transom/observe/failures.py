"""Whether machines fail more often than chance: a window over the newest outcomes. Pure."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable

from transom.model.machine import Machine, MachinePhase, Outcome

WINDOW = 20
"""Newest outcomes that are looked at."""
WINDOW_MS = 3_600_000
"""Older outcomes do not count."""
LEAST = 5
"""Fewer outcomes than this say nothing."""
BAD, GOOD = 0.8, 0.9
"""Below this share of successes it is said; above the other it may be said again."""
REMEMBERED = 4096


class Failures:
    """Watches machines' rows. `said` is called with a sentence, once for each bad spell."""

    def __init__(self, said: Callable[[str], None]) -> None:
        self._said = said
        self._outcomes: deque[tuple[int, bool]] = deque(maxlen=WINDOW)
        self._seen: OrderedDict[tuple[str, bool], None] = OrderedDict()
        self._bad = False

    def machine(self, machine: Machine) -> None:
        """A row changed: a machine that is ready or parked is a success, one that failed is none."""
        good = machine.phase in (MachinePhase.READY, MachinePhase.PARKED)
        failed = machine.phase is MachinePhase.OVER and machine.outcome in (Outcome.FAILED, Outcome.LOST)
        if not (good or failed) or (machine.id, good) in self._seen:
            return
        self._seen[(machine.id, good)] = None
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        self._outcomes.append((machine.phase_since, good))
        self._judge(machine.phase_since)

    def _judge(self, now: int) -> None:
        counted = [good for at, good in self._outcomes if now - at <= WINDOW_MS]
        if len(counted) < LEAST:
            return
        share = sum(counted) / len(counted)
        if share < BAD and not self._bad:
            self._bad = True
            failed = len(counted) - sum(counted)
            self._said(f"{failed} of the last {len(counted)} machines failed")
        elif share >= GOOD:
            self._bad = False
