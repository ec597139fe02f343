"""Puts the parts of sessions together, in the one order that works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from transom.guests.guests import Guests
from transom.model.clock import Clock
from transom.model.ports import Driver, SessionStore, SigninDesk
from transom.model.session import Session
from transom.sessions.adopt import Adopter
from transom.sessions.intake import Intake
from transom.sessions.ledger import Ledger
from transom.sessions.reconcile import Reconciler
from transom.sessions.run import Making, Runner
from transom.sessions.service import SessionService, Terms
from transom.sessions.steps import Policy
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


def wire(
    *,
    store: SessionStore,
    driver: Driver,
    guests: Guests,
    broker: Broker,
    desk: SigninDesk,
    image: Callable[[], str | None],
    terms: Terms,
    making: Making,
    policy: Policy,
    clock: Clock,
    tick_s: float,
    misbehaved: Callable[[str], None],
) -> Sessions:
    """Sessions on these capabilities. Nothing runs until the adopter looks, or a session is made."""
    ledger, world = Ledger(store), World(driver)
    runner = Runner(
        ledger=ledger,
        world=world,
        driver=driver,
        guests=guests,
        desk=desk,
        making=making,
        policy=policy,
        clock=clock,
    )
    reconciler = Reconciler(ledger=ledger, runner=runner, observe=observer(world, guests), clock=clock)
    adopter = Adopter(store=store, driver=driver, world=world, waker=reconciler, tick_s=tick_s)
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
    )
    guests.deliver_to(intake)
    ledger.watch_all(reconciler.noticed)
    ledger.watch_all(_end_signalling(broker))
    service = SessionService(
        store=store, ledger=ledger, desk=desk, guests=guests, image=image, terms=terms, clock=clock
    )
    return Sessions(ledger, service, reconciler, adopter, intake, world)


def _end_signalling(broker: Broker) -> Callable[[Session], None]:
    def changed(session: Session) -> None:
        if session.state.over:
            broker.over(session.id)

    return changed
