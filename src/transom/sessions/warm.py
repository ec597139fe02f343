"""Makes one warm machine and looks after it: attach, wait until it is parked, hear when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from transom.model.clock import Clock
from transom.model.errors import DriverError, TransomError
from transom.model.machine import Machine, MachineSpec
from transom.model.ports import Driver, KeeperChannel
from transom.sessions.funnel import failed_stage
from transom.sessions.usage import numbers
from transom_wire.codec import WireError, decode
from transom_wire.control import FromGuest, MachineExited, RoleChanged, Snapshot, Usage
from transom_wire.exit import NO_ROUTE
from transom_wire.keeper_config import Limits
from transom_wire.link import FROM_BOOT, Fatal, Progress

log = structlog.get_logger(__name__)
PARKED = "parked"
BLANK = "about:blank"


@dataclass(frozen=True, slots=True)
class WarmTerms:
    """What every warm machine gets; its desktop's size may be that of those who asked before."""

    width: int
    height: int
    limits: Limits
    life_ms: int
    """From its making to its keeper's deadline, should nobody claim or remove it."""
    boot_s: float
    """Longest wait until it is parked."""
    program: str = "browser"


class WarmMachine:
    """One machine of the pool, from its making to its claim or end. Its guest is nobody's and is told nothing."""

    def __init__(self, machine: Machine, driver: Driver, terms: WarmTerms, clock: Clock) -> None:
        self.machine = machine
        self._driver, self._terms, self._clock = driver, terms, clock
        self.memory_bytes = 0
        """What it uses, as its keeper said last."""
        self.exited = ""
        """Why it ended, once it has."""

    async def make(self) -> dict[str, int]:
        """Make it, and return its stages once it is parked. Raises DriverError, whose stage is where it failed."""
        reached: dict[str, int] = {}
        try:
            async with asyncio.timeout(self._terms.boot_s):
                await self._driver.create(self._spec())
                reached["machine"] = self._clock() - self.machine.made_at
                return await self._until_parked(reached)
        except TimeoutError as error:
            raise DriverError("it was not parked in time", stage=failed_stage(reached)) from error
        except OSError as error:
            raise DriverError(
                f"{type(error).__name__}: {error.strerror}", stage=failed_stage(reached)
            ) from error

    def _spec(self) -> MachineSpec:
        machine, terms = self.machine, self._terms
        return MachineSpec(
            machine=machine.id,
            session=None,
            slot=machine.slot,
            image=machine.image,
            width=terms.width,
            height=terms.height,
            start_url=BLANK,
            exit=NO_ROUTE,
            deadline=self._clock() + terms.life_ms,
            limits=terms.limits,
            program=terms.program,
        )

    async def _until_parked(self, reached: dict[str, int]) -> dict[str, int]:
        channel = await self._driver.attach(self.machine.id)
        try:
            reached |= self._stages(channel.snapshot)
            if PARKED not in reached:
                await self._hear(channel, lambda stage, at: self._reach(reached, stage, at))
        finally:
            await channel.close()
        if PARKED not in reached:
            raise DriverError(self.exited or "its keeper went away", stage=failed_stage(reached))
        return reached

    def _reach(self, reached: dict[str, int], stage: str, at: int) -> bool:
        reached.setdefault(stage, max(0, at - self.machine.made_at))
        return stage == PARKED

    def _stages(self, snapshot: Snapshot) -> dict[str, int]:
        made_at = self.machine.made_at
        return {
            stage: max(0, int(at) - made_at)
            for stage, at in snapshot.stages.items()
            if at.isascii() and at.isdigit() and len(at) <= 16
        }

    async def _hear(self, channel: KeeperChannel, reach: Callable[[str, int], bool]) -> None:
        """Read until a stage says that it was the last one, or the machine ends."""
        async for message in channel.messages():
            match message:
                case Usage():
                    self.memory_bytes = numbers(message).get("memory_bytes", self.memory_bytes)
                case MachineExited(reason=reason):
                    self.exited = reason or "it ended"
                    return
                case RoleChanged(role="boot", connected=True):
                    reach("guest", self._clock())
                case FromGuest(role="boot") if self._last(message, reach):
                    return

    def _last(self, message: FromGuest, reach: Callable[[str, int], bool]) -> bool:
        try:
            said = decode(message.body, FROM_BOOT)
        except WireError:
            return False
        if isinstance(said, Fatal):
            self.exited = said.reason
            return True
        return isinstance(said, Progress) and reach(said.stage, message.at)

    async def tend(self) -> None:
        """Listen to a parked machine until its channel ends: it was claimed, or it is gone."""
        try:
            channel = await self._driver.attach(self.machine.id)
        except (TransomError, OSError, WireError) as error:
            self.exited = str(error)
            return
        try:
            if channel.snapshot.state == "exited":
                self.exited = channel.snapshot.exit_reason or "it ended"
            else:
                await self._hear(channel, lambda stage, at: False)
        finally:
            await channel.close()
