"""In-memory stand-ins for the outside of the controller. They keep the ports' promises, and can break on demand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from transom.model.errors import Conflict, DriverError, NotFound, Unavailable
from transom.model.ids import new_id
from transom.model.machine import DriverFlags, Machine, MachinePhase, MachineSpec, MachineState, Probe
from transom.model.session import Session, SessionState, Signin, SigninStage
from transom_wire import WIRE_VERSION
from transom_wire.codec import encode
from transom_wire.control import (
    Acknowledge,
    Claim,
    ClaimAnswer,
    ControllerMessage,
    FromGuest,
    KeeperMessage,
    MachineExited,
    RoleChanged,
    SetDeadline,
    Snapshot,
    ToGuest,
)
from transom_wire.link import CredentialSealed, GuestMessage, Progress, SigninState

START = 1_800_000_000_000
"""Unix milliseconds at which a fake clock begins."""


class FakeClock:
    """Time that moves only when told."""

    def __init__(self, now: int = START) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += int(seconds * 1000)


def a_session(**changes: Any) -> Session:
    """A session that was just requested."""
    base = Session(
        id=new_id("ses"),
        user="usr_" + "a" * 20,
        state=SessionState.REQUESTED,
        driver="fake",
        image="sha256-" + "0" * 64,
        created_at=START,
        state_since=START,
        expires_at=START + 8 * 3600_000,
        idle_seconds=1800,
        last_seen_at=START,
        width=1280,
        height=720,
        start_url="about:blank",
        machine=new_id("mch"),
        timeline={"accepted": 0},
    )
    return replace(base, **changes)


class FakeSessions:
    """A SessionStore. `broken` makes every call Unavailable."""

    def __init__(self) -> None:
        self.rows: dict[str, Session] = {}
        self.keys: dict[tuple[str, str], str] = {}
        self.broken = False
        self.refused = 0
        self.history: list[tuple[str, SessionState]] = []

    def _check(self) -> None:
        if self.broken:
            self.refused += 1
            raise Unavailable("the disk is full")

    async def add_session(self, session: Session, idempotency_key: str | None) -> Session:
        self._check()
        if idempotency_key is not None:
            known = self.keys.setdefault((session.user, idempotency_key), session.id)
            if known != session.id:
                return self.rows[known]
        self.rows[session.id] = session
        return session

    async def session_by_key(self, user: str, idempotency_key: str) -> Session | None:
        self._check()
        return self.rows.get(self.keys.get((user, idempotency_key), ""))

    async def get_session(self, session: str) -> Session | None:
        self._check()
        return self.rows.get(session)

    async def list_sessions(self, *, user: str | None = None, living: bool = False) -> Sequence[Session]:
        self._check()
        return [
            row
            for row in self.rows.values()
            if (user is None or row.user == user) and not (living and row.state.over)
        ]

    async def save_session(self, session: Session, *, seen: Session) -> bool:
        self._check()
        row = self.rows.get(session.id)
        if row is None or _place(row) != _place(seen):
            return False
        self.rows[session.id] = replace(session, last_seen_at=max(row.last_seen_at, session.last_seen_at))
        if row.state is not session.state:
            self.history.append((session.id, session.state))
        return True

    async def touch_session(self, session: str, at: int) -> None:
        self._check()
        row = self.rows.get(session)
        if row is not None and not row.state.over:
            self.rows[session] = replace(row, last_seen_at=max(row.last_seen_at, at))

    async def delete_session(self, session: str) -> None:
        self._check()
        row = self.rows.get(session)
        if row is not None and not row.state.over:
            raise Conflict("the session is not over")
        self.rows.pop(session, None)


def _place(session: Session) -> tuple[object, ...]:
    return session.state, session.wanted_end, session.machine


class FakeMachines:
    """A MachineStore beside `sessions`, whose taking is one step with its own."""

    def __init__(self, sessions: FakeSessions) -> None:
        self._sessions = sessions
        self.rows: dict[str, Machine] = {}
        self.logs: dict[str, str] = {}

    async def add_machine(self, machine: Machine) -> Machine:
        self._sessions._check()
        if machine.id not in self.rows:
            taken = {row.slot for row in self._standing()}
            taken |= {
                row.slot for row in self.rows.values() if machine.session and row.session == machine.session
            }
            slot = next(number for number in range(len(taken) + 1) if number not in taken)
            self.rows[machine.id] = replace(machine, slot=slot)
        return self.rows[machine.id]

    def _standing(self) -> list[Machine]:
        return [row for row in self.rows.values() if row.phase is not MachinePhase.OVER]

    async def get_machine(self, machine: str) -> Machine | None:
        self._sessions._check()
        return self.rows.get(machine)

    async def list_machines(self, *, living: bool, limit: int = 200) -> Sequence[Machine]:
        self._sessions._check()
        return self._standing() if living else list(self.rows.values())

    async def save_machine(self, machine: Machine, *, seen: Machine) -> bool:
        self._sessions._check()
        row = self.rows.get(machine.id)
        if row is None or (row.phase, row.session) != (seen.phase, seen.session):
            return False
        self.rows[machine.id] = machine
        return True

    async def take_parked(self, seen: Session, at: int, then: Callable[[Machine], Session]) -> Session | None:
        self._sessions._check()
        fits = [
            row
            for row in self._standing()
            if row.phase is MachinePhase.PARKED and (row.driver, row.image) == (seen.driver, seen.image)
        ]
        if not fits:
            return None
        taken = min(fits, key=lambda row: (row.made_at, row.id))
        wanted = then(taken)
        if not await self._sessions.save_session(wanted, seen=seen):
            return None
        self.rows[taken.id] = replace(taken, phase=MachinePhase.CLAIMED, session=seen.id, phase_since=at)
        return wanted

    async def machine_counts(self, *, since: int) -> Sequence[tuple[str, bool, str, str, int]]:
        return []

    async def save_machine_log(self, machine: str, log: str) -> None:
        self.logs[machine] = log

    async def machine_log(self, machine: str) -> str | None:
        return self.logs.get(machine)

    async def prune_machines(self, *, before: int) -> int:
        return 0


class FakeLogs:
    """MachineLogs: one line of each machine that the driver has, or has kept the folder of."""

    def __init__(self, driver: FakeDriver) -> None:
        self._driver = driver
        self.guest = ""
        """What the guest wrote."""

    async def read(self, machine: str) -> str:
        there = machine in self._driver.machines or machine in self._driver.kept
        return f"{self.guest}== keeper.log ==\nlog of {machine}" if there else ""


class FakeKeeper:
    """A machine with its keeper: outlives the controller under test, keeps what is not acknowledged."""

    def __init__(self, spec: MachineSpec) -> None:
        self.spec = spec
        self.alive = True
        self.exit_reason = ""
        self.stages: dict[str, str] = {}
        self.roles: set[str] = set()
        self.received: list[ControllerMessage] = []
        self.waiting: list[FromGuest] = []
        self.deadline = spec.deadline
        self.session = spec.session
        self.answers: str | None = ""
        """What a claim is refused with; empty: it is accepted; None: there is no answer."""
        self.on_claim: Callable[[FakeKeeper], None] | None = None
        self._numbers = 0
        self._channel: FakeChannel | None = None

    def snapshot(self) -> Snapshot:
        return Snapshot(
            version=WIRE_VERSION,
            machine=self.spec.machine,
            session=self.session,
            exit=None,
            state="running" if self.alive else "exited",
            exit_reason=self.exit_reason,
            started_at=START,
            deadline=self.deadline,
            door_address="127.0.0.1",
            door_port=41000,
            stages=dict(self.stages),
            roles=tuple(sorted(self.roles)),
            width=self.spec.width,
            height=self.spec.height,
            warnings=(),
            peers=(),
            counters={},
        )

    def attach(self) -> FakeChannel:
        if self._channel is not None:
            self._channel.end()
        self._channel = FakeChannel(self)
        for message in self.waiting:
            self._channel.put(message)
        if self._channel.snapshot.state == "exited":
            self._channel.put(MachineExited(self.exit_reason))
        return self._channel

    def say(self, role: str, message: GuestMessage, at: int = START) -> None:
        """The guest's `role` says something."""
        self.say_bytes(role, encode(message), at)

    def say_bytes(self, role: str, body: bytes, at: int = START) -> None:
        self._numbers += 1
        envelope = FromGuest(self._numbers, role, at, body)
        self.waiting.append(envelope)
        self._put(envelope)

    def link(self, role: str, *, connected: bool = True) -> None:
        """A part of the guest comes to the link, or leaves it."""
        (self.roles.add if connected else self.roles.discard)(role)
        self._put(RoleChanged(role, connected))

    def exit(self, reason: str) -> None:
        """The machine ends; its keeper says so."""
        self.alive, self.exit_reason = False, reason
        self._put(MachineExited(reason))

    def die(self) -> None:
        """The keeper is killed: nothing is said."""
        self.alive = False
        if self._channel is not None:
            self._channel.end()

    def park(self) -> None:
        """The warm guest has its desktop up."""
        for stage in ("guest", "display", "desktop", "browser", "parked"):
            self.stages[stage] = str(START)
        self.say("boot", Progress("parked"))

    def claimed(self, claim: Claim) -> None:
        """As the keeper does: once, and for one session."""
        if self.answers is None:
            return
        if self.session not in (None, claim.session):
            self._put(ClaimAnswer(claim.session, False, "the machine is another session's"))
            return
        self.session = claim.session
        self._put(ClaimAnswer(claim.session, not self.answers, self.answers))
        if self.on_claim is not None and not self.answers:
            self.on_claim(self)

    def drop(self) -> None:
        """The connection to the controller breaks; keeper and machine live on."""
        if self._channel is not None:
            self._channel.end()

    def told(self, kind: type) -> list[Any]:
        """What the controller said of that kind; messages to guests as (role, body)."""
        return [message for message in self.received if isinstance(message, kind)]

    def to_guest(self) -> list[tuple[str, bytes]]:
        return [(message.role, message.body) for message in self.told(ToGuest)]

    def _put(self, message: KeeperMessage) -> None:
        if self._channel is not None:
            self._channel.put(message)


