"""Sessions from request to end, on fakes: the loop, the runner and the adoption together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.support.controller import Controller, a_user, by_token
from tests.support.fakes import FakeKeeper, a_session
from tests.support.waiting import until
from transom.model.errors import Gone
from transom.model.ids import new_id
from transom.model.machine import Machine, MachinePhase, Outcome
from transom.model.session import EndReason, Session, SessionState, SigninStage
from transom.sessions.wish import Wish
from transom_wire.control import Acknowledge, SetDeadline
from transom_wire.link import Fatal, Progress, Ready, ServiceState

S = SessionState
USER = a_user()
WISH = Wish(1280, 720)


@pytest.fixture
async def controller() -> AsyncIterator[Controller]:
    made = Controller()
    yield made
    await made.kill()


def boots(keeper: FakeKeeper) -> None:
    """A guest that is ready at once."""
    for role in ("boot", "webrtc", "signin"):
        keeper.link(role)
    for stage in ("display", "desktop", "browser"):
        keeper.say("boot", Progress(stage), keeper.snapshot().started_at + 100)
    keeper.say("boot", Ready(1280, 720), keeper.snapshot().started_at + 900)


async def ready(controller: Controller) -> Session:
    controller.driver.on_create = boots
    await controller.look()
    session = await controller.service.create(USER, WISH, None)
    await until(lambda: state(controller, session) is S.READY)
    await controller.settle()
    return controller.store.rows[session.id]


def state(controller: Controller, session: Session) -> SessionState | None:
    row = controller.store.rows.get(session.id)
    return row.state if row else None


async def test_a_session_becomes_ready_step_by_step(controller: Controller) -> None:
    session = await ready(controller)
    assert [new for _, new in controller.store.history] == [S.CREATING, S.BOOTING, S.READY]
    assert set(session.timeline) >= {"accepted", "machine", "display", "desktop", "browser", "ready"}
    assert controller.driver.acts == [("create", session.machine)]
    keeper = controller.driver.of(session.id)
    await until(lambda: not keeper.waiting)
    assert keeper.told(Acknowledge)


async def test_a_stop_ends_it_and_leaves_nothing(controller: Controller) -> None:
    session = await ready(controller)
    await controller.service.stop(session)
    await until(lambda: state(controller, session) is S.ENDED)
    assert controller.store.rows[session.id].wanted_end is EndReason.STOPPED
    assert not controller.driver.machines
    assert not controller.guests.holding(session.id)
    with pytest.raises(Gone) as caught:
        await controller.service.living(session.id, by_token(USER))
    assert caught.value.reason == "stopped"


async def test_a_stop_interrupts_the_making_of_a_machine(controller: Controller) -> None:
    await controller.look()
    controller.driver.hold_create = asyncio.Event()
    session = await controller.service.create(USER, WISH, None)
    await until(lambda: controller.driver.acts)
    await controller.service.stop(session)
    await until(lambda: state(controller, session) is S.ENDED)


async def test_a_creation_that_fails_is_a_failed_session(controller: Controller) -> None:
    await controller.look()
    controller.driver.fail_create = "bubblewrap is not installed"
    session = await controller.service.create(USER, WISH, None)
    await until(lambda: state(controller, session) is S.FAILED)
    row = controller.store.rows[session.id]
    assert (row.wanted_end, row.end_detail) == (EndReason.CREATE_FAILED, "bubblewrap is not installed")
    tried = [each.id for each in controller.machines.rows.values()]
    assert len(tried) == 2 and controller.machines.logs.keys() == set(tried)
    assert controller.driver.kept == {row.machine}


async def test_a_guest_that_gives_up_ends_its_session(controller: Controller) -> None:
    session = await ready(controller)
    controller.driver.of(session.id).say("boot", Fatal("no display"))
    await until(lambda: state(controller, session) is S.FAILED)
    row = controller.store.rows[session.id]
    assert (row.wanted_end, row.end_detail) == (EndReason.GUEST_FAILED, "no display")


async def test_the_stacks_of_a_service_that_crashed_are_there_when_its_machine_is_not(
    controller: Controller,
) -> None:
    session = await ready(controller)
    controller.logs.guest = "Fatal Python error: Aborted\nCurrent thread 0x01:\nFile peer.py, line 3\n"
    controller.driver.of(session.id).say("boot", ServiceState("webrtc", "died", 1))
    await until(lambda: session.machine in controller.machines.logs)
    assert state(controller, session) is S.READY
    await controller.service.stop(session)
    await until(lambda: state(controller, session) is S.ENDED)
    row = controller.machines.rows[session.machine]
    assert (row.outcome, row.failed_stage, row.cause) == (
        Outcome.USED,
        "service",
        "Fatal Python error: Aborted",
    )
    assert "File peer.py, line 3" in controller.machines.logs[session.machine]


async def test_a_machine_that_ends_is_noticed_by_what_its_keeper_says(controller: Controller) -> None:
    session = await ready(controller)
    controller.driver.of(session.id).exit("out of memory")
    await until(lambda: state(controller, session) is S.FAILED)
    row = controller.store.rows[session.id]
    assert (row.wanted_end, row.end_detail) == (EndReason.MACHINE_GONE, "out of memory")
    assert row.kept_until is not None
    assert controller.driver.kept == {session.machine}


async def test_a_keeper_that_dies_in_silence_is_noticed_too(controller: Controller) -> None:
    controller.start()
    session = await ready(controller)
    controller.driver.of(session.id).die()
    await until(lambda: state(controller, session) is S.FAILED)
    assert controller.store.rows[session.id].wanted_end is EndReason.MACHINE_GONE


async def test_a_connection_that_breaks_is_made_again(controller: Controller) -> None:
    session = await ready(controller)
    keeper = controller.driver.of(session.id)
    keeper.drop()
    await until(lambda: not controller.guests.connected(session.id))
    await until(lambda: controller.guests.connected(session.id))
    await controller.look()
    assert state(controller, session) is S.READY


async def test_a_failed_machine_is_kept_and_then_purged(controller: Controller) -> None:
    session = await ready(controller)
    controller.driver.of(session.id).exit("broken")
    await until(lambda: state(controller, session) is S.FAILED)
    await controller.look()
    assert controller.driver.kept == {session.machine}
    controller.clock.forward(1801)
    controller.parts.reconciler.wake(session.id)
    await controller.settle()
    assert controller.driver.kept == set()
    assert controller.store.rows[session.id].kept_until is None
    controller.clock.forward(90_000)
    controller.parts.reconciler.wake(session.id)
    await controller.settle()
    assert session.id not in controller.store.rows


async def test_a_machine_that_will_not_die_is_given_up_and_swept_later(controller: Controller) -> None:
    session = await ready(controller)
    controller.driver.fail_destroy = True
    await controller.service.stop(session)
    await controller.settle()
    assert state(controller, session) is S.STOPPING
    controller.clock.forward(61)
    await controller.look()
    assert state(controller, session) is S.FAILED
    controller.driver.fail_destroy = False
    await controller.look()
    assert not controller.driver.machines


async def test_nobody_watching_ends_it_and_a_heartbeat_keeps_it(controller: Controller) -> None:
    session = await ready(controller)
    controller.clock.forward(1700)
    beat = await controller.service.seen(session, None)
    assert beat.idle_at == controller.clock.now + 1_800_000
    controller.clock.forward(1700)
    await controller.look()
    assert state(controller, session) is S.READY
    assert controller.driver.of(session.id).told(SetDeadline)
    controller.clock.forward(101)
    await controller.look()
    assert state(controller, session) is S.ENDED
    assert controller.store.rows[session.id].wanted_end is EndReason.IDLE


async def test_a_store_that_cannot_serve_costs_nothing_but_time(controller: Controller) -> None:
    controller.driver.on_create = boots
    controller.start()
    await until(lambda: controller.parts.world.of("mch_x").value == "absent")
    session = await controller.service.create(USER, WISH, None)
    controller.store.broken = True
    await until(lambda: controller.store.refused >= 3)
    assert controller.store.rows[session.id].state is not S.READY
    controller.store.broken = False
    await until(lambda: state(controller, session) is S.READY)
    keeper = controller.driver.of(session.id)
    await until(lambda: not keeper.waiting)
    controller.store.broken, controller.store.refused = True, 0
    keeper.say("boot", Fatal("said while the disk was full"))
    await until(lambda: controller.store.refused >= 3)
    assert keeper.waiting, "what is not committed is not acknowledged"
    controller.store.broken = False
    await until(lambda: state(controller, session) is S.FAILED)


async def test_a_sign_in_starts_when_the_machine_is_ready(controller: Controller) -> None:
    controller.driver.on_create = boots
    await controller.look()
    session = await controller.service.create(USER, Wish(1280, 720, provider="demo"), None)
    await until(lambda: controller.desk.started == [session.id])
    await controller.settle()
    signin = controller.store.rows[session.id].signin
    assert signin is not None
    assert signin.stage is SigninStage.STARTING


async def test_an_orphan_is_removed_and_a_kept_folder_is_not(controller: Controller) -> None:
    orphan = new_id("mch")
    await ready(controller)
    spec = next(iter(controller.driver.machines.values())).spec
    controller.driver.machines[orphan] = FakeKeeper(spec)
    controller.driver.kept.add(new_id("mch"))
    failed = a_session(state=S.FAILED, ended_at=1, kept_until=controller.clock.now + 1000)
    controller.store.rows[failed.id] = failed
    controller.machines.rows[failed.machine] = Machine(
        failed.machine, "fake", failed.image, 7, MachinePhase.OVER, 1, 1, session=failed.id, ended_at=1
    )
    controller.driver.kept.add(failed.machine)
    await controller.look()
    assert orphan not in controller.driver.machines
    assert controller.driver.kept == {failed.machine}
    assert len(controller.driver.machines) == 1


async def test_the_log_of_a_machine_that_failed_before_a_crash_is_kept(controller: Controller) -> None:
    session = await ready(controller)
    lost = Machine(
        new_id("mch"), "fake", session.image, 7, MachinePhase.MAKING, 1, 1, session.id, failed_stage="boot"
    )
    controller.machines.rows[lost.id] = lost
    controller.driver.kept.add(lost.id)
    await controller.look()
    assert controller.machines.rows[lost.id].outcome is Outcome.FAILED
    assert controller.machines.logs.keys() == {lost.id}
    assert controller.driver.kept == set()


async def test_a_store_that_fails_at_the_start_makes_no_orphans(controller: Controller) -> None:
    session = await ready(controller)
    await controller.kill()
    controller.store.broken = True
    again = controller.again().start()
    try:
        await until(lambda: controller.store.refused >= 2)
        assert controller.driver.of(session.id).alive
        controller.store.broken = False
        await until(lambda: again.guests.connected(session.id))
    finally:
        await again.kill()


async def test_a_killed_controller_loses_nothing(controller: Controller) -> None:
    session = await ready(controller)
    keeper = controller.driver.of(session.id)
    await controller.kill()
    again = controller.again().start()
    try:
        await until(lambda: again.guests.connected(session.id))
        await again.settle()
        assert state(again, session) is S.READY
        assert controller.driver.of(session.id) is keeper
        assert controller.driver.acts == [("create", session.machine)]
    finally:
        await again.kill()


async def test_a_machine_that_dies_while_the_controller_is_down_is_seen_as_gone(
    controller: Controller,
) -> None:
    session = await ready(controller)
    await controller.kill()
    controller.driver.of(session.id).die()
    again = controller.again().start()
    try:
        await until(lambda: state(again, session) is S.FAILED)
        assert controller.store.rows[session.id].wanted_end is EndReason.MACHINE_GONE
    finally:
        await again.kill()


async def test_ready_said_while_the_controller_is_down_is_heard_by_the_next(controller: Controller) -> None:
    await controller.look()
    session = await controller.service.create(USER, WISH, None)
    await until(lambda: state(controller, session) is S.BOOTING)
    await until(lambda: controller.guests.connected(session.id))
    await controller.kill()
    boots(controller.driver.of(session.id))
    again = controller.again().start()
    try:
        await until(lambda: state(again, session) is S.READY)
    finally:
        await again.kill()


async def test_a_creation_cut_by_a_crash_begins_again(controller: Controller) -> None:
    await controller.look()
    controller.driver.hold_create = asyncio.Event()
    session = await controller.service.create(USER, WISH, None)
    await until(lambda: controller.driver.acts)
    await controller.kill()
    controller.driver.kept.add(session.machine)
    controller.driver.hold_create = None
    controller.driver.on_create = boots
    again = controller.again().start()
    try:
        await until(lambda: state(again, session) is S.READY)
        acts = [act for act, _ in controller.driver.acts]
        assert acts == ["create", "destroy", "create"]
    finally:
        await again.kill()
