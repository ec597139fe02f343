"""The egress on a real SQLite store, with keepers, proxies and an echo service made of dictionaries."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from transom.egress.desk import ExitDesk
from transom.egress.measure import Measured, NotMeasured
from transom.egress.service import EgressService
from transom.egress.state import Terms
from transom.egress.upstream import read_list
from transom.model.alert import Alert
from transom.model.exit import Lists, Upstream
from transom.model.ids import new_id
from transom.model.session import Session, SessionState
from transom.model.user import Role, User
from transom.store.database import Store
from transom_wire.control import ControllerMessage, SetExit, Snapshot, Usage
from transom_wire.exit import ExitRoute

ECHO = "http://echo.example/ip"
HOST = "192.0.2.1"


class Box:
    """A SecretBox that seals by turning around."""

    def __init__(self) -> None:
        self.opened = 0

    async def seal_secret(self, name: str, secret: bytes) -> bytes:
        return name.encode() + b"\0" + secret[::-1]

    async def open_secrets(self, records: Mapping[str, bytes]) -> Mapping[str, bytes]:
        self.opened += len(records)
        return {
            name: record.partition(b"\0")[2][::-1]
            for name, record in records.items()
            if record.startswith(name.encode() + b"\0")
        }


@dataclass
class Keepers:
    """What keepers were told; those that are away take nothing."""

    told: dict[str, list[ExitRoute]] = field(default_factory=dict)
    away: set[str] = field(default_factory=set)

    async def tell(self, session: str, message: ControllerMessage) -> bool:
        if session in self.away:
            return False
        assert isinstance(message, SetExit)
        self.told.setdefault(session, []).append(message.route)
        return True


@dataclass
class World:
    """Proxies by port: an address, or a sentence why not. `echo` False: nobody reaches the echo service."""

    addresses: dict[int, str | NotMeasured] = field(default_factory=dict)
    echo: bool = True
    host: str | None = HOST
    asked: list[tuple[int, str | None]] = field(default_factory=list)

    async def through(self, upstream: Upstream, echo: str | None) -> Measured:
        self.asked.append((upstream.port, upstream.password))
        found = self.addresses.get(upstream.port, f"203.0.113.{upstream.port % 200}")
        if isinstance(found, NotMeasured) and (found.own or echo is not None):
            raise found
        if echo is None:
            return Measured(None, 5)
        if not self.echo:
            raise NotMeasured("no answer in time")
        assert isinstance(found, str)
        return Measured(found, 20)

    async def direct(self, echo: str) -> Measured:
        if not self.echo or self.host is None:
            raise NotMeasured("no way")
        return Measured(self.host, 1)


class Said:
    """An AlertSink that remembers."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    async def raised(self, alert: Alert) -> None:
        self.alerts.append(alert)

    def kinds(self) -> list[str]:
        return [alert.kind.value for alert in self.alerts]


@dataclass
class Clock:
    now: int = 1_000_000

    def __call__(self) -> int:
        return self.now


class Egresses:
    """One life of the egress on a store and a world that outlive it."""

    def __init__(
        self, store: Store, world: World, clock: Clock, terms: Terms, shipped: Mapping[str, Lists]
    ) -> None:
        self.store, self.world, self.clock = store, world, clock
        self.box, self.keepers, self.said = Box(), Keepers(), Said()
        self.service = EgressService(
            store.exits,
            self.box,
            self.keepers,
            self.said,
            clock,
            terms,
            shipped=shipped,
            through=world.through,
            direct=world.direct,
        )
        self.desk = ExitDesk(self.service, store.exits, self.box, store.exits)

    async def add(self, lines: str) -> None:
        await self.desk.add(read_list(lines), by="root")

    async def user(self, name: str) -> str:
        made = User(new_id("usr"), name, Role.USER, 0)
        await self.store.add_user(made)
        return made.id

    async def settle(self) -> None:
        """Look, and let every check that began come to its end."""
        await self.service.look()
        await self.service.checker.check(self.service.checker.running)
        await self.service.look()

    async def attach(self, user: str, *, exit: str | None = None, **changes: object) -> str:
        """A living session of `user`, whose keeper says it leaves by `exit`."""
        session = a_session(user)
        self.service.noticed(session)
        await self.service.attached(session.id, a_snapshot(session, exit))
        return session.id

    def use(self, session: str, **numbers: int) -> None:
        counted = {f"exit_{name}": str(number) for name, number in numbers.items()}
        self.service.used(session, Usage(self.clock(), counted))

    def last_told(self, session: str) -> ExitRoute:
        return self.keepers.told[session][-1]


@asynccontextmanager
async def an_egress(
    folder: Path,
    *,
    world: World | None = None,
    clock: Clock | None = None,
    terms: Terms | None = None,
    shipped: Mapping[str, Lists] | None = None,
) -> AsyncIterator[Egresses]:
    """Opened on the folder's database; again on the same folder is the next life."""
    store = Store(f"sqlite:///{folder / 'transom.db'}")
    await store.open()
    made = Egresses(store, world or World(), clock or Clock(), terms or Terms(echo=ECHO), shipped or {})
    try:
        await made.service.open()
        yield made
    finally:
        await made.service.close()
        await store.close()


def a_session(user: str, provider: str | None = None, state: SessionState = SessionState.READY) -> Session:
    session = new_id("ses")
    return Session(
        id=session,
        user=user,
        state=state,
        driver="fake",
        image="sha256-0",
        machine=new_id("mch"),
        created_at=0,
        state_since=0,
        expires_at=10**13,
        idle_seconds=60,
        last_seen_at=0,
        width=800,
        height=600,
        start_url="about:blank",
        provider=provider,
    )


def a_snapshot(session: Session, exit: str | None) -> Snapshot:
    return Snapshot(
        version=1,
        machine=session.machine,
        session=session.id,
        exit=exit,
        state="running",
        exit_reason="",
        started_at=0,
        deadline=10**13,
        door_address="127.0.0.1",
        door_port=41000,
        stages={},
        roles=(),
        width=800,
        height=600,
        warnings=(),
        peers=(),
        counters={},
    )
