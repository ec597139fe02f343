"""Where capabilities meet. Services above know these shapes only; `app.py` puts the real parts in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Protocol

from transom.model.alert import Alert
from transom.model.credential import Credential, CredentialFileContent
from transom.model.machine import DriverFlags, MachineSpec, MachineState, Probe
from transom.model.session import Session, Signin
from transom_wire.control import ControllerMessage, KeeperMessage, Snapshot
from transom_wire.exit import ExitRoute
from transom_wire.link import CredentialSealed, SigninState, ToGuestMessage


class KeeperChannel(Protocol):
    """The controller's connection to one keeper. `snapshot` is what the keeper knew when it was made."""

    snapshot: Snapshot

    async def send(self, message: ControllerMessage) -> None:
        """Send, within a deadline. Raises Unavailable when the keeper is gone."""

    def messages(self) -> AsyncIterator[KeeperMessage]:
        """What the keeper says, until it is gone; then the iterator ends."""

    async def close(self) -> None:
        """Let go of the keeper; the machine lives on."""


class Driver(Protocol):
    """How machines are made; `drivers/contract.py` says in prose what each call promises."""

    name: str
    flags: DriverFlags

    async def probe(self) -> Probe:
        """Say whether this host can."""

    async def prepare(self, image: str) -> None:
        """Save what makes machines of `image` start faster (a snapshot). Idempotent; may take minutes; the rest
        works without. Raises DriverError."""

    async def sweep(self, images: Collection[str]) -> None:
        """Remove what was kept for images that are not among these digests, or for an earlier transom's guest, and
        that no machine needs. Idempotent; never raises."""

    async def create(self, spec: MachineSpec) -> None:
        """Make the machine; return once its keeper answers. Idempotent. Raises DriverError."""

    async def observe(self) -> Mapping[str, MachineState]:
        """Every machine this driver finds on its hosts, orphans included, by machine id."""

    async def attach(self, machine: str) -> KeeperChannel:
        """Become the machine's controller. Raises Unavailable when no keeper answers."""

    async def open_stream(self, machine: str, kind: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A raw byte stream to the machine's `vnc`. Raises Unavailable."""

    async def destroy(self, machine: str, *, keep_folder: bool) -> None:
        """End the machine and remove what it left; the folder with its logs only on request stays. Idempotent."""

    async def purge(self, machine: str) -> None:
        """Remove a kept folder. Idempotent."""


class Egress(Protocol):
    """How users leave for the internet."""

    async def route(self, user: str, provider: str | None = None) -> ExitRoute:
        """The route for this user's machines now, on which `provider` is signed in to: their lease, made if they
        have none. Never raises: a user for whom there is no exit gets kind `none` with the reason."""


class MachineLogs(Protocol):
    """What machines wrote, as far as a driver's host still has it."""

    async def read(self, machine: str) -> str:
        """The ends of its logs, bounded; empty when there are none. Never raises for a machine's doing."""


class Vault(Protocol):
    """Keeps credentials that it can take in without being able to read them."""

    async def public_key(self) -> tuple[str, bytes]:
        """(key id, X25519 public key) to seal to."""

    async def accept(
        self, *, user: str, provider: str, session: str, message: CredentialSealed
    ) -> Credential:
        """Commit what a guest sealed. Raises VaultError."""

    async def listing(self, user: str) -> Sequence[Credential]: ...

    async def open(self, *, user: str, provider: str) -> Sequence[CredentialFileContent]:
        """The files, for their own user. Raises NotFound, VaultError."""

    async def forget(self, *, user: str, provider: str) -> int: ...


class GuestSender(Protocol):
    """The way to a session's guest."""

    async def send(self, session: str, role: str, message: ToGuestMessage) -> bool:
        """Send to the guest's `role`; False when its keeper cannot be reached now."""


class SigninDesk(Protocol):
    """What sessions need of sign-ins: each call returns the Signin to store, or None for no change."""

    def knows(self, provider: str) -> bool:
        """True for a provider in the catalog."""

    def new_flow(self, provider: str) -> Signin:
        """A pending flow. Raises Invalid for a provider that does not exist."""

    async def start(self, session: Session) -> Signin | None:
        """Send SigninStart for the session's pending flow; stage becomes starting once it was sent."""

    async def received(self, session: Session, message: SigninState | CredentialSealed) -> Signin | None:
        """Take in what the guest's sign-in agent says; a credential is in the vault when this returns."""

    async def cancel(self, session: Session) -> Signin | None:
        """Cancel the session's flow, if one is under way."""


class SecretBox(Protocol):
    """Keeps small secrets of the operator's, as exits' passwords: sealed at rest, opened for use."""

    async def seal_secret(self, name: str, secret: bytes) -> bytes:
        """A record that only this vault opens, and only under this name. Raises VaultError."""

    async def open_secrets(self, records: Mapping[str, bytes]) -> Mapping[str, bytes]:
        """The secrets by name; those that cannot be opened are left out. Raises VaultError."""


class AlertSink(Protocol):
    """Takes in what an operator should know."""

    async def raised(self, alert: Alert) -> None:
        """Keep it and tell whoever is to be told. Never raises."""


class KeeperSender(Protocol):
    """The way to the keepers of living sessions."""

    async def tell(self, session: str, message: ControllerMessage) -> bool:
        """Send to the session's keeper; False when it cannot be reached now."""
