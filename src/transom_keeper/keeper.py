"""One machine's keeper: puts its parts together, and decides when the machine has ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import socket
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from transom_keeper import view
from transom_keeper.cgroups import Groups
from transom_keeper.claim import CLAIMED, PARKED, ClaimDesk, seconds_for
from transom_keeper.control import ControlServer
from transom_keeper.deadline import Deadline, now_ms
from transom_keeper.machine import Launcher, LaunchError, Machine
from transom_keeper.openings import Openings
from transom_keeper.outbox import Outbox
from transom_keeper.splice import Stream
from transom_keeper.usage import UsageMeter, UsageReports
from transom_wire.codec import encode
from transom_wire.control import (
    Acknowledge,
    Claim,
    ClaimAnswer,
    ControllerMessage,
    FromGuest,
    GuestMisbehaved,
    RegisterPeer,
    ReleasePeer,
    RoleChanged,
    SetDeadline,
    SetExit,
    Snapshot,
    StopMachine,
    ToGuest,
)
from transom_wire.keeper_config import KeeperConfig
from transom_wire.link import Fatal, GuestMessage, Identity, Progress, Ready

logger = logging.getLogger("keeper")

LINGER_SECONDS = 60.0
"""A keeper stays this long after its machine, for a controller to come and hear of it."""
LINGER_PRECIOUS_SECONDS = 900.0
"""The same while a sealed credential waits that no controller has committed."""
LINGER_LOOK_SECONDS = 0.25
SEEN_SECONDS = 1.0
"""After a controller has heard: time for it to acknowledge and to look once more."""
MOST_STAGES = 15
SAVED = "its snapshot is saved"
"""How a machine ends that was made for nothing else."""


@dataclass(frozen=True, slots=True)
class Place:
    """What was made before rights were dropped."""

    control: socket.socket
    public: socket.socket
    groups: Groups
    allowed_uids: frozenset[int]
    launcher: Launcher


@dataclass(slots=True)
class Keeper:
    """Everything of one machine, from its start to the removal of its socket."""

    config: KeeperConfig
    place: Place
    outbox: Outbox = field(default_factory=Outbox)
    exit_reason: str | None = None
    deadline: Deadline = field(init=False)
    claims: ClaimDesk = field(init=False)
    usage: UsageReports = field(init=False)
    _started_at: int = 0
    _stages: dict[str, str] = field(default_factory=dict)
    _size: tuple[int, int] = (0, 0)
    _door_port: int = 0
    _terminated: bool = False
    _stop: asyncio.Future[str] | None = None
    _seen_at: float | None = None
    _machine: Machine | None = None
    _saving: asyncio.Task[None] | None = None
    _parked: asyncio.Event = field(default_factory=asyncio.Event)
    _openings: Openings = field(default_factory=Openings)
    _control: ControlServer | None = None

    def __post_init__(self) -> None:
        self.deadline, self._started_at = Deadline(self.config.deadline), now_ms()
        self.claims = ClaimDesk(self, self.config.session, seconds_for(self.config.vm), now_ms)
        meter = UsageMeter(self.place.groups.folders, Path(self.config.folder))
        opened = self._openings
        self.usage = UsageReports(meter, lambda: opened.forwarder, lambda: self._control, lambda: opened.door)
        self._size = (self.config.width, self.config.height)
        self._door_port = self.place.public.getsockname()[1]

    async def start(self) -> Machine:
        """Start the machine and everything around it. Raises LaunchError."""
        loop = asyncio.get_running_loop()
        self._stop = loop.create_future()
        loop.add_signal_handler(signal.SIGTERM, self._terminate)
        self.deadline.arm()
        self._machine = machine = await self.place.launcher()
        try:
            token = self.config.boot_token or secrets.token_urlsafe(32)
            await self._openings.open(machine, token, self.config, self.place.public, self)
            await machine.begin(token)
        except BaseException:
            await machine.kill()
            raise
        self.place.groups.close()
        self._control = ControlServer(self.place.control, self, self.place.allowed_uids)
        await self._control.start()
        if self.config.vm is not None and self.config.vm.save_snapshot is not None:
            folder = Path(self.config.vm.save_snapshot)
            self._saving = asyncio.ensure_future(self._save(machine, token, folder))
        logger.info("machine %s runs", self.config.machine)
        return machine

    async def run(self, machine: Machine) -> None:
        """Until the machine has ended and somebody, or nobody in time, has heard of it."""
        assert self._stop is not None and self._control is not None
        ended = asyncio.ensure_future(machine.wait())
        watch = asyncio.ensure_future(self._watch_deadline())
        reports = asyncio.ensure_future(self.usage.run(machine.outside()))
        await asyncio.wait({ended, self._stop}, return_when=asyncio.FIRST_COMPLETED)
        watch.cancel()
        reports.cancel()
        await self.usage.measure()
        reason = self._stop.result() if self._stop.done() else ended.result()
        if self._saving is not None:
            self._saving.cancel()
        await machine.kill()
        await ended
        self.exit_reason = reason[:500]
        self.claims.lost(f"the machine ended: {reason}")
        logger.info("machine %s ended: %s", self.config.machine, reason)
        view.note_exit(self.config.machine, self.exit_reason)
        await self._openings.close()
        self.deadline.disarm()
        self.usage.tell()
        await self._control.tell_exit(self.exit_reason)
        await self._linger()
        await self._control.close()
        with contextlib.suppress(OSError):
            os.unlink("keeper.sock")

    async def _save(self, machine: Machine, token: str, folder: Path) -> None:
        """Once the guest is parked: part from it, and make the snapshot that this machine is for."""
        await self._parked.wait()
        assert self._openings.link is not None
        try:
            await self._openings.link.part()
            await machine.save(token, folder)
        except (LaunchError, TimeoutError, OSError) as error:
            self._ask_stop(f"its snapshot cannot be saved: {error}")
        else:
            self._ask_stop(SAVED)

    async def _linger(self) -> None:
        """Until a controller has heard and holds all that is precious, or nobody came."""
        began = time.monotonic()
        while not self._terminated:
            await asyncio.sleep(LINGER_LOOK_SECONDS)
            now, precious = time.monotonic(), self.outbox.precious
            if now - began > (LINGER_PRECIOUS_SECONDS if precious else LINGER_SECONDS):
                return
            if not precious and self._seen_at is not None and now - self._seen_at > SEEN_SECONDS:
                return

    def _terminate(self) -> None:
        """Whoever sends the signal knows that the machine ends; nobody else has to be waited for."""
        self._terminated = True
        self._ask_stop("the keeper was told to stop")

    def _ask_stop(self, reason: str) -> None:
        if self._stop is not None and not self._stop.done():
            self._stop.set_result(reason)

    async def _watch_deadline(self) -> None:
        await self.deadline.passed()
        self._ask_stop("its deadline has passed")

    def received(self, role: str, message: GuestMessage, body: bytes) -> None:
        """The link's sink: keep for the controller, and send on. Raises OutboxFull."""
        at = now_ms()
        numbered = self.outbox.add(role, at, body, message)
        if isinstance(message, Progress):
            self._reached(message.stage, at)
        elif isinstance(message, Ready):
            self._size = (message.width, message.height)
            self._reached("ready", at)
        if self._control is not None:
            self._control.deliver(numbered)
        if message == Progress(CLAIMED):
            self.claims.taken()
        elif isinstance(message, Fatal):
            self.claims.lost(message.reason)

    def _reached(self, stage: str, at: int) -> None:
        if stage in self._stages or (stage != "ready" and len(self._stages) >= MOST_STAGES):
            return
        self._stages[stage] = str(at)
        if stage == PARKED:
            self._parked.set()

    def role_changed(self, role: str, connected: bool) -> None:
        """The link's sink."""
        if connected and role == "boot":
            self._reached("guest", now_ms())
            if self._machine is not None:
                self._machine.heard()
        logger.info("link role %s %s", role, "connected" if connected else "went away")
        if self._control is not None:
            self._control.deliver(RoleChanged(role=role, connected=connected))

    def misbehaved(self, role: str, reason: str) -> None:
        """The link's sink."""
        if self._control is not None:
            self._control.deliver(GuestMisbehaved(role=role, reason=reason[:500]))

    def waiting(self) -> tuple[FromGuest, ...]:
        """The control socket's question."""
        return self.outbox.waiting()

    def exit_seen(self) -> None:
        """The control socket's word."""
        self._seen_at = time.monotonic()

    async def open_stream(self, kind: str) -> Stream | None:
        """The control socket's wish."""
        return await self._openings.open_stream(kind) if self.exit_reason is None else None

    def command(self, message: ControllerMessage) -> None:
        """Do what the controller asks. Raises ValueError."""
        match message:
            case Acknowledge(number):
                self.outbox.acknowledge(number)
            case ToGuest(role, body):
                self._openings.say(role, body)
            case RegisterPeer():
                self._openings.register(message)
            case ReleasePeer(peer):
                self._openings.release(peer)
            case Claim():
                self.claims.ask(message, parked=self._parked.is_set())
            case SetDeadline(deadline):
                self.deadline.move(deadline)
            case SetExit(route):
                self.config = replace(self.config, exit=route)
                self._openings.leave_by(route, self.usage.tell)
            case StopMachine(reason):
                self._ask_stop(f"stopped: {reason}")
            case _:
                raise ValueError("not a command, or too early for it")

    def give(self, identity: Identity) -> str:
        """The claim's word to the guest, which finds its machine-id changed already where it cannot do so itself."""
        assert self._machine is not None
        try:
            self._machine.name(identity.machine_id)
        except OSError as error:
            return f"its machine-id cannot be written: {error.strerror or error}"
        return "" if self._openings.say("boot", encode(identity)) else "the guest is not linked"

    def adopt(self, claim: Claim) -> None:
        """The claim has reached the guest: this machine is that session's."""
        self.config = replace(self.config, session=claim.session, start_url=claim.start_url)
        self._size = (claim.width, claim.height)
        self.command(SetDeadline(claim.deadline))
        self.command(SetExit(claim.route))

    def answer(self, answer: ClaimAnswer) -> None:
        """The claim's word to the controller."""
        if self._control is not None:
            self._control.deliver(answer)

    def snapshot(self) -> Snapshot:
        """What is known now."""
        ways = self._openings
        return view.snapshot(
            self.config,
            exit_reason=self.exit_reason,
            times=(self._started_at, self.deadline.at),
            size=self._size,
            door_port=self._door_port,
            stages=self._stages,
            warnings=(*self.place.groups.warnings, *(self._machine.warnings() if self._machine else ())),
            link=ways.link,
            door=ways.door,
            counters=view.counters(self.outbox, ways.link, ways.door, ways.forwarder),
        )
