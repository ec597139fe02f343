"""Every machine is accounted for: its row from the first thought of it to its end, and what it left to read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import structlog

from transom.model.clock import Clock
from transom.model.errors import TransomError
from transom.model.machine import Machine, MachinePhase, Outcome
from transom.model.ports import MachineLogs
from transom.model.session import Session, SessionState
from transom.model.stores import MachineStore
from transom.observe.logs import clean
from transom.sessions import funnel
from transom.sessions.crash import last_crash

log = structlog.get_logger(__name__)
CAUSE_LIMIT = 500
"""Characters; the rest is in the log."""
TRIES = 8
"""How often a change is tried again when another moved the row meanwhile."""
LAST_CRASH = "== last crash =="
"""Above the stacks in a kept log; an empty line ends them."""
LOOK_MS = 5000
"""A machine's log is read for crashes no more often: a machine says when a service of its died."""
Change = Callable[[Machine], Machine]


class Accounts:
    """Writes machines' rows, and tells whoever counts them. What it cannot write raises Unavailable."""

    def __init__(self, store: MachineStore, logs: MachineLogs, clock: Clock) -> None:
        self._store, self._logs, self._clock = store, logs, clock
        self._watchers: list[Callable[[Machine], None]] = []
        self._looked: dict[str, int] = {}
        """When a machine's log was last read for a crash."""

    def watch(self, watcher: Callable[[Machine], None]) -> None:
        """Call `watcher` with each machine whose phase changed, and with each that failed."""
        self._watchers.append(watcher)

    async def begin(self, machine: str, *, driver: str, image: str, session: str | None) -> Machine:
        """The machine's row, in a slot of its own; the one that is there when it was begun before."""
        now = self._clock()
        row = await self._store.add_machine(
            Machine(
                id=machine,
                driver=driver,
                image=image,
                slot=0,
                phase=MachinePhase.MAKING,
                phase_since=now,
                made_at=now,
                session=session,
                warm=session is None,
            )
        )
        self._tell(row)
        return row

    async def get(self, machine: str) -> Machine | None:
        """The row."""
        return await self._store.get_machine(machine)

    async def parked(self, machine: str, stages: Mapping[str, int]) -> Machine | None:
        """It waits in the pool now; `stages` are milliseconds since its making began."""
        return await self._change(
            machine,
            lambda row: (
                self._move(replace(row, stages=dict(stages)), MachinePhase.PARKED)
                if row.phase is MachinePhase.MAKING
                else row
            ),
        )

    async def session(self, session: Session) -> None:
        """A session has become ready: its machine serves."""
        if session.state is SessionState.READY:
            await self._change(session.machine, lambda row: self._serves(row, session))

    def _serves(self, row: Machine, session: Session) -> Machine:
        if row.phase not in (MachinePhase.MAKING, MachinePhase.CLAIMED):
            return row
        stages = {**funnel.stages_of(session, row.made_at), **row.stages}
        return self._move(replace(row, stages=stages), MachinePhase.READY)

    async def leaving(self, seen: Machine) -> bool:
        """Nobody may claim it any more; False when somebody was faster."""
        row = self._move(seen, MachinePhase.LEAVING)
        if not await self._store.save_machine(row, seen=seen):
            return False
        self._tell(row)
        return True

    async def failed(self, machine: str, stage: str, cause: str) -> None:
        """Note what went wrong with a machine that is still to be removed; the first word stays."""
        await self._change(machine, lambda row: _blamed(row, stage, cause))

    async def service_died(self, machine: str) -> None:
        """If it crashed, its stacks are kept: they are in the machine's log, which goes with the machine."""
        now, row = self._clock(), await self._store.get_machine(machine)
        if row is None or row.phase is MachinePhase.OVER or now - self._looked.get(machine, 0) < LOOK_MS:
            return
        self._looked[machine] = now
        await self._keep_crash(machine)

    async def over(
        self,
        machine: str,
        outcome: Outcome,
        stage: str = "",
        cause: str = "",
        *,
        session: Session | None = None,
        usage: Mapping[str, int] | None = None,
    ) -> None:
        """It is gone. Its logs are kept when it failed, if they can be had; call before its folder goes."""

        def end(row: Machine) -> Machine:
            if row.phase is MachinePhase.OVER:
                return row
            stages = {**funnel.stages_of(session, row.made_at), **row.stages} if session else row.stages
            row = _blamed(row, stage, cause) if stage else row
            row = replace(row, outcome=outcome, ended_at=self._clock(), stages=stages)
            return self._move(replace(row, usage=dict(usage or row.usage)), MachinePhase.OVER)

        if self._looked.pop(machine, None) is not None:
            await self._keep_crash(machine)
        row = await self._change(machine, end)
        if row is not None and row.failed_stage and row.failed_stage != "first_frame":
            await self._keep_log(machine)

    async def of_session(self, session: Session, usage: Mapping[str, int] | None = None) -> None:
        """The machine of a session that ends is gone."""
        outcome, stage, cause = funnel.verdict(session)
        await self.over(session.machine, outcome, stage, cause, session=session, usage=usage)

    async def _keep_log(self, machine: str) -> None:
        try:
            text = await self._logs.read(machine)
            if text:
                kept, _, _ = (await self._store.machine_log(machine) or "").partition("\n\n")
                crash = [kept, ""] if kept.startswith(LAST_CRASH) else []
                await self._store.save_machine_log(
                    machine, "\n".join([*crash, *map(clean, text.splitlines())])
                )
        except (TransomError, OSError) as error:
            log.warning("a failed machine's log is not kept", machine=machine, reason=str(error))

    async def _keep_crash(self, machine: str) -> None:
        try:
            crash = last_crash(await self._logs.read(machine))
            if crash is not None:
                await self._store.save_machine_log(machine, f"{LAST_CRASH}\n{crash.stacks}")
                await self.failed(machine, "service", crash.cause)
        except (TransomError, OSError) as error:
            log.warning("a crash of a machine's service is not kept", machine=machine, reason=str(error))

    async def _change(self, machine: str, change: Change) -> Machine | None:
        for _ in range(TRIES):
            seen = await self._store.get_machine(machine)
            if seen is None:
                return None
            wanted = change(seen)
            if wanted == seen:
                return seen
            if await self._store.save_machine(wanted, seen=seen):
                self._tell(wanted)
                return wanted
        return None

    def _move(self, row: Machine, phase: MachinePhase) -> Machine:
        return replace(row, phase=phase, phase_since=self._clock())

    def _tell(self, row: Machine) -> None:
        for watcher in self._watchers:
            watcher(row)


def _blamed(row: Machine, stage: str, cause: str) -> Machine:
    return row if row.failed_stage else replace(row, failed_stage=stage, cause=cause[:CAUSE_LIMIT])
