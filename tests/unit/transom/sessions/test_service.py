"""What people may ask of sessions, and what they are told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.support.controller import Controller, a_user, by_token
from tests.support.fakes import FakeKeeper
from tests.support.waiting import until
from transom.model.errors import Conflict, Gone, NotFound, TooMany, Unavailable
from transom.model.session import EndReason, Session, SessionState, SigninStage
from transom.model.user import Role
from transom.sessions.wish import Wish
from transom_wire.control import ToGuest
from transom_wire.link import CredentialSealed, CredentialStored, SigninState

USER, OTHER, ADMIN = a_user("ada"), a_user("bob"), a_user("root", Role.ADMINISTRATOR)
WISH = Wish(1280, 720)
DEMO = Wish(1280, 720, provider="demo")


@pytest.fixture
async def controller() -> AsyncIterator[Controller]:
    made = Controller(per_user=2, in_all=3)
    await made.look()
    yield made
    await made.kill()


def sealed(flow: str, serial: int = 1) -> CredentialSealed:
    return CredentialSealed(flow, serial, "key", ("a.json",), None, b"w", b"n", b"c")


async def test_the_same_key_is_the_same_session(controller: Controller) -> None:
    first = await controller.service.create(USER, WISH, "click-1")
    assert (await controller.service.create(USER, WISH, "click-1")).id == first.id
    assert (await controller.service.create(OTHER, WISH, "click-1")).id != first.id
    with pytest.raises(Conflict) as caught:
        await controller.service.create(USER, DEMO, "click-1")
    assert caught.value.code == "key_reused"


async def test_the_same_key_is_the_same_session_after_a_restart_too(controller: Controller) -> None:
    first = await controller.service.create(USER, WISH, "click-1")
    again = Controller(store=controller.store, driver=controller.driver, per_user=1)
    with pytest.raises(TooMany):
        await again.service.create(USER, WISH, "click-2")
    assert (await again.service.create(USER, WISH, "click-1")).id == first.id
    await again.kill()


async def test_a_user_and_a_host_have_limits(controller: Controller) -> None:
    first = await controller.service.create(USER, WISH, "a")
    await controller.service.create(USER, WISH, None)
    with pytest.raises(TooMany) as caught:
        await controller.service.create(USER, WISH, None)
    assert caught.value.retry_after
    assert (await controller.service.create(USER, WISH, "a")).id == first.id
    await controller.service.create(OTHER, WISH, None)
    with pytest.raises(Unavailable) as full:
        await controller.service.create(OTHER, WISH, None)
    assert full.value.code == "full"


async def test_slots_are_the_smallest_that_are_free(controller: Controller) -> None:
    def slot(session: Session) -> int | None:
        row = controller.machines.rows.get(session.machine)
        return row.slot if row else None

    await controller.look()
    first = await controller.service.create(USER, WISH, None)
    await until(lambda: slot(first) == 0)
    second = await controller.service.create(USER, WISH, None)
    await until(lambda: slot(second) == 1)
    await controller.service.stop(first)
    await until(lambda: controller.store.rows[first.id].state.over)
    third = await controller.service.create(USER, WISH, None)
    await until(lambda: slot(third) == 0)


async def test_strangers_and_unknown_sessions_look_alike(controller: Controller) -> None:
    session = await controller.service.create(USER, WISH, None)
    for id, who in [(session.id, OTHER), ("ses_" + "b" * 20, USER), ("../etc", USER), ("", USER)]:
        for look in (controller.service.visible, controller.service.own, controller.service.living):
            with pytest.raises(NotFound) as caught:
                await look(id, by_token(who))
            assert caught.value.message == "no such session"


async def test_an_administrator_sees_that_a_session_is_and_not_what_is_in_it(controller: Controller) -> None:
    session = await controller.service.create(USER, WISH, None)
    assert (await controller.service.visible(session.id, by_token(ADMIN))).id == session.id
    with pytest.raises(NotFound):
        await controller.service.own(session.id, by_token(ADMIN))


async def test_over_is_gone_with_its_reason(controller: Controller) -> None:
    session = await controller.service.create(USER, WISH, None)
    await controller.service.stop(session)
    await until(lambda: controller.store.rows[session.id].state.over)
    with pytest.raises(Gone) as caught:
        await controller.service.living(session.id, by_token(USER))
    assert caught.value.reason == "stopped"
    assert (await controller.service.visible(session.id, by_token(USER))).state is SessionState.ENDED
    assert (await controller.service.stop(session)).wanted_end is EndReason.STOPPED


async def test_ones_own_list_is_newest_first(controller: Controller) -> None:
    first = await controller.service.create(USER, WISH, None)
    controller.clock.forward(1)
    second = await controller.service.create(USER, WISH, None)
    await controller.service.create(OTHER, WISH, None)
    assert [row.id for row in await controller.service.listing(USER)] == [second.id, first.id]


async def test_the_first_frame_is_marked_once(controller: Controller) -> None:
    session = await controller.service.create(USER, WISH, None)
    controller.clock.forward(2)
    seen = await controller.service.seen(session, True)
    assert seen.timeline["first_frame"] == 2000
    controller.clock.forward(2)
    again = await controller.service.seen(controller.store.rows[session.id], True)
    assert again.timeline["first_frame"] == 2000
    assert (await controller.service.seen(session, False)).last_seen_at == controller.clock.now


async def linked(controller: Controller, wish: Wish = WISH) -> tuple[str, FakeKeeper]:
    controller.driver.on_create = lambda keeper: [keeper.link(role) for role in ("boot", "signin")]  # type: ignore[assignment, return-value]
    session = await controller.service.create(USER, wish, None)
    await until(lambda: controller.guests.has_role(session.id, "signin"))
    await controller.settle()
    return session.id, controller.driver.of(session.id)


async def test_a_desktop_is_resized_by_its_guest(controller: Controller) -> None:
    session, keeper = await linked(controller)
    resized = await controller.service.resize(controller.store.rows[session], 800, 600)
    assert (resized.width, resized.height) == (800, 600)
    assert keeper.told(ToGuest)[0].role == "boot"
    keeper.die()
    await until(lambda: not controller.guests.connected(session))
    with pytest.raises(Unavailable):
        await controller.service.resize(resized, 800, 600)


async def test_a_sign_in_is_begun_again_and_cancelled(controller: Controller) -> None:
    session, _ = await linked(controller, DEMO)
    before = controller.store.rows[session].signin
    assert before is not None
    again = await controller.service.sign_in(controller.store.rows[session], "demo")
    assert again.signin is not None
    assert again.signin.flow != before.flow
    assert controller.desk.cancelled == [session]
    cancelled = await controller.service.cancel_sign_in(again)
    assert cancelled.signin is not None
    assert cancelled.signin.stage is SigninStage.CANCELLED
    assert await controller.service.cancel_sign_in(cancelled) == cancelled
    with pytest.raises(NotFound):
        await controller.service.sign_in(again, "nobody")
    with pytest.raises(NotFound):
        await controller.service.create(USER, Wish(1280, 720, provider="nobody"), None)


async def test_a_guest_speaks_of_its_own_flow_only(controller: Controller) -> None:
    session, keeper = await linked(controller, DEMO)
    flow = controller.store.rows[session].signin
    assert flow is not None
    keeper.say("signin", SigninState("flw_other", "waiting", url="https://evil.example/"))
    keeper.say("signin", sealed("flw_other", 7))
    keeper.say("signin", SigninState(flow.flow, "waiting", url="https://sign.in/"))
    await until(lambda: not keeper.waiting)
    now = controller.store.rows[session].signin
    assert now is not None
    assert (now.stage, now.url) == (SigninStage.WAITING, "https://sign.in/")
    assert controller.counted == ["unknown_flow", "unknown_flow"]
    refused = keeper.told(ToGuest)[-1].body
    assert b'"credential_stored"' in refused
    assert b'"accepted":false' in refused
    assert CredentialStored.TYPE == "credential_stored"
    keeper.say("signin", sealed(flow.flow))
    await until(lambda: not keeper.waiting)
    assert controller.store.rows[session].signin == replace(
        now, stage=SigninStage.DONE, saved_names=("a.json",)
    )


async def test_without_an_image_there_is_a_mend(controller: Controller) -> None:
    controller.service._image = lambda: None
    with pytest.raises(Unavailable) as caught:
        await controller.service.create(USER, WISH, None)
    assert "transom image build" in caught.value.message
