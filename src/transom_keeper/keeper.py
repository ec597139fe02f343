"""One machine's keeper: puts its parts together, and decides when the machine has ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import secrets
import signal
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from transom_keeper.cgroups import Groups
from transom_keeper.control import ControlServer
from transom_keeper.door import Door
from transom_keeper.forwarder import Forwarder
from transom_keeper.launch import Sandbox, launch
from transom_keeper.link import LinkRelay
from transom_keeper.log import GuestOutput
from transom_keeper.outbox import Outbox
from transom_keeper.sandbox import FORWARDER_PORT
from transom_keeper.splice import Stream
from transom_wire import WIRE_VERSION
from transom_wire.control import (
    Acknowledge,
    ControllerMessage,
    FromGuest,
    GuestMisbehaved,
    KeeperConfig,
    RegisterPeer,
    ReleasePeer,
    RoleChanged,
    SetDeadline,
    Snapshot,
    StopMachine,
    ToGuest,
)
from transom_wire.link import GuestMessage, Progress, Ready, Welcome

logger = logging.getLogger("keeper")

DEADLINE_LOOK_SECONDS = 15.0
"""The clock of the wall is looked at this often: it may jump, and the host may have slept."""
ALARM_SLACK_SECONDS = 60
"""So long after the deadline the kernel ends a keeper that does not do so itself, and with it the machine."""
LINGER_SECONDS = 60.0
"""A keeper stays this long after its machine, for a controller to come and hear of it."""
LINGER_PRECIOUS_SECONDS = 900.0
"""The same while a sealed credential waits that no controller has committed."""
LINGER_LOOK_SECONDS = 0.25
SEEN_SECONDS = 1.0
"""After a controller has heard: time for it to acknowledge and to look once more."""
MOST_STAGES = 15


@dataclass(frozen=True, slots=True)
class Place:
    """What was made before rights were dropped."""

    control: socket.socket
    public: socket.socket
    groups: Groups
    allowed_uids: frozenset[int]
    folder: Path
    tag: str
    bwrap: str
    guest_output: GuestOutput


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


@dataclass(slots=True)
class Keeper:
    """Everything of one machine, from its start to the removal of its socket."""

    config: KeeperConfig
    place: Place
    outbox: Outbox = field(default_factory=Outbox)
    exit_reason: str | None = None
    _deadline: int = 0
    _started_at: int = 0
    _stages: dict[str, str] = field(default_factory=dict)
    _size: tuple[int, int] = (0, 0)
    _door_port: int = 0
    _terminated: bool = False
    _deadline_moved: asyncio.Event = field(default_factory=asyncio.Event)
    _stop: asyncio.Future[str] | None = None
    _seen_at: float | None = None
    _link: LinkRelay | None = None
    _door: Door | None = None
    _forwarder: Forwarder | None = None
    _control: ControlServer | None = None

    def __post_init__(self) -> None:
        self._deadline, self._started_at = self.config.deadline, now_ms()
        self._size = (self.config.width, self.config.height)
        self._door_port = self.place.public.getsockname()[1]

    async def start(self) -> Sandbox:
        """Start the machine and everything around it. Raises LaunchError."""
        loop = asyncio.get_running_loop()
        self._stop = loop.create_future()
        loop.add_signal_handler(signal.SIGTERM, self._terminate)
        self._arm()
        sandbox, init = await launch(
            self.place.bwrap, self.config, self.place.tag, self.place.groups, self.place.guest_output
        )
        self.place.groups.close()
        token = secrets.token_urlsafe(32)
        await self._open_ways(sandbox, token)
        with init:
            await loop.sock_sendall(init, token.encode())
        self._control = ControlServer(self.place.control, self, self.place.allowed_uids)
        await self._control.start()
        logger.info("machine %s runs", self.config.machine)
        return sandbox

    async def _open_ways(self, sandbox: Sandbox, token: str) -> None:
        loop = asyncio.get_running_loop()
        welcome = Welcome(
            version=WIRE_VERSION,
            session=self.config.session,
            width=self.config.width,
            height=self.config.height,
            start_url=self.config.start_url,
            forwarder_port=FORWARDER_PORT,
        )
        self._link = LinkRelay(sandbox.sockets.link, welcome, token, self)
        self._door = Door(self.place.public, sandbox.sockets.door, loop)
        self._forwarder = Forwarder(sandbox.sockets.forwarder, self.config.exit.kind)
        await self._link.start()
        await self._forwarder.start()

    async def run(self, sandbox: Sandbox) -> None:
        """Until the machine has ended and somebody, or nobody in time, has heard of it."""
        assert self._stop is not None and self._control is not None
        ended = asyncio.ensure_future(sandbox.wait())
        watch = asyncio.ensure_future(self._watch_deadline())
        await asyncio.wait({ended, self._stop}, return_when=asyncio.FIRST_COMPLETED)
        watch.cancel()
        reason = self._stop.result() if self._stop.done() else ended.result()
        await sandbox.kill()
        await ended
        self.exit_reason = reason[:500]
        logger.info("machine %s ended: %s", self.config.machine, reason)
        self._note_exit()
        await self._close_ways()
        signal.alarm(0)
        await self._control.tell_exit(self.exit_reason)
        await self._linger()
        await self._control.close()
        with contextlib.suppress(OSError):
            os.unlink("keeper.sock")

    async def _close_ways(self) -> None:
        if self._link is not None:
            await self._link.close()
        if self._forwarder is not None:
            await self._forwarder.close()
        if self._door is not None:
            self._door.close()

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

    def _note_exit(self) -> None:
        """Leave word for whoever comes after the keeper."""
        note = {"machine": self.config.machine, "reason": self.exit_reason, "at": now_ms()}
        with contextlib.suppress(OSError):
            Path("exit.json.new").write_text(json.dumps(note) + "\n")
            os.replace("exit.json.new", "exit.json")

    def _terminate(self) -> None:
        """Whoever sends the signal knows that the machine ends; nobody else has to be waited for."""
        self._terminated = True
        self._ask_stop("the keeper was told to stop")

    def _ask_stop(self, reason: str) -> None:
        if self._stop is not None and not self._stop.done():
            self._stop.set_result(reason)

    def _arm(self) -> None:
        """A keeper whose loop hangs past the deadline is ended by the kernel."""
        left = (self._deadline - now_ms()) // 1000
        signal.alarm(min(max(0, left) + ALARM_SLACK_SECONDS, 2**31 - 1))

    async def _watch_deadline(self) -> None:
        while (left := (self._deadline - now_ms()) / 1000) > 0:
            self._deadline_moved.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, DEADLINE_LOOK_SECONDS)):
                    await self._deadline_moved.wait()
            self._arm()
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

    def _reached(self, stage: str, at: int) -> None:
        if stage in self._stages or (stage != "ready" and len(self._stages) >= MOST_STAGES):
            return
        self._stages[stage] = str(at)

    def role_changed(self, role: str, connected: bool) -> None:
        """The link's sink."""
        if connected and role == "boot":
            self._reached("guest", now_ms())
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
        if self._link is None or self.exit_reason is not None:
            return None
        return await self._link.open_stream(kind)

    def command(self, message: ControllerMessage) -> None:
        """Do what the controller asks. Raises ValueError."""
        match message:
            case Acknowledge(number):
                self.outbox.acknowledge(number)
            case ToGuest(role, body):
                if self._link is not None:
                    self._link.send(role, body)
            case RegisterPeer() if self._door is not None:
                self._door.register(message)
            case ReleasePeer(peer) if self._door is not None:
                self._door.release(peer)
            case SetDeadline(deadline):
                self._deadline = deadline
                self._deadline_moved.set()
            case StopMachine(reason):
                self._ask_stop(f"stopped: {reason}")
            case _:
                raise ValueError("not a command, or too early for it")

    def snapshot(self) -> Snapshot:
        """What is known now."""
        return Snapshot(
            version=WIRE_VERSION,
            machine=self.config.machine,
            session=self.config.session,
            exit=self.config.exit.exit,
            state="running" if self.exit_reason is None else "exited",
            exit_reason=self.exit_reason or "",
            started_at=self._started_at,
            deadline=self._deadline,
            door_address=self.config.door_address,
            door_port=self._door_port,
            stages=dict(self._stages),
            roles=self._link.roles if self._link is not None and self.exit_reason is None else (),
            width=self._size[0],
            height=self._size[1],
            warnings=tuple(each[:500] for each in self.place.groups.warnings[:16]),
            peers=self._door.peers()[:64] if self._door is not None and self.exit_reason is None else (),
            counters=self._counters(),
        )

    def _counters(self) -> dict[str, str]:
        counters: dict[str, str] = {}
        if self._link is not None:
            counters |= {f"link_{name}": str(count) for name, count in self._link.counts.items()}
        counters["outbox_dropped"] = str(self.outbox.dropped)
        parts: Sequence[tuple[str, Door | Forwarder | None]] = (
            ("door", self._door),
            ("exit", self._forwarder),
        )
        for prefix, part in parts:
            if part is not None:
                counters |= {f"{prefix}_{name}": count for name, count in part.counters().items()}
        return dict(list(counters.items())[:64])
