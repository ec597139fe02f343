"""The desk with a vault and a guest of the test's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from transom.auth.limits import RateLimiter
from transom.model.credential import Credential, CredentialFileContent
from transom.model.errors import Invalid, Unavailable, VaultError
from transom.model.session import Session, SessionState, Signin, SigninStage
from transom.signin.catalog import Catalog
from transom.signin.service import SEALED_COUNT, SEALED_S, SigninService
from transom_wire.link import (
    CredentialSealed,
    CredentialStored,
    SigninCancel,
    SigninStart,
    SigninState,
    ToGuestMessage,
)
from transom_wire.sealing import Sealed, identity

ROOT = Path(__file__).resolve().parents[4]
NAME = ".config/transom-demo/credentials.json"
S = SigninStage


class Guest:
    """Records what is sent; `reachable` False is a keeper that is away."""

    def __init__(self) -> None:
        self.sent: list[ToGuestMessage] = []
        self.reachable = True

    async def send(self, session: str, role: str, message: ToGuestMessage) -> bool:
        assert (session, role) == ("ses_1", "signin")
        if self.reachable:
            self.sent.append(message)
        return self.reachable


class Vault:
    """Keeps what it is given; `broken` is raised by each call."""

    def __init__(self) -> None:
        self.kept: list[Credential] = []
        self.broken: Exception | None = None

    def _work(self) -> None:
        if self.broken:
            raise self.broken

    async def public_key(self) -> tuple[str, bytes]:
        self._work()
        return "key1", bytes(32)

    async def accept(
        self, *, user: str, provider: str, session: str, message: CredentialSealed
    ) -> Credential:
        self._work()
        sealed = Sealed(message.wrapped_key, message.nonce, message.ciphertext)
        self.kept.append(
            Credential(
                "crd_1", user, provider, session, len(self.kept) + 1, 0, message.expires_at, message.names,
                message.vault_key_id, sealed, message.flow, message.serial,
            )
        )  # fmt: skip
        return self.kept[-1]

    async def listing(self, user: str) -> Sequence[Credential]:
        self._work()
        return [credential for credential in self.kept if credential.user == user]

    async def open(self, *, user: str, provider: str) -> Sequence[CredentialFileContent]:
        raise AssertionError("the desk never opens a credential")

    async def forget(self, *, user: str, provider: str) -> int:
        raise AssertionError("the desk never forgets a credential")


class Desk:
    """A service, its world and one session."""

    def __init__(self) -> None:
        self.guest, self.vault = Guest(), Vault()
        catalog = Catalog.load([ROOT / "providers"])
        self.now = 0
        wait = RateLimiter(count=SEALED_COUNT, seconds=SEALED_S, clock=lambda: self.now).allow
        self.service = SigninService(catalog, self.vault, self.guest, lambda: 0, wait=wait)
        self.session = Session(
            "ses_1", "usr_1", SessionState.READY, "namespace", "digest", 0, 0, 10**9, 60, 0, 1280, 720,
            "about:blank", 1, provider="demo", signin=self.service.new_flow("demo"),
        )  # fmt: skip

    @property
    def signin(self) -> Signin:
        assert self.session.signin is not None
        return self.session.signin

    def at(self, stage: SigninStage) -> Desk:
        self.session = replace(self.session, signin=replace(self.signin, stage=stage))
        return self

    def sealed(self, serial: int = 1, **changes: object) -> CredentialSealed:
        message = CredentialSealed(
            self.signin.flow, serial, "key1", (NAME,), 77, b"w" * 80, b"n" * 12, b"c" * 99
        )
        return replace(message, **changes)  # type: ignore[arg-type]

    def stored(self) -> list[tuple[int, bool]]:
        return [(m.serial, m.accepted) for m in self.guest.sent if isinstance(m, CredentialStored)]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_only_known_providers_get_a_flow(desk: Desk) -> None:
    assert desk.service.knows("demo")
    assert not desk.service.knows("nothing")
    assert desk.service.new_flow("codex").stage is S.PENDING
    with pytest.raises(Invalid):
        desk.service.new_flow("nothing")


async def test_start_sends_all_the_guest_needs(desk: Desk) -> None:
    moved = await desk.service.start(desk.session)
    assert moved == replace(desk.signin, stage=S.STARTING)
    (start,) = desk.guest.sent
    assert isinstance(start, SigninStart)
    assert (start.flow, start.vault_key_id, start.spec.provider) == (desk.signin.flow, "key1", "demo")
    assert start.identity == identity(user="usr_1", provider="demo", session="ses_1")


async def test_an_unreachable_guest_leaves_it_pending(desk: Desk) -> None:
    desk.guest.reachable = False
    assert await desk.service.start(desk.session) is None


@pytest.mark.parametrize("stage", [S.WAITING, S.DONE])
async def test_starting_again_only_reminds_the_guest(desk: Desk, stage: SigninStage) -> None:
    assert await desk.at(stage).service.start(desk.session) is None
    assert len(desk.guest.sent) == 1


@pytest.mark.parametrize("stage", [S.FAILED, S.CANCELLED])
async def test_a_lost_flow_is_never_started(desk: Desk, stage: SigninStage) -> None:
    assert await desk.at(stage).service.start(desk.session) is None
    assert desk.guest.sent == []


async def test_a_vault_without_a_key_fails_it_without_saying_why_to_the_user(desk: Desk) -> None:
    desk.vault.broken = VaultError("cannot read /etc/transom/kek")
    failed = await desk.service.start(desk.session)
    assert failed is not None
    assert failed.stage is S.FAILED
    assert "kek" not in failed.message


async def test_a_provider_that_was_removed_fails_it(desk: Desk) -> None:
    desk.session = replace(desk.session, signin=replace(desk.signin, provider="removed"))
    failed = await desk.service.start(desk.session)
    assert failed is not None
    assert failed.stage is S.FAILED


async def test_what_the_guest_seals_is_committed_before_it_is_told(desk: Desk) -> None:
    done = await desk.at(S.SAVING).service.received(desk.session, desk.sealed())
    assert done is not None
    assert (done.stage, done.saved_names, done.saved_expires_at) == (S.DONE, (NAME,), 77)
    assert desk.stored() == [(1, True)]
    assert (desk.vault.kept[0].user, desk.vault.kept[0].provider) == ("usr_1", "demo")


async def test_a_refresh_after_done_is_committed_too(desk: Desk) -> None:
    done = await desk.at(S.DONE).service.received(desk.session, desk.sealed(2, expires_at=99))
    assert done is not None
    assert (done.stage, done.saved_expires_at) == (S.DONE, 99)
    assert desk.stored() == [(2, True)]


async def test_a_flood_of_credentials_fills_no_disk(desk: Desk) -> None:
    """Each commit is a row and a line of the audit trail, both of which stay; so is each refusal."""
    desk.at(S.DONE)
    for serial in range(1, 200):
        await desk.service.received(desk.session, desk.sealed(serial))
    assert len(desk.vault.kept) == len(desk.stored()) == SEALED_COUNT
    desk.now = int(SEALED_S * 1000 / SEALED_COUNT)
    assert await desk.service.received(desk.session, desk.sealed(201)) is not None


@pytest.mark.parametrize("stage", [S.FAILED, S.CANCELLED])
async def test_what_comes_after_the_end_is_refused_for_good(desk: Desk, stage: SigninStage) -> None:
    assert await desk.at(stage).service.received(desk.session, desk.sealed()) is None
    assert desk.stored() == [(1, False)]
    assert desk.vault.kept == []


@pytest.mark.parametrize(
    "changes", [{"flow": "flw_other"}, {"names": ("etc/passwd",)}, {"names": ()}, {"names": (NAME, "more")}]
)
async def test_lies_are_refused_for_good(desk: Desk, changes: dict[str, object]) -> None:
    assert await desk.at(S.SAVING).service.received(desk.session, desk.sealed(**changes)) is None
    assert desk.stored() == [(1, False)]
    assert desk.vault.kept == []


@pytest.mark.parametrize("trouble", [Unavailable("the disk is full"), VaultError("no key now")])
async def test_a_vault_in_trouble_is_not_answered_so_that_the_guest_offers_it_again(
    desk: Desk, trouble: Exception
) -> None:
    desk.vault.broken = trouble
    later = await desk.at(S.SAVING).service.received(desk.session, desk.sealed())
    assert later is not None
    assert later.stage is S.SAVING
    assert "again" in later.message
    assert desk.stored() == []
    desk.vault.broken = None
    done = await desk.service.received(desk.session, desk.sealed())
    assert done is not None
    assert done.stage is S.DONE


async def test_a_final_refusal_of_the_vault_fails_the_sign_in(desk: Desk) -> None:
    desk.vault.broken = VaultError("sealed for another vault", code="unknown_key")
    failed = await desk.at(S.SAVING).service.received(desk.session, desk.sealed())
    assert failed is not None
    assert (failed.stage, failed.message) == (S.FAILED, "sealed for another vault")
    assert desk.stored() == [(1, False)]


async def test_a_final_refusal_of_a_refresh_leaves_the_success(desk: Desk) -> None:
    desk.vault.broken = VaultError("older", code="stale")
    assert await desk.at(S.DONE).service.received(desk.session, desk.sealed(2)) is None
    assert desk.stored() == [(2, False)]


async def test_states_move_the_flow(desk: Desk) -> None:
    said = SigninState(desk.signin.flow, "waiting", "http://127.0.0.1:8091/authorize", None, "")
    moved = await desk.service.received(desk.session, said)
    assert moved is not None
    assert moved.stage is S.WAITING
    assert await desk.service.received(desk.session, replace(said, flow="flw_other")) is None


async def test_done_counts_only_when_the_vault_has_it(desk: Desk) -> None:
    said = SigninState(desk.signin.flow, "done")
    assert await desk.at(S.SAVING).service.received(desk.session, said) is None
    await desk.service.received(desk.session, desk.sealed())
    done = await desk.service.received(desk.session, said)
    assert done is not None
    assert (done.stage, done.saved_names) == (S.DONE, (NAME,))
    desk.vault.broken = Unavailable("locked")
    assert await desk.service.received(desk.session, said) is None


async def test_cancel(desk: Desk) -> None:
    cancelled = await desk.at(S.WAITING).service.cancel(desk.session)
    assert cancelled is not None
    assert cancelled.stage is S.CANCELLED
    assert desk.guest.sent == [SigninCancel(desk.signin.flow)]
    assert await desk.at(S.DONE).service.cancel(desk.session) is None
    assert await desk.service.cancel(replace(desk.session, signin=None)) is None
    assert await desk.service.start(replace(desk.session, signin=None)) is None
