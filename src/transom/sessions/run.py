"""Does one step of a plan, with a deadline, and commits its outcome before the next."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from transom.model.clock import Clock
from transom.model.errors import DriverError, TransomError, Unavailable
from transom.model.ids import machine_id
from transom.model.machine import MachineSpec
from transom.model.ports import Driver, SigninDesk
from transom.model.session import EndReason, Session
from transom.sessions.ledger import Ledger
from transom.sessions.plan import after, keeper_deadline
from transom.sessions.steps import (
    ClearRemains,
    CreateMachine,
    DestroyMachine,
    Forget,
    HoldGuest,
    MoveDeadline,
    Policy,
    PurgeFolder,
    Seen,
    StartSignin,
    Step,
)
from transom.sessions.world import World
from transom_wire.control import ControllerMessage, Limits, SetDeadline
from transom_wire.exit import ExitRoute

log = structlog.get_logger(__name__)
SIGNIN_DEADLINE_S = 15.0
"""Seconds for handing a flow to the guest."""
SLACK_S = 5.0
"""Seconds a driver has beyond a state's deadline to notice and clean up by itself."""


class GuestHold(Protocol):
    """What sessions need of the tasks that hold the keepers' channels."""

    def hold(self, session: str, machine: str) -> None:
        """Attach, and stay attached until released. Idempotent."""

    async def release(self, session: str) -> None:
        """Let go. Idempotent."""

    async def last_words(self, session: str, machine: str) -> None:
        """Take in what the keeper of a machine that is gone still holds."""

    async def tell(self, session: str, message: ControllerMessage) -> bool:
        """Send to the keeper; False when it cannot be reached now."""


@dataclass(frozen=True, slots=True)
class Making:
    """What every machine of this controller has in common."""

    exit: ExitRoute
    limits: Limits


class Runner:
    """Knows the outside: driver, guests, sign-ins. Knows nothing of when."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        world: World,
        driver: Driver,
        guests: GuestHold,
        desk: SigninDesk,
        making: Making,
        policy: Policy,
        clock: Clock,
    ) -> None:
        self._ledger, self._world, self._driver = ledger, world, driver
        self._guests, self._desk = guests, desk
        self._making, self.policy, self._clock = making, policy, clock

    async def run(self, session: Session, step: Step) -> bool:
        """Do `step` for the row as `session`; True when the next step may follow on the same plan.

        Raises Unavailable when the store cannot serve: nothing was decided then.
        """
        if isinstance(step, Forget):
            await self._ledger.forget(session.id)
            return False
        failure = await self._act(session, step)
        wanted = after(session, step, self._clock(), self.policy, failure)
        if failure is not None:
            log.warning("step failed", session=session.id, step=type(step).__name__, failure=failure)
        if wanted == session:
            return failure is None
        moved = await self._ledger.swap(session, wanted)
        if moved:
            log.info("session", session=session.id, state=wanted.state, step=type(step).__name__)
        return False

    async def _act(self, session: Session, step: Step) -> str | None:
        """Do what touches the outside; the reason when it failed."""
        machine = machine_id(session.id)
        try:
            async with asyncio.timeout(self._deadline_s(step)):
                await self._touch(session, machine, step)
        except TimeoutError:
            return "it took too long"
        except Unavailable as error:
            if isinstance(step, StartSignin):
                raise
            return error.message
        except DriverError as error:
            return f"{error.message} ({error.mend})" if error.mend else error.message
        except TransomError as error:
            return error.message
        except OSError as error:
            return f"{type(error).__name__}: {error.strerror or 'no reason given'}"
        return None

    def _deadline_s(self, step: Step) -> float:
        match step:
            case CreateMachine():
                return self.policy.creating_ms / 1000 + SLACK_S
            case StartSignin() | HoldGuest() | MoveDeadline():
                return SIGNIN_DEADLINE_S
        return self.policy.stopping_ms / 1000 + SLACK_S

    async def _touch(self, session: Session, machine: str, step: Step) -> None:
        match step:
            case CreateMachine():
                await self._create(session, machine)
            case HoldGuest():
                self._guests.hold(session.id, machine)
            case MoveDeadline(deadline=deadline):
                await self._guests.tell(session.id, SetDeadline(deadline))
            case StartSignin():
                await self._sign_in(session)
            case DestroyMachine(keep_folder=keep):
                if session.wanted_end is EndReason.MACHINE_GONE:
                    await self._guests.last_words(session.id, machine)
                await self._guests.release(session.id)
                await self._driver.destroy(machine, keep_folder=keep)
                self._world.forget(machine)
            case ClearRemains():
                await self._driver.destroy(machine, keep_folder=False)
                self._world.forget(machine)
            case PurgeFolder():
                await self._driver.purge(machine)

    async def _create(self, session: Session, machine: str) -> None:
        await self._driver.create(
            MachineSpec(
                machine=machine,
                session=session.id,
                slot=session.slot,
                image=session.image,
                width=session.width,
                height=session.height,
                start_url=session.start_url,
                exit=self._making.exit,
                deadline=keeper_deadline(session, self.policy),
                limits=self._making.limits,
            )
        )
        self._world.note(machine, Seen.RUNNING)

    async def _sign_in(self, session: Session) -> None:
        signin = await self._desk.start(session)
        if signin is None:
            return

        def store(row: Session) -> Session:
            return replace(row, signin=signin) if row.signin == session.signin else row

        await self._ledger.change(session.id, store)
