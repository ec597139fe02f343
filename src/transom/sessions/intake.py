"""What guests say, turned into rows, answers and credentials. A guest may lie; it lies about itself only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import structlog

from transom.model.clock import Clock
from transom.model.errors import NotFound
from transom.model.ports import GuestSender, SigninDesk
from transom.model.session import STAGES, EndReason, Session, Signin, SigninStage
from transom.sessions.accounts import Accounts
from transom.sessions.ledger import Ledger
from transom.sessions.plan import decide, mark
from transom.sessions.steps import Seen
from transom.sessions.world import World
from transom_wire.control import Snapshot
from transom_wire.link import (
    CredentialSealed,
    CredentialStored,
    Fatal,
    PeerAnswer,
    PeerState,
    Progress,
    Ready,
    ServiceState,
    SigninState,
    StreamReport,
)

log = structlog.get_logger(__name__)
GUEST_STAGES = frozenset({"display", "desktop", "browser"})
"""Stages a guest may claim by Progress; the others are ours, or have a message of their own."""
WARNINGS_LIMIT = 16
SIGNIN_TRIES = 4
"""How often a message is taken in again because the flow was changed meanwhile."""


class Peers(Protocol):
    """What guests have to say to viewers."""

    async def answered(self, session: str, message: PeerAnswer) -> None: ...
    async def peer_moved(self, session: str, message: PeerState) -> None: ...
    def link_fared(self, session: str, message: StreamReport) -> None: ...
    async def stream_server_came(self, session: str) -> None: ...
    async def stream_server_died(self, session: str) -> None: ...


class Intake:
    """Implements `transom.guests.inbox.Inbox` for the sessions."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        world: World,
        desk: SigninDesk,
        peers: Peers,
        guests: GuestSender,
        clock: Clock,
        wake: Callable[[str], None],
        look_soon: Callable[[], None],
        count: Callable[[str], None],
        died: Callable[[str], None],
        accounts: Accounts,
    ) -> None:
        self._ledger, self._world, self._desk, self._peers = ledger, world, desk, peers
        self._guests, self._clock = guests, clock
        self._wake, self._look_soon, self._count = wake, look_soon, count
        self._died, self._accounts = died, accounts

    async def attached(self, session: str, snapshot: Snapshot) -> None:
        """A keeper answered: take over what it knows."""

        def take(row: Session) -> Session:
            if row.machine != snapshot.machine:
                return row
            for stage in STAGES:
                if stage in snapshot.stages and stage != "first_frame":
                    row = mark(row, stage, _milliseconds(snapshot.stages[stage]))
            return replace(row, warnings=snapshot.warnings[:WARNINGS_LIMIT])

        await self._change(session, take)
        self._wake(session)
        if "webrtc" in snapshot.roles:
            await self._peers.stream_server_came(session)

    async def boot(self, session: str, message: Progress | Ready | Fatal | ServiceState, at: int) -> None:
        """Committed when this returns."""
        match message:
            case Progress(stage=stage) if stage in GUEST_STAGES:
                await self._change(session, lambda row: mark(row, stage, at))
            case Ready(width=width, height=height):
                await self._change(
                    session, lambda row: replace(mark(row, "ready", at), width=width, height=height)
                )
                self._wake(session)
            case Fatal(reason=reason):
                await self._change(session, lambda row: decide(row, EndReason.GUEST_FAILED, reason))
            case ServiceState(service=service, state=state, restarts=restarts):
                log.info("guest service", session=session, service=service, state=state, restarts=restarts)
                if state == "died":
                    await self._service_died(session, service)

    async def _service_died(self, session: str, service: str) -> None:
        self._died(service)
        if service == "webrtc":
            await self._peers.stream_server_died(session)
        row = await self._row(session)
        if row is not None:
            await self._accounts.service_died(row.machine)

    async def peer(self, session: str, message: PeerAnswer | PeerState | StreamReport) -> None:
        """To the broker; nothing of it is kept."""
        match message:
            case PeerAnswer():
                await self._peers.answered(session, message)
            case PeerState():
                await self._peers.peer_moved(session, message)
            case StreamReport():
                self._peers.link_fared(session, message)

    async def sign_in(self, session: str, message: SigninState | CredentialSealed) -> None:
        """To the desk; a credential is in the vault when this returns."""
        for _ in range(SIGNIN_TRIES):
            row = await self._row(session)
            if row is None:
                return
            if row.signin is None or row.signin.flow != message.flow:
                self._count("unknown_flow")
                log.warning("a guest spoke of a flow that is not its own", session=session)
                await self._refuse(session, message)
                return
            signin = await self._desk.received(row, message)
            if signin is None or await self._put(row, signin):
                return

    async def _put(self, seen: Session, signin: Signin) -> bool:
        """Store `signin`; False when somebody changed the flow meanwhile, by cancelling it say."""
        newest = await self._ledger.change(
            seen.id, lambda row: replace(row, signin=signin) if row.signin == seen.signin else row
        )
        return newest.signin == signin

    async def _row(self, session: str) -> Session | None:
        try:
            return await self._ledger.get(session)
        except NotFound:
            return None

    async def _refuse(self, session: str, message: SigninState | CredentialSealed) -> None:
        """So that it is not sent again and again."""
        if isinstance(message, CredentialSealed):
            answer = CredentialStored(message.flow, message.serial, accepted=False, reason="no such flow")
            await self._guests.send(session, "signin", answer)

    async def role(self, session: str, role: str, *, connected: bool) -> None:
        """A part of the guest came or went."""
        if role == "boot" and connected:
            now = self._clock()
            await self._change(session, lambda row: mark(row, "guest", now))
        if role == "webrtc" and connected:
            await self._peers.stream_server_came(session)
        if role == "signin" and connected:
            await self._start_again(session)
        if connected:
            self._wake(session)

    async def _start_again(self, session: str) -> None:
        """The sign-in agent may have died and returned: it learns its flow again. Knowing it already is no harm."""
        row = await self._row(session)
        if row is not None and row.signin is not None and row.signin.stage is not SigninStage.PENDING:
            signin = await self._desk.start(row)
            if signin is not None:
                await self._put(row, signin)

    async def exited(self, session: str, machine: str, reason: str) -> None:
        """The keeper said that its machine ended."""
        self._world.note(machine, Seen.GONE, reason)
        self._wake(session)

    def unreachable(self, session: str) -> None:
        """A keeper does not answer."""
        self._look_soon()

    def misbehaved(self, session: str, role: str, reason: str) -> None:
        """Garbage or a flood came from a guest."""
        self._count(role)
        log.warning("guest misbehaved", session=session, role=role, reason=reason)

    async def _change(self, session: str, change: Callable[[Session], Session]) -> None:
        try:
            await self._ledger.change(session, lambda row: row if row.state.over else change(row))
        except NotFound:
            log.warning("a guest without a session", session=session)


def _milliseconds(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 16 else 0