class FakeChannel:
    """One attachment to a FakeKeeper."""

    def __init__(self, keeper: FakeKeeper) -> None:
        self._keeper = keeper
        self.snapshot = keeper.snapshot()
        self._queue: asyncio.Queue[KeeperMessage | None] = asyncio.Queue()
        self._ended = False

    def put(self, message: KeeperMessage) -> None:
        self._queue.put_nowait(message)

    def end(self) -> None:
        self._ended = True
        self._queue.put_nowait(None)

    async def send(self, message: ControllerMessage) -> None:
        if self._ended:
            raise Unavailable("the keeper is gone")
        self._keeper.received.append(message)
        if isinstance(message, SetDeadline):
            self._keeper.deadline = message.deadline
        if isinstance(message, Claim):
            self._keeper.claimed(message)
        if isinstance(message, Acknowledge):
            self._keeper.waiting = [each for each in self._keeper.waiting if each.number > message.number]

    async def messages(self) -> AsyncIterator[KeeperMessage]:
        while (message := await self._queue.get()) is not None:
            yield message

    async def close(self) -> None:
        self._ended = True


class FakeDriver:
    """Machines in a dictionary; it outlives controllers, as a host does."""

    name = "fake"
    flags = DriverFlags(warm=True)

    def __init__(self) -> None:
        self.prepared: list[str] = []
        self.swept: list[set[str]] = []
        self.on_warm: Callable[[FakeKeeper], None] | None = FakeKeeper.park
        self.machines: dict[str, FakeKeeper] = {}
        self.kept: set[str] = set()
        self.acts: list[tuple[str, str]] = []
        self.fail_create: str | None = None
        self.fail_destroy = False
        self.hold_create: asyncio.Event | None = None
        self.on_create: Callable[[FakeKeeper], None] | None = None
        self.streams: list[tuple[str, str]] = []
        self.stream: Callable[[], Any] | None = None

    async def probe(self) -> Probe:
        return Probe(True)

    async def sweep(self, images: Collection[str]) -> None:
        self.swept.append(set(images))

    async def prepare(self, image: str) -> None:
        self.prepared.append(image)

    async def create(self, spec: MachineSpec) -> None:
        self.acts.append(("create", spec.machine))
        if self.hold_create is not None:
            await self.hold_create.wait()
        if self.fail_create is not None:
            self.kept.add(spec.machine)
            raise DriverError(self.fail_create)
        keeper = self.machines.setdefault(spec.machine, FakeKeeper(spec))
        act = self.on_create if spec.session is not None else self.on_warm
        if act is not None:
            act(keeper)

    async def observe(self) -> Mapping[str, MachineState]:
        found = {
            machine: MachineState.RUNNING if keeper.alive else MachineState.GONE
            for machine, keeper in self.machines.items()
        }
        return found | dict.fromkeys(self.kept - found.keys(), MachineState.GONE)

    async def attach(self, machine: str) -> FakeChannel:
        keeper = self.machines.get(machine)
        if keeper is None or not keeper.alive:
            raise Unavailable("no keeper answers")
        return keeper.attach()

    async def open_stream(self, machine: str, kind: str) -> Any:
        self.streams.append((machine, kind))
        if self.stream is None or machine not in self.machines:
            raise Unavailable("no display")
        return await self.stream()

    async def destroy(self, machine: str, *, keep_folder: bool) -> None:
        self.acts.append(("destroy", machine))
        if self.fail_destroy:
            raise DriverError("it does not die")
        keeper = self.machines.pop(machine, None)
        if keeper is not None:
            keeper.die()
            if keep_folder:
                self.kept.add(machine)
        if not keep_folder:
            self.kept.discard(machine)

    async def purge(self, machine: str) -> None:
        self.acts.append(("purge", machine))
        self.kept.discard(machine)

    def of(self, session: str) -> FakeKeeper:
        """The keeper of a session's machine."""
        return next(keeper for keeper in self.machines.values() if keeper.session == session)


