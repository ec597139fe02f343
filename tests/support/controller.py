"""Sessions, guests and signalling wired as in the composition root, on fakes; to be killed and started again."""

from __future__ import annotations

import asyncio

from tests.support.fakes import FakeClock, FakeDesk, FakeDriver, FakeLogs, FakeMachines, FakeSessions
from transom.guests.guests import Guests
from transom.model.ids import new_id
from transom.model.user import Principal, Role, User
from transom.sessions.adopt import Adopter
from transom.sessions.intake import Intake
from transom.sessions.pool import PoolPolicy
from transom.sessions.run import Making
from transom.sessions.service import SessionService, Terms
from transom.sessions.steps import Policy
from transom.sessions.warm import WarmTerms
from transom.sessions.wire import Sessions, wire
from transom.stream.broker import Broker
from transom_wire.exit import NO_ROUTE, ExitRoute
from transom_wire.keeper_config import Limits

IMAGE = "sha256-" + "0" * 64
POLICY = Policy(
    requested_ms=60_000,
    creating_ms=60_000,
    booting_ms=120_000,
    stopping_ms=60_000,
    failed_keep_ms=1_800_000,
    forget_ms=86_400_000,
    grace_ms=120_000,
)
LIMITS = Limits(2**30, 1000, 512)
NO_POOL = PoolPolicy(0, 0, 3_600_000, 0)
WARM = WarmTerms(1280, 720, LIMITS, 7_200_000, 5.0)


def a_user(name: str = "ada", role: Role = Role.USER) -> User:
    return User(new_id("usr"), name, role, 0)


def by_token(user: User) -> Principal:
    return Principal(user, "token")


class NoWayOut:
    """An Egress."""

    async def route(self, user: str, provider: str | None = None) -> ExitRoute:
        return NO_ROUTE


class Controller:
    """One life of a controller; driver and store are the world, and outlive it."""

    def __init__(
        self,
        *,
        store: FakeSessions | None = None,
        machines: FakeMachines | None = None,
        pool: PoolPolicy = NO_POOL,
        driver: FakeDriver | None = None,
        desk: FakeDesk | None = None,
        clock: FakeClock | None = None,
        per_user: int = 3,
        in_all: int = 20,
    ) -> None:
        self.store, self.driver = store or FakeSessions(), driver or FakeDriver()
        self.desk, self.clock = desk or FakeDesk(), clock or FakeClock()
        self.machines = machines or FakeMachines(self.store)
        self.pool_policy, self.available = pool, 2**40
        self.counted: list[str] = []
        self.guests, self.logs = Guests(self.driver), FakeLogs(self.driver)
        self.broker = Broker(self.guests, self.clock, count=self.counted.append)
        self.parts: Sessions = wire(
            store=self.store,
            machines=self.machines,
            logs=self.logs,
            egress=NoWayOut(),
            driver=self.driver,
            guests=self.guests,
            broker=self.broker,
            desk=self.desk,
            image=lambda: IMAGE,
            terms=Terms("fake", 8 * 3600, 1800, per_user, in_all),
            making=Making(LIMITS),
            policy=POLICY,
            warm=(pool, WARM),
            available=lambda: self.available,
            clock=self.clock,
            tick_s=0.05,
            misbehaved=self.counted.append,
            service_died=self.counted.append,
        )
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def service(self) -> SessionService:
        return self.parts.service

    @property
    def adopter(self) -> Adopter:
        return self.parts.adopter

    @property
    def intake(self) -> Intake:
        return self.parts.intake

    def start(self) -> Controller:
        self._tasks = [
            asyncio.create_task(self.parts.adopter.keep_looking()),
            asyncio.create_task(self.parts.pool.run()),
        ]
        return self

    async def settle(self) -> None:
        """Until nothing moves any more."""
        for _ in range(20):
            await self.parts.reconciler.settle()
            await asyncio.sleep(0)

    async def look(self) -> None:
        await self.parts.adopter.look()
        await self.settle()

    async def kill(self) -> None:
        """As kill -9: nothing is said to anybody. Tasks are cut, nothing else is tidied."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.parts.reconciler.close()
        await self.parts.pool.close()
        await self.guests.close()
        await self.broker.close()

    def again(self) -> Controller:
        """Another life, on the same world."""
        return Controller(
            store=self.store,
            machines=self.machines,
            pool=self.pool_policy,
            driver=self.driver,
            desk=self.desk,
            clock=self.clock,
        )
