"""One living session's connection to its keeper: attach, read, route, acknowledge, attach again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from transom.guests.acknowledge import Committed
from transom.guests.inbox import Inbox, deliver, open_envelope
from transom.guests.lane import Act, Lane
from transom.model.errors import TransomError, Unavailable
from transom.model.ports import Driver, KeeperChannel
from transom_wire.codec import WireError
from transom_wire.control import (
    Acknowledge,
    Claim,
    ClaimAnswer,
    ControllerMessage,
    FromGuest,
    GuestMisbehaved,
    KeeperMessage,
    MachineExited,
    RoleChanged,
    SetDeadline,
    Snapshot,
    Usage,
)

log = structlog.get_logger(__name__)
RECONNECT_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
"""Waits between attempts to attach."""


class Guest:
    """Runs as one task. Messages for viewers never wait behind those that need the store."""

    def __init__(
        self,
        session: str,
        machine: str,
        driver: Driver,
        inbox: Inbox,
        used: Callable[[str, Usage], None] = lambda session, usage: None,
        came: Callable[[str, Snapshot], Awaitable[None]] | None = None,
    ) -> None:
        self.session, self.machine = session, machine
        self._driver, self._inbox, self._used, self._came = driver, inbox, used, came
        self._claim: tuple[Claim, asyncio.Future[ClaimAnswer]] | None = None
        self._channel: KeeperChannel | None = None
        self.snapshot: Snapshot | None = None
        self.roles: set[str] = set()
        self.deadline: int | None = None
        self.usage: Usage | None = None
        self.exited = False

    @property
    def connected(self) -> bool:
        """The keeper answered and has neither gone nor said that the machine did."""
        return self._channel is not None and not self.exited

    async def run(self) -> None:
        """Hold the channel until the machine is gone."""
        failures = 0
        while not self.exited:
            try:
                channel = await self._driver.attach(self.machine)
            except (TransomError, OSError, WireError) as error:
                if failures in (0, len(RECONNECT_S)):
                    log.info("keeper does not answer", session=self.session, reason=str(error))
                    self._inbox.unreachable(self.session)
                await asyncio.sleep(RECONNECT_S[min(failures, len(RECONNECT_S) - 1)])
                failures += 1
                continue
            failures = 0
            await self._attached(channel)
            if not self.exited:
                self._inbox.unreachable(self.session)
                await asyncio.sleep(RECONNECT_S[0])

    async def hear_out(self) -> None:
        """Attach once, and read until the keeper has told everything and that the machine exited."""
        try:
            channel = await self._driver.attach(self.machine)
        except (TransomError, OSError, WireError):
            return
        await self._attached(channel)

    async def tell(self, message: ControllerMessage) -> bool:
        """Send to the keeper; False when it cannot be reached now."""
        channel = self._channel
        if channel is None:
            return False
        try:
            await channel.send(message)
        except (Unavailable, OSError):
            return False
        if isinstance(message, SetDeadline):
            self.deadline = message.deadline
        return True

    async def claim(self, claim: Claim) -> ClaimAnswer:
        """Have the machine become this session's. Said again to a keeper that is attached again; the caller
        sets the deadline."""
        self._claim = (claim, asyncio.get_running_loop().create_future())
        try:
            await self.tell(claim)
            return await self._claim[1]
        finally:
            self._claim = None

    async def _attached(self, channel: KeeperChannel) -> None:
        snapshot = channel.snapshot
        self._channel, self.snapshot = channel, snapshot
        self.roles, self.deadline = set(snapshot.roles), snapshot.deadline
        lane = Lane(self.session)
        committed = Committed()
        log.info("keeper attached", session=self.session, roles=sorted(self.roles))
        try:
            if self._claim is not None:
                await self.tell(self._claim[0])
            await lane.put(lambda: self._inbox.attached(self.session, snapshot))
            if (came := self._came) is not None:
                await lane.put(lambda: came(self.session, snapshot))
            await self._read(channel, lane, committed)
            await lane.drain()
        finally:
            self._channel = None
            self.roles = set()
            await lane.close()
            await channel.close()

    async def _read(self, channel: KeeperChannel, lane: Lane, committed: Committed) -> None:
        try:
            async for message in channel.messages():
                await self._take(message, lane, committed)
                if self.exited:
                    return
        except (TransomError, WireError, OSError) as error:
            log.warning("keeper's channel broke", session=self.session, reason=str(error))

    async def _take(self, message: KeeperMessage, lane: Lane, committed: Committed) -> None:
        match message:
            case FromGuest():
                await self._hear(message, lane, committed)
            case RoleChanged(role=role, connected=connected):
                (self.roles.add if connected else self.roles.discard)(role)
                await self._role(role, connected, lane)
            case ClaimAnswer():
                self._answered(message)
            case Usage():
                self.usage = message
                self._used(self.session, message)
            case GuestMisbehaved(role=role, reason=reason):
                self._inbox.misbehaved(self.session, role, reason)
            case MachineExited(reason=reason):
                await lane.drain()  # its last words came before, a sealed credential perhaps
                await self._exit(reason)

    def _answered(self, answer: ClaimAnswer) -> None:
        if self._claim is not None and answer.session == self.session and not self._claim[1].done():
            self._claim[1].set_result(answer)

    async def _role(self, role: str, connected: bool, lane: Lane) -> None:
        def tell() -> Awaitable[None]:
            return self._inbox.role(self.session, role, connected=connected)

        if role == "webrtc":
            await tell()
        else:
            await lane.put(tell)

    async def _exit(self, reason: str) -> None:
        self.exited = True
        await self._inbox.exited(self.session, self.machine, reason)

    async def _hear(self, envelope: FromGuest, lane: Lane, committed: Committed) -> None:
        if not committed.came(envelope.number):
            return
        try:
            message = open_envelope(envelope)
        except WireError as error:
            self._inbox.misbehaved(self.session, envelope.role, str(error))
            await self._acknowledge(committed, envelope.number)
            return

        async def take() -> None:
            await deliver(self._inbox, self.session, message, envelope.at)

        if envelope.role == "webrtc":
            await self._now(take)
            await self._acknowledge(committed, envelope.number)
        else:
            await lane.put(take, lambda: self._acknowledge(committed, envelope.number))

    async def _now(self, act: Act) -> None:
        try:
            await act()
        except TransomError as error:
            log.warning("a guest's message was refused", session=self.session, reason=error.message)

    async def _acknowledge(self, committed: Committed, number: int) -> None:
        reached = committed.done(number)
        if reached is not None:
            await self.tell(Acknowledge(reached))
