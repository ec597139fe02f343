"""Puts the parts of sessions together, in the one order that works."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from transom.guests.guests import Guests
from transom.model.clock import Clock
from transom.model.ports import Driver, Egress, MachineLogs, SigninDesk
from transom.model.session import Session
from transom.model.stores import MachineStore, SessionStore
from transom.sessions.accounts import Accounts
from transom.sessions.adopt import Adopter
from transom.sessions.demand import Waiting
from transom.sessions.intake import Intake
from transom.sessions.ledger import Ledger
from transom.sessions.pool import PoolPolicy
from transom.sessions.pooling import Pool
from transom.sessions.reconcile import Reconciler
from transom.sessions.run import Making, Runner
from transom.sessions.service import SessionService, Terms
from transom.sessions.steps import Policy
from transom.sessions.warm import WarmTerms
from transom.sessions.world import World, observer
from transom.stream.broker import Broker


@dataclass(frozen=True)
class Sessions:
    """What the composition root and the tests hold."""

    ledger: Ledger
    service: SessionService
    reconciler: Reconciler
    adopter: Adopter
    intake: Intake
    world: World
    accounts: Accounts
    pool: Pool


async def _nothing(_session: Session) -> None:
    """Nobody has anything to do."""


def wire(
    *,
    store: SessionStore,
    machines: MachineStore,
    logs: MachineLogs,
    egress: Egress,
    driver: Driver,
    guests: Guests,
    broker: Broker,
    desk: SigninDesk,
    image: Callable[[], str | None],
    terms: Terms,
    making: Making,
    policy: Policy,
    warm: tuple[PoolPolicy, WarmTerms],
    available: Callable[[], int],
    clock: Clock,
    tick_s: float,
    misbehaved: Callable[[str], None],
    service_died: Callable[[str], None],
    parting: Callable[[Session], Awaitable[None]] = _nothing,
) -> Sessions:
    """Sessions on these capabilities. Nothing runs until the adopter looks, or a session is made."""
    ledger, world = Ledger(store), World(driver)
    accounts, waiting = Accounts(machines, logs, clock), Waiting()
    ledger.watch_all(waiting.changed)
    pool = Pool(
        policy=warm[0],
        terms=warm[1],
        machines=machines,
        accounts=accounts,
        driver=driver,
        world=world,
        image=image,
        clock=clock,
        waiting=waiting,
        available=available,
    )
    runner = Runner(
        ledger=ledger,
        machines=machines,
        accounts=accounts,
        world=world,
        driver=driver,
        guests=guests,
        egress=egress,
        desk=desk,
        making=making,
        policy=replace(policy, pool=pool.on),
        clock=clock,
        looked=pool.looked,
        parting=parting,
    )
    reconciler = Reconciler(ledger=ledger, runner=runner, observe=observer(world, guests), clock=clock)
    adopter = Adopter(
        store=store,
        machines=machines,
        accounts=accounts,
        pool=pool,
        driver=driver,
        world=world,
        waker=reconciler,
        tick_s=tick_s,
    )
    intake = Intake(
        ledger=ledger,
        world=world,
        desk=desk,
        peers=broker,
        guests=guests,
        clock=clock,
        wake=reconciler.wake,
        look_soon=adopter.look_soon,
        count=misbehaved,
        died=service_died,
        accounts=accounts,
    )
    guests.deliver_to(intake)
    ledger.watch_all(reconciler.noticed)
    ledger.watch_all(_end_signalling(broker))
    service = SessionService(
        store=store, ledger=ledger, desk=desk, guests=guests, image=image, terms=terms, clock=clock
    )
    return Sessions(ledger, service, reconciler, adopter, intake, world, accounts, pool)


def _end_signalling(broker: Broker) -> Callable[[Session], None]:
    def changed(session: Session) -> None:
        if session.state.over:
            broker.over(session.id)

    return changed
