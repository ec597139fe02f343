"""Does one step of a plan, with a deadline, and commits its outcome before the next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from transom.model.clock import Clock
from transom.model.errors import DriverError, TransomError, Unavailable
from transom.model.ids import new_id
from transom.model.machine import MachineSpec, Outcome
from transom.model.ports import Driver, Egress, SigninDesk
from transom.model.session import EndReason, Session, SessionState
from transom.model.stores import MachineStore
from transom.sessions import funnel
from transom.sessions.accounts import Accounts
from transom.sessions.claim import claim_of
from transom.sessions.ledger import Ledger
from transom.sessions.plan import after, instead, keeper_deadline, with_another, with_parked
from transom.sessions.steps import (
    Become,
    ClaimMachine,
    ClearRemains,
    CreateMachine,
    DestroyMachine,
    Failure,
    Forget,
    HoldGuest,
    MoveDeadline,
    Policy,
    PurgeFolder,
    ReplaceMachine,
    Seen,
    StartSignin,
    Step,
    TakeMachine,
)
from transom.sessions.usage import numbers
from transom.sessions.world import World
from transom_wire.control import Claim, ClaimAnswer, ControllerMessage, SetDeadline, Usage
from transom_wire.keeper_config import Limits

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

    async def claim(self, session: str, machine: str, claim: Claim) -> ClaimAnswer:
        """Hold a warm machine and have it become the session's. Raises Unavailable."""

    def usage(self, session: str) -> Usage | None:
        """What its machine used when its keeper last said so."""


@dataclass(frozen=True, slots=True)
class Making:
    """What every machine of this controller has in common."""

    limits: Limits
    program: str = "browser"