class FakeDesk:
    """A SigninDesk that knows `demo` and believes what it is told."""

    def __init__(self) -> None:
        self.reachable = True
        self.started: list[str] = []
        self.cancelled: list[str] = []
        self.took: list[SigninState | CredentialSealed] = []

    def knows(self, provider: str) -> bool:
        return provider == "demo"

    def new_flow(self, provider: str) -> Signin:
        if not self.knows(provider):
            raise NotFound("no such provider")
        return Signin(flow=new_id("flw"), provider=provider, stage=SigninStage.PENDING)

    async def start(self, session: Session) -> Signin | None:
        assert session.signin is not None
        self.started.append(session.id)
        return replace(session.signin, stage=SigninStage.STARTING) if self.reachable else None

    async def received(self, session: Session, message: SigninState | CredentialSealed) -> Signin | None:
        assert session.signin is not None
        self.took.append(message)
        if isinstance(message, CredentialSealed):
            return replace(session.signin, stage=SigninStage.DONE, saved_names=message.names)
        return replace(session.signin, stage=SigninStage(message.stage), url=message.url)

    async def cancel(self, session: Session) -> Signin | None:
        self.cancelled.append(session.id)
        if session.signin is None or session.signin.stage.over:
            return None
        return replace(session.signin, stage=SigninStage.CANCELLED)
