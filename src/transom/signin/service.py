"""Sign-ins as the controller sees them: asks the guest's agent, believes the vault."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import structlog

from transom.model.clock import Clock
from transom.model.errors import Invalid, Unavailable, VaultError
from transom.model.ids import new_id
from transom.model.ports import GuestSender, Vault
from transom.model.provider import Provider
from transom.model.session import Session, Signin, SigninStage
from transom.signin import flow
from transom.signin.catalog import Catalog
from transom_wire.link import CredentialSealed, CredentialStored, SigninCancel, SigninStart, SigninState
from transom_wire.sealing import identity

ROLE = "signin"
TEMPORARY = VaultError.code
"""The code of a vault that cannot work now; every other code is about this message and final."""
SEALED_COUNT, SEALED_S = 20, 600.0
"""Sealed credentials that one session may bring at once, and in so many seconds: each is rows that stay.
An honest guest offers one again after 5 s at first, then each minute."""
log = structlog.get_logger("transom.signin")


async def _nothing(_session: Session) -> None:
    """Nobody has anything to do first."""


class SigninService:
    """Implements SigninDesk of `model/ports.py`."""

    def __init__(
        self,
        catalog: Catalog,
        vault: Vault,
        guest: GuestSender,
        clock: Clock,
        *,
        wait: Callable[[str], int] = lambda _: 0,
        before: Callable[[Session], Awaitable[None]] = _nothing,
    ) -> None:
        """`before` is awaited before a guest is asked for a sign-in. `wait` counts a credential that a session
        brings: how many seconds it is too early, 0 for none."""
        self._catalog, self._vault, self._guest, self._clock = catalog, vault, guest, clock
        self._wait, self._before = wait, before

    def knows(self, provider: str) -> bool:
        """True for a provider in the catalog."""
        return self._catalog.get(provider) is not None

    def new_flow(self, provider: str) -> Signin:
        """A pending flow. Raises Invalid for a provider that does not exist."""
        if not self.knows(provider):
            raise Invalid("no such provider")
        return Signin(flow=new_id("flw"), provider=provider, stage=SigninStage.PENDING)

    async def start(self, session: Session) -> Signin | None:
        """Send SigninStart; None when the guest cannot be reached now, or the flow is under way already.

        A guest that knows the flow only says again where it is, so that sending twice is harmless.
        Raises Unavailable when the store cannot serve.
        """
        signin = session.signin
        if signin is None or signin.stage in (SigninStage.FAILED, SigninStage.CANCELLED):
            return None
        provider = self._catalog.get(signin.provider)
        if provider is None:
            return replace(signin, stage=SigninStage.FAILED, message="this provider is no longer offered")
        try:
            key_id, public_key = await self._vault.public_key()
        except VaultError as error:
            log.error("no vault key to seal to", session=session.id, code=error.code, reason=error.message)
            return replace(signin, stage=SigninStage.FAILED, message="the vault cannot take credentials now")
        owner = identity(user=session.user, provider=provider.id, session=session.id)
        start = SigninStart(signin.flow, provider.spec, key_id, public_key, owner)
        await self._before(session)
        sent = await self._guest.send(session.id, ROLE, start)
        if not sent or signin.stage is not SigninStage.PENDING:
            return None
        log.info("sign-in asked for", session=session.id, provider=provider.id)
        return replace(signin, stage=SigninStage.STARTING)

    async def received(self, session: Session, message: SigninState | CredentialSealed) -> Signin | None:
        """Take in what the guest's sign-in agent says; a credential is in the vault when this returns."""
        signin = session.signin
        if isinstance(message, CredentialSealed):
            return await self._take(session, signin, message)
        if signin is None or signin.flow != message.flow:
            return None
        if message.stage == SigninStage.DONE and not signin.stage.over:
            return await self._confirm(session, signin)
        return flow.advance(signin, message)

    async def cancel(self, session: Session) -> Signin | None:
        """Cancel the session's flow, if one is under way. The machine that does not hear it ends it later."""
        signin = session.signin
        if signin is None or signin.stage.over:
            return None
        await self._guest.send(session.id, ROLE, SigninCancel(signin.flow))
        return replace(signin, stage=SigninStage.CANCELLED, message="")

    async def _take(
        self, session: Session, signin: Signin | None, message: CredentialSealed
    ) -> Signin | None:
        if self._wait(session.id):
            return None  # not answered: a guest that has something to save offers it again
        provider = self._catalog.get(signin.provider) if signin else None
        refusal = _refusal(signin, provider, message)
        if refusal or signin is None or provider is None:
            log.warning("a credential was refused", session=session.id, reason=refusal)
            await self._answer(session, message, refusal)
            return None
        try:
            credential = await self._vault.accept(
                user=session.user, provider=provider.id, session=session.id, message=message
            )
        except Unavailable as error:
            return self._later(session, signin, error.code)
        except VaultError as error:
            if error.code == TEMPORARY:
                return self._later(session, signin, error.code)
            await self._answer(session, message, error.message)
            if signin.stage is SigninStage.DONE:
                return None
            return replace(signin, stage=SigninStage.FAILED, message=flow.plain(error.message))
        log.info("credential stored", session=session.id, provider=provider.id, serial=message.serial)
        await self._answer(session, message, "")
        return flow.committed(signin, credential)

    async def _confirm(self, session: Session, signin: Signin) -> Signin | None:
        """The guest says done: true if the vault has it, though we died before we wrote that down."""
        try:
            held = await self._vault.listing(session.user)
        except (Unavailable, VaultError):
            return None
        for credential in held:
            if credential.provider == signin.provider and credential.flow == signin.flow:
                return flow.committed(signin, credential)
        return None

    def _later(self, session: Session, signin: Signin, code: str) -> Signin:
        log.warning("the vault cannot take a credential now", session=session.id, code=code)
        return flow.delayed(signin, "the vault cannot save it just now; it will be tried again")

    async def _answer(self, session: Session, message: CredentialSealed, refusal: str) -> None:
        answer = CredentialStored(message.flow, message.serial, accepted=not refusal, reason=refusal[:500])
        await self._guest.send(session.id, ROLE, answer)


def _refusal(signin: Signin | None, provider: Provider | None, message: CredentialSealed) -> str:
    """Why this credential is refused for good, or nothing."""
    if signin is None or signin.flow != message.flow:
        return "no such sign-in"
    if signin.stage in (SigninStage.FAILED, SigninStage.CANCELLED):
        return f"the sign-in is {signin.stage}"
    if provider is None:
        return "this provider is no longer offered"
    if not message.names or not set(message.names) <= provider.file_names:
        return "these are not this provider's files"
    return ""
