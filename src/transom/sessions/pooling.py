"""Keeps the warm pool as its plan wants it: one thing at a time, after everything that real requests need."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

import structlog

from transom.model.clock import Clock
from transom.model.errors import DriverError, TransomError
from transom.model.ids import new_id
from transom.model.machine import Machine, MachinePhase, Outcome
from transom.model.ports import Driver
from transom.model.session import Session
from transom.model.stores import MachineStore
from transom.sessions.accounts import Accounts
from transom.sessions.demand import Demand
from transom.sessions.pool import DropWarm, MakeWarm, PoolPolicy, PoolView, plan_pool, target
from transom.sessions.steps import Seen
from transom.sessions.warm import WarmMachine, WarmTerms
from transom.sessions.world import World

log = structlog.get_logger(__name__)
TICK_S = 1.0
"""How often the plan is made when nothing happens."""
DESTROY_S = 60.0
PREPARE_S = 900.0
"""Longest time a driver has to save a snapshot."""
PREPARE_AGAIN_S = 600.0
"""Shortest time between two looks whether an image is still prepared: a snapshot that turned out bad is made anew."""
FIRST_MAKE_MS = 5_000
"""What making a machine is taken to cost before the first was made."""
GUESS_PART = 4
"""Before a keeper has said what a parked machine uses, it is taken for this part of its limit."""


@dataclass(frozen=True, slots=True)
class PoolState:
    """How the pool stands, for those who look at it."""

    least: int
    most: int
    target: int
    making: int
    parked: int
    memory_bytes: int
    hits: int
    misses: int
    failures: int
    last_failure: str


class Pool:
    """The pool of one driver. `run` for ever; a restart finds its machines by their rows."""

    def __init__(
        self,
        *,
        policy: PoolPolicy,
        terms: WarmTerms,
        machines: MachineStore,
        accounts: Accounts,
        driver: Driver,
        world: World,
        image: Callable[[], str | None],
        clock: Clock,
        waiting: Callable[[], int],
        available: Callable[[], int],
    ) -> None:
        """`waiting`: sessions without a ready machine; `available`: the host's free memory in bytes."""
        self.policy, self._terms, self._image, self._clock = policy, terms, image, clock
        self._machines, self._accounts = machines, accounts
        self._driver, self._world = driver, world
        self._waiting, self._available = waiting, available
        self.demand = Demand()
        self._tended: dict[str, tuple[WarmMachine, asyncio.Task[None]]] = {}
        self._making: str | None = None
        self._make_ms = FIRST_MAKE_MS
        self._failures, self._failed_at, self._last_failure = 0, 0, ""
        self._prepared: dict[str, int] = {}
        self._unremoved: dict[str, tuple[str, str]] = {}
        """Machines that failed and have not gone yet: the stage, and why."""
        self._maker: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._rows: tuple[Machine, ...] = ()

    @property
    def on(self) -> bool:
        """True when there is a pool: the driver can, and the settings want it."""
        return self.policy.on and self._driver.flags.warm

    def looked(self, session: Session, hit: bool) -> None:
        """A session looked for a warm machine."""
        self.demand.looked(self._clock(), hit=hit, size=(session.width, session.height))
        self._wake.set()

    def keeps(self, machine: Machine, seen: Seen | None) -> bool:
        """True for a machine without a session that is to stay: parked by this driver and alive, or being made just
        now."""
        if machine.id == self._making:
            return True
        ours = machine.driver == self._driver.name and machine.phase is MachinePhase.PARKED
        return self.on and ours and seen is Seen.RUNNING

    def state(self) -> PoolState:
        """How it stands."""
        return PoolState(
            least=self.policy.least,
            most=self.policy.most,
            target=target(self._view(), self.policy) if self.on else 0,
            making=sum(row.phase is MachinePhase.MAKING for row in self._rows),
            parked=sum(row.phase is MachinePhase.PARKED for row in self._rows),
            memory_bytes=sum(warm.memory_bytes for warm, _ in self._tended.values()),
            hits=self.demand.hits,
            misses=self.demand.misses,
            failures=self._failures,
            last_failure=self._last_failure,
        )

    def usage(self) -> Mapping[str, int]:
        """Parked machine -> bytes of memory, as its keeper said last."""
        return {machine: warm.memory_bytes for machine, (warm, _) in self._tended.items()}

    async def run(self) -> None:
        """Look, act, wait, for ever. Nothing at all when there is no pool: what an earlier life left in one is
        removed as any orphan."""
        while self.on:
            try:
                acted = await self.step()
            except (TransomError, TimeoutError, OSError) as error:
                log.warning("the pool waits", reason=str(error) or "too slow")
                acted = False
            except Exception:
                log.exception("the pool broke")
                acted = False
            if not acted:
                with suppress(TimeoutError):
                    async with asyncio.timeout(TICK_S):
                        await self._wake.wait()
            self._wake.clear()

    async def close(self) -> None:
        """Let go; parked machines live on, and the next start finds them."""
        tasks = [task for _, task in self._tended.values()] + ([self._maker] if self._maker else [])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def step(self) -> bool:
        """Do what the plan says now; True when there was anything."""
        await self._look()
        steps = plan_pool(self._view(), self.policy)
        for step in steps:
            match step:
                case DropWarm(machine=machine, why=why):
                    await self._drop(machine, why)
                case MakeWarm():
                    self._maker = asyncio.create_task(self._make_one(), name="make a warm machine")
                    self._maker.add_done_callback(lambda _: self._wake.set())
        return bool(steps)

    async def made(self) -> None:
        """Wait until nothing is being made; for tests."""
        if self._maker is not None:
            await asyncio.gather(self._maker, return_exceptions=True)

    async def _make_one(self) -> None:
        try:
            await self._prepare()
            await self._make()
        except (TransomError, TimeoutError, OSError) as error:
            log.warning("a warm machine's making broke off", reason=str(error) or "too slow")
        except Exception:
            log.exception("making a warm machine broke")

    async def _look(self) -> None:
        rows = await self._machines.list_machines(living=True)
        self._rows = tuple(
            row for row in rows if row.warm and row.session is None and row.driver == self._driver.name
        )
        for row in self._rows:
            if row.phase is MachinePhase.PARKED and row.id not in self._tended:
                self._tend(WarmMachine(row, self._driver, self._terms, self._clock))
        known = {row.id for row in self._rows}
        for machine in self._tended.keys() - known:
            self._forget(machine)

    def _view(self) -> PoolView:
        now = self._clock()
        stale = {row.id for row in self._rows if row.phase is MachinePhase.MAKING and row.id != self._making}
        return PoolView(
            now=now,
            image=self._image(),
            driver=self._driver.name,
            machines=self._rows,
            lost=frozenset(stale | {each for each, (_, task) in self._tended.items() if task.done()}),
            making=self._maker is not None and not self._maker.done(),
            waiting=self._waiting(),
            arrivals_per_minute=self.demand.per_minute(now),
            looked_at=self.demand.looked_at,
            make_ms=self._make_ms,
            available_bytes=self._available(),
            machine_bytes=self._machine_bytes(),
            failures=self._failures,
            failed_at=self._failed_at,
        )

    def _machine_bytes(self) -> int:
        said = [warm.memory_bytes for warm, _ in self._tended.values() if warm.memory_bytes]
        return max(said) if said else self._terms.limits.memory_bytes // GUESS_PART

    def _tend(self, warm: WarmMachine) -> None:
        task = asyncio.create_task(warm.tend(), name=f"warm {warm.machine.id}")
        task.add_done_callback(lambda _: self._wake.set())
        self._tended[warm.machine.id] = (warm, task)
        self._world.note(warm.machine.id, Seen.RUNNING)

    def _forget(self, machine: str) -> None:
        warm = self._tended.pop(machine, None)
        if warm is not None:
            warm[1].cancel()

    async def _make(self) -> None:
        image = self._image()
        if image is None:
            return
        machine = new_id("mch")
        self._making = machine
        began = self._clock()
        try:
            row = await self._accounts.begin(machine, driver=self._driver.name, image=image, session=None)
            width, height = self.demand.size((self._terms.width, self._terms.height))
            terms = replace(self._terms, width=width, height=height)
            warm = WarmMachine(row, self._driver, terms, self._clock)
            stages = await warm.make()
            parked = await self._accounts.parked(machine, stages)
            if parked is not None:
                self._tend(warm)
            self._make_ms, self._failures = max(1, self._clock() - began), 0
            log.info("a warm machine waits", machine=machine, took_ms=self._make_ms)
        except TransomError as error:
            await self._failed(machine, error)
        finally:
            self._making = None

    async def _failed(self, machine: str, error: TransomError) -> None:
        self._failures, self._failed_at = self._failures + 1, self._clock()
        self._last_failure = error.message
        stage = error.stage if isinstance(error, DriverError) else "boot"
        log.warning("a warm machine was not made", machine=machine, stage=stage, reason=error.message)
        self._unremoved[machine] = (stage, error.message)
        try:
            await self._remove(machine, Outcome.FAILED, stage, error.message)
        except (TransomError, TimeoutError, OSError) as stays:
            log.warning("a machine that failed does not go", machine=machine, reason=str(stays) or "too slow")

    async def _drop(self, machine: str, why: str) -> None:
        row = next(each for each in self._rows if each.id == machine)
        if row.phase is not MachinePhase.LEAVING and not await self._accounts.leaving(row):
            return
        log.info("a warm machine leaves", machine=machine, why=why)
        warm = self._tended.get(machine)
        exited = warm[0].exited if warm else ""
        self._forget(machine)
        if machine in self._unremoved:
            await self._remove(machine, Outcome.FAILED, *self._unremoved[machine])
        elif exited:
            await self._remove(machine, Outcome.LOST, "running", exited)
        else:
            await self._remove(machine, Outcome.UNUSED)

    async def _remove(self, machine: str, outcome: Outcome, stage: str = "", cause: str = "") -> None:
        """Raises TransomError when it does not go: its row stays, and it is tried again."""
        async with asyncio.timeout(DESTROY_S):
            await self._driver.destroy(machine, keep_folder=bool(stage))
        self._world.forget(machine)
        await self._accounts.over(machine, outcome, stage, cause)
        self._unremoved.pop(machine, None)
        if stage:
            await self._driver.purge(machine)

    async def _prepare(self) -> None:
        """Now and then for each image: what makes its machines start faster. The pool goes on without."""
        image, now = self._image(), self._clock()
        if image is None or not self._driver.flags.snapshot or now < self._prepared.get(image, 0):
            return
        self._prepared[image] = now + int(PREPARE_AGAIN_S * 1000)
        try:
            async with asyncio.timeout(PREPARE_S):
                await self._driver.prepare(image)
        except (TransomError, TimeoutError, OSError) as error:
            log.warning("an image was not prepared", image=image, reason=str(error) or "too slow")
