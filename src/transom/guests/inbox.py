"""Where guests' messages go, decoded strictly by the role they came by."""

from __future__ import annotations

from typing import Protocol, cast

from transom_wire.codec import decode
from transom_wire.control import FromGuest, Snapshot
from transom_wire.link import (
    FROM_GUEST,
    CredentialSealed,
    Fatal,
    GuestMessage,
    PeerAnswer,
    PeerState,
    Ping,
    Progress,
    Ready,
    ServiceState,
    SigninState,
    StreamReport,
)

BootMessage = Progress | Ready | Fatal | ServiceState
PeerMessage = PeerAnswer | PeerState | StreamReport
SigninMessage = SigninState | CredentialSealed


class Inbox(Protocol):
    """Who takes in what guests say. A call that returns has committed; Unavailable means: say it again."""

    async def attached(self, session: str, snapshot: Snapshot) -> None:
        """A keeper answered."""

    async def boot(self, session: str, message: BootMessage, at: int) -> None:
        """The supervisor spoke; `at` is the keeper's clock, Unix milliseconds."""

    async def peer(self, session: str, message: PeerMessage) -> None:
        """The WebRTC server spoke."""

    async def sign_in(self, session: str, message: SigninMessage) -> None:
        """The sign-in agent spoke."""

    async def role(self, session: str, role: str, *, connected: bool) -> None:
        """A part of the guest came to the link, or left it."""

    async def exited(self, session: str, machine: str, reason: str) -> None:
        """The machine is gone, says its keeper."""

    def unreachable(self, session: str) -> None:
        """The keeper does not answer."""

    def misbehaved(self, session: str, role: str, reason: str) -> None:
        """Garbage, or a flood."""


def open_envelope(envelope: FromGuest) -> GuestMessage:
    """The guest's message. Raises WireError when its role may not say that."""
    return cast(GuestMessage, decode(envelope.body, FROM_GUEST[envelope.role]))


async def deliver(inbox: Inbox, session: str, message: GuestMessage, at: int) -> None:
    """Give `message` to the inbox's right part."""
    match message:
        case Progress() | Ready() | Fatal() | ServiceState():
            await inbox.boot(session, message, at)
        case PeerAnswer() | PeerState() | StreamReport():
            await inbox.peer(session, message)
        case SigninState() | CredentialSealed():
            await inbox.sign_in(session, message)
        case Ping():
            return
