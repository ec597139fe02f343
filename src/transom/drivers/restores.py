"""How clones fare: what came of each, and when a snapshot is not to be believed any longer. Decides; acts nowhere.

Counts are of one controller's life. A snapshot is known by its boot token: one made in its place begins at nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from transom_keeper.claim import PARKED
from transom_keeper.vm.snapshot import BOOTED
from transom_wire.control import Snapshot

IN_A_ROW = 2
"""Failures of one snapshot's clones, none restored between, after which it is of no use."""
MOST_MADE_ANEW = 3
"""Snapshots for the same machines that went so, one after another, with no clone restored between: on a host where none
wakes up, saving more of them is only work."""
RESTORED, BOOTED_INSTEAD, FAILED = "restored", "booted", "failed"
OUTCOMES = (RESTORED, BOOTED_INSTEAD, FAILED)
"""It woke up and parked; it was booted, and parked; it started, and somebody gave it up before it parked."""


@dataclass(frozen=True, slots=True)
class Saved:
    """One snapshot: the key it lies under, and its guest's boot token."""

    key: str
    token: str


def came_of(snapshot: Snapshot) -> str | None:
    """What a clone's keeper tells of its start; None while that is open. Pure."""
    if PARKED not in snapshot.stages:
        return None
    return BOOTED_INSTEAD if any(each.startswith(BOOTED) for each in snapshot.warnings) else RESTORED


class Restores:
    """Clones whose end is open, and how their snapshots did. What is told of a clone twice counts once."""

    def __init__(self, told: Callable[[str], None] = lambda outcome: None) -> None:
        self.told = told
        """Hears each outcome."""
        self._open: dict[str, Saved] = {}
        self._started: set[str] = set()
        self._row: Counter[str] = Counter()
        self._given_up: Counter[str] = Counter()

    def began(self, machine: str, saved: Saved) -> None:
        """A keeper is told to make `machine` from `saved`."""
        self._open[machine] = saved

    def started(self, machine: str) -> None:
        """Its keeper answers: what fails from now on is no want of ports, helper or memory."""
        if machine in self._open:
            self._started.add(machine)

    def seen(self, machine: str, snapshot: Snapshot) -> Saved | None:
        """Its keeper says how it stands. Returns a snapshot that is to be set aside now."""
        outcome = came_of(snapshot) if machine in self._open else None
        return None if outcome is None else self._came(machine, outcome)

    def over(self, machine: str, *, failed: bool) -> Saved | None:
        """It goes; `failed` where somebody wants to know why. Returns a snapshot that is to be set aside now."""
        if failed and machine in self._started:
            return self._came(machine, FAILED)
        self._open.pop(machine, None)
        self._started.discard(machine)
        return None

    def _came(self, machine: str, outcome: str) -> Saved | None:
        saved = self._open.pop(machine)
        self._started.discard(machine)
        self.told(outcome)
        if outcome == RESTORED:
            self._row.pop(saved.token, None)
            self._given_up.pop(saved.key, None)
            return None
        self._row[saved.token] += 1
        return saved if self._row[saved.token] >= IN_A_ROW else None

    def gave_up(self, saved: Saved) -> None:
        """It was set aside."""
        self._row.pop(saved.token, None)
        self._given_up[saved.key] += 1

    def hopeless(self, key: str) -> bool:
        """Whether another snapshot for `key` is not worth its making."""
        return self._given_up[key] >= MOST_MADE_ANEW
