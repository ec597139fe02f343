"""What is known of the machines: the driver's sweeps, corrected by what happened since they began."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

from transom.model.machine import MachineState
from transom.model.ports import Driver
from transom.model.session import Session
from transom.sessions.steps import Observed, Seen

_SEEN = {MachineState.RUNNING: Seen.RUNNING, MachineState.GONE: Seen.GONE}


class World:
    """Machine id -> what was seen last. A sweep never overrides what was noted after it began."""

    def __init__(self, driver: Driver, *, deadline_s: float = 30.0) -> None:
        self._driver = driver
        self._deadline_s = deadline_s
        self._seen: dict[str, tuple[int, Seen]] = {}
        self._why: dict[str, str] = {}
        self._turn = 0
        self._swept = False

    async def sweep(self) -> Mapping[str, Seen]:
        """Look at every machine on the host; returns what the driver found. Raises what the driver raises."""
        self._turn += 1
        began = self._turn
        async with asyncio.timeout(self._deadline_s):
            found = {machine: _SEEN[state] for machine, state in (await self._driver.observe()).items()}
        older = {machine for machine, (turn, _) in self._seen.items() if turn <= began}
        for machine in older - found.keys():
            del self._seen[machine]
        for machine, seen in found.items():
            if machine in older or machine not in self._seen:
                self._seen[machine] = (began, seen)
        self._swept = True
        return found

    def note(self, machine: str, seen: Seen, why: str = "") -> None:
        """Something that was just done, or said by the keeper itself."""
        self._turn += 1
        self._seen[machine] = (self._turn, seen)
        if why:
            self._why[machine] = why

    def of(self, machine: str) -> Seen:
        """What was seen last; UNKNOWN before the first sweep."""
        if machine in self._seen:
            return self._seen[machine][1]
        return Seen.ABSENT if self._swept else Seen.UNKNOWN

    def why_gone(self, machine: str) -> str:
        """The keeper's last words."""
        return self._why.get(machine, "")

    def forget(self, machine: str) -> None:
        """The machine was destroyed."""
        self.note(machine, Seen.ABSENT)
        self._why.pop(machine, None)


class GuestView(Protocol):
    """What the tasks that hold the keepers' channels know."""

    def holding(self, session: str) -> bool:
        """A task holds the channel, or keeps trying for it."""

    def connected(self, session: str) -> bool:
        """The keeper answered and has not gone."""

    def has_role(self, session: str, role: str) -> bool:
        """That part of the guest is on the link."""

    def deadline(self, session: str) -> int | None:
        """What the keeper was told last."""


def observer(world: World, guests: GuestView) -> Callable[[Session], Observed]:
    """A session -> what is known of it now. A keeper that is connected proves its machine."""

    def observe(session: Session) -> Observed:
        machine = session.machine
        return Observed(
            machine=Seen.RUNNING if guests.connected(session.id) else world.of(machine),
            held=guests.holding(session.id),
            deadline=guests.deadline(session.id),
            signin_reachable=guests.has_role(session.id, "signin"),
            why_gone=world.why_gone(machine),
        )

    return observe