class Runner:
    """Knows the outside: driver, guests, exits, sign-ins. Knows nothing of when."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        machines: MachineStore,
        accounts: Accounts,
        world: World,
        driver: Driver,
        guests: GuestHold,
        egress: Egress,
        desk: SigninDesk,
        making: Making,
        policy: Policy,
        clock: Clock,
        looked: Callable[[Session, bool], None],
        parting: Callable[[Session], Awaitable[None]],
    ) -> None:
        """`looked` hears of each look into the warm pool, and whether a machine was there; `parting` is awaited
        before a session's machine is taken down."""
        self._ledger, self._machines, self._accounts = ledger, machines, accounts
        self._world, self._driver, self._looked = world, driver, looked
        self._guests, self._egress, self._desk = guests, egress, desk
        self._making, self.policy, self._clock = making, policy, clock
        self._parting = parting

    async def run(self, session: Session, step: Step) -> bool:
        """Do `step` for the row as `session`; True when the next step may follow on the same plan.

        Raises Unavailable when the store cannot serve: nothing was decided then.
        """
        match step:
            case Forget():
                await self._ledger.forget(session.id)
                return False
            case TakeMachine():
                return await self._take(session)
            case CreateMachine():
                await self._accounts.begin(
                    session.machine, driver=session.driver, image=session.image, session=session.id
                )
        failure = await self._act(session, step)
        if failure is not None:
            log.warning("step failed", session=session.id, step=type(step).__name__, failure=failure.reason)
            if isinstance(step, CreateMachine | ClaimMachine):
                await self._accounts.failed(session.machine, failure.stage, failure.reason)
            if (other := instead(session, step, failure)) is not None:
                return await self.run(session, other)
        return await self._commit(session, step, failure)

    async def _commit(self, session: Session, step: Step, failure: Failure | None) -> bool:
        now = self._clock()
        if isinstance(step, ReplaceMachine) and failure is None:
            wanted = with_another(session, step, new_id("mch"), now)
        else:
            wanted = after(session, step, now, self.policy, failure)
        if wanted == session:
            return failure is None
        if await self._ledger.swap(session, wanted):
            log.info("session", session=session.id, state=wanted.state, step=type(step).__name__)
            if isinstance(step, Become):
                await self._accounts.session(wanted)
        return False

    async def _take(self, session: Session) -> bool:
        now = self._clock()

        async def take(row: Session) -> Session | None:
            return await self._machines.take_parked(
                row, now, lambda machine: with_parked(row, machine.id, now)
            )

        taken = await self._ledger.take(session, take)
        self._looked(session, taken is not None)
        if taken is None:
            return await self._commit(session, Become(SessionState.CREATING), None)
        log.info("a warm machine was taken", session=session.id, machine=taken.machine)
        return False

    async def _act(self, session: Session, step: Step) -> Failure | None:
        """Do what touches the outside; the reason when it failed."""
        try:
            async with asyncio.timeout(self._deadline_s(step)):
                await self._touch(session, step)
        except TimeoutError:
            return Failure("it took too long", "claim" if isinstance(step, ClaimMachine) else "boot")
        except DriverError as error:
            return Failure(f"{error.message} ({error.mend})" if error.mend else error.message, error.stage)
        except Unavailable as error:
            if isinstance(step, StartSignin):
                raise
            return Failure(error.message)
        except TransomError as error:
            return Failure(error.message)
        except OSError as error:
            return Failure(f"{type(error).__name__}: {error.strerror or 'no reason given'}")
        return None

    def _deadline_s(self, step: Step) -> float:
        match step:
            case CreateMachine():
                return self.policy.creating_ms / 1000 + SLACK_S
            case ClaimMachine():
                return self.policy.claim_ms / 1000
            case StartSignin() | HoldGuest() | MoveDeadline():
                return SIGNIN_DEADLINE_S
        return self.policy.stopping_ms / 1000 + SLACK_S

    async def _touch(self, session: Session, step: Step) -> None:
        match step:
            case CreateMachine():
                await self._create(session)
            case ClaimMachine():
                await self._claim(session)
            case ReplaceMachine():
                await self._replace(session, step)
            case HoldGuest():
                self._guests.hold(session.id, session.machine)
            case MoveDeadline(deadline=deadline):
                await self._guests.tell(session.id, SetDeadline(deadline))
            case StartSignin():
                await self._sign_in(session)
            case DestroyMachine(keep_folder=keep):
                await self._destroy(session, keep)
            case ClearRemains():
                await self._driver.destroy(session.machine, keep_folder=False)
                self._world.forget(session.machine)
            case PurgeFolder():
                await self._driver.purge(session.machine)

    async def _create(self, session: Session) -> None:
        machine = await self._accounts.get(session.machine)
        assert machine is not None, "its row was begun before"
        await self._driver.create(
            MachineSpec(
                machine=session.machine,
                session=session.id,
                slot=machine.slot,
                image=session.image,
                width=session.width,
                height=session.height,
                start_url=session.start_url,
                exit=await self._egress.route(session.user, session.provider),
                deadline=keeper_deadline(session, self.policy),
                limits=self._making.limits,
                program=self._making.program,
            )
        )
        self._world.note(session.machine, Seen.RUNNING)

    async def _claim(self, session: Session) -> None:
        route = await self._egress.route(session.user, session.provider)
        claim = claim_of(session, route, keeper_deadline(session, self.policy))
        answer = await self._guests.claim(session.id, session.machine, claim)
        if not answer.accepted:
            raise DriverError(f"the warm machine refused its claim: {answer.reason}", stage="claim")

    async def _replace(self, session: Session, step: ReplaceMachine) -> None:
        stage = step.stage or funnel.failed_stage(session.timeline)
        await self._end_machine(session, keep_folder=True)
        await self._accounts.over(
            session.machine, Outcome.FAILED, stage, f"{step.reason}: {step.detail}", session=session
        )
        await self._driver.purge(session.machine)

    async def _destroy(self, session: Session, keep_folder: bool) -> None:
        usage = numbers(self._guests.usage(session.id))
        await self._parting(session)
        if session.wanted_end is EndReason.MACHINE_GONE:
            await self._guests.last_words(session.id, session.machine)
        failed = session.wanted_end is None or session.wanted_end.failure
        await self._end_machine(session, keep_folder=keep_folder or failed)
        await self._accounts.of_session(session, usage)
        if failed and not keep_folder:
            await self._driver.purge(session.machine)

    async def _end_machine(self, session: Session, *, keep_folder: bool) -> None:
        await self._guests.release(session.id)
        await self._driver.destroy(session.machine, keep_folder=keep_folder)
        self._world.forget(session.machine)

    async def _sign_in(self, session: Session) -> None:
        signin = await self._desk.start(session)
        if signin is None:
            return

        def store(row: Session) -> Session:
            return replace(row, signin=signin) if row.signin == session.signin else row

        await self._ledger.change(session.id, store)
