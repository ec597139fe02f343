"""The warm pool on fakes: filled, claimed, refilled; killed at any point, nothing is lost and nothing is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from tests.support.controller import NO_POOL, WARM, Controller, a_user
from tests.support.fakes import START, FakeKeeper, a_session
from tests.support.waiting import until
from transom.model.machine import Machine, MachinePhase, Outcome
from transom.model.session import EndReason, Session, SessionState
from transom.sessions.pool import PoolPolicy
from transom.sessions.pooling import PREPARE_AGAIN_S
from transom.sessions.steps import Seen
from transom.sessions.wish import Wish
from transom_wire.control import Claim, ClaimAnswer, Usage
from transom_wire.link import Fatal, Ready

S, P = SessionState, MachinePhase
USER = a_user()
WISH = Wish(1400, 900, start_url="https://example.org/")
TWO = PoolPolicy(least=2, most=3, age_ms=3_600_000, reserve_bytes=0, settle_ms=0)


def claims(keeper: FakeKeeper) -> None:
    """A guest that is ready as soon as it is somebody's."""
    for role in ("boot", "webrtc", "signin"):
        keeper.link(role)
    keeper.say("boot", Ready(1400, 900), START)


def boots(keeper: FakeKeeper) -> None:
    keeper.link("boot")
    keeper.say("boot", Ready(1400, 900), START)


def parks(keeper: FakeKeeper) -> None:
    keeper.on_claim = claims
    keeper.park()


@pytest.fixture
async def controller() -> AsyncIterator[Controller]:
    made = Controller(pool=TWO)
    made.driver.on_warm = parks
    made.driver.on_create = boots
    yield made
    await made.kill()


async def fill(controller: Controller) -> list[Machine]:
    """Let the pool come to rest; its parked machines, oldest first."""
    pool = controller.parts.pool
    while await pool.step():
        await pool.made()
    return sorted(rows(controller, P.PARKED), key=lambda row: row.slot)


def rows(controller: Controller, phase: MachinePhase) -> list[Machine]:
    return [row for row in controller.machines.rows.values() if row.phase is phase]


def state(controller: Controller, session: Session) -> SessionState:
    return controller.store.rows[session.id].state


async def click(controller: Controller, *, ends: SessionState = S.READY) -> Session:
    await controller.look()
    session = await controller.service.create(USER, WISH, None)
    await until(lambda: state(controller, session) is ends)
    await controller.settle()
    return controller.store.rows[session.id]


async def test_it_is_filled_with_machines_that_are_nobodys(controller: Controller) -> None:
    parked = await fill(controller)
    assert [row.slot for row in parked] == [0, 1]
    for row in parked:
        spec = controller.driver.machines[row.id].spec
        assert (spec.session, spec.start_url, spec.exit.kind) == (None, "about:blank", "none")
        assert "parked" in row.stages
    assert controller.parts.pool.state().parked == 2


async def test_a_click_takes_one_and_the_claim_carries_everything_that_is_its_own(
    controller: Controller,
) -> None:
    parked = await fill(controller)
    session = await click(controller)
    assert session.machine in {row.id for row in parked}
    assert (session.pooled, session.attempt) == (True, 1)
    assert set(session.timeline) >= {"accepted", "machine", "claimed", "display", "browser", "ready"}
    keeper = controller.driver.of(session.id)
    (claim,) = keeper.told(Claim)
    assert (claim.session, claim.width, claim.height) == (session.id, 1400, 900)
    assert claim.start_url == WISH.start_url
    assert len(claim.seed) == 64
    assert claim.deadline > controller.clock.now
    assert [act for act, machine in controller.driver.acts if machine == session.machine] == ["create"]
    row = controller.machines.rows[session.machine]
    assert (row.phase, row.session) == (P.READY, session.id)


async def test_two_claims_share_nothing(controller: Controller) -> None:
    await fill(controller)
    first, second = await click(controller), await click(controller)
    (one,) = controller.driver.of(first.id).told(Claim)
    (two,) = controller.driver.of(second.id).told(Claim)
    assert first.machine != second.machine
    assert not {one.seed, one.machine_id, one.hostname} & {two.seed, two.machine_id, two.hostname}


async def test_it_is_filled_again_once_the_session_has_its_picture(controller: Controller) -> None:
    await fill(controller)
    await click(controller)
    assert len(await fill(controller)) == 2
    assert controller.parts.pool.demand.hits == 1


async def test_the_next_machine_waits_with_the_desktop_that_was_asked_for_last(
    controller: Controller,
) -> None:
    first = await fill(controller)
    await click(controller)
    made = {row.id for row in await fill(controller)} - {row.id for row in first}
    sizes = {name: (each.spec.width, each.spec.height) for name, each in controller.driver.machines.items()}
    assert {sizes[row.id] for row in first} == {(WARM.width, WARM.height)}
    assert [sizes[name] for name in made] == [(WISH.width, WISH.height)]


async def test_an_empty_pool_costs_a_session_nothing_but_time(controller: Controller) -> None:
    session = await click(controller)
    assert not session.pooled
    assert controller.parts.pool.demand.misses == 1


async def test_clicks_at_once_get_a_machine_each(controller: Controller) -> None:
    await fill(controller)
    await controller.look()
    sessions = await asyncio.gather(*(controller.service.create(USER, WISH, None) for _ in range(3)))
    await until(lambda: all(state(controller, each) is S.READY for each in sessions))
    now = [controller.store.rows[each.id] for each in sessions]
    assert len({each.machine for each in now}) == 3
    assert sum(each.pooled for each in now) == 2


@pytest.mark.parametrize("answer", ["it was parked too long", None])
async def test_a_claim_that_fails_falls_back_to_a_machine_of_its_own(
    controller: Controller, answer: str | None
) -> None:
    def parks_badly(keeper: FakeKeeper) -> None:
        keeper.answers = answer
        keeper.park()

    controller.driver.on_warm = parks_badly
    runner = controller.parts.reconciler._runner
    runner.policy = replace(runner.policy, claim_ms=100)
    parked = await fill(controller)
    session = await click(controller)
    assert not session.pooled
    assert session.attempt == 1
    assert session.retried
    (bad,) = [row for row in controller.machines.rows.values() if row.outcome is Outcome.FAILED]
    assert bad.id in {row.id for row in parked}
    assert bad.failed_stage == "claim"
    assert bad.id not in controller.driver.machines
    assert controller.machines.logs.keys() == {bad.id}


async def test_a_parked_machine_that_died_unseen_is_replaced(controller: Controller) -> None:
    parked = await fill(controller)
    for row in parked:
        controller.driver.machines[row.id].alive = False
    session = await click(controller)
    assert not session.pooled
    assert state(controller, session) is S.READY


async def test_a_parked_machine_that_ends_is_noticed_and_accounted_for(controller: Controller) -> None:
    parked = await fill(controller)
    await asyncio.sleep(0)
    controller.driver.machines[parked[0].id].exit("out of memory")
    await until(lambda: controller.parts.pool._tended[parked[0].id][1].done())
    await fill(controller)
    row = controller.machines.rows[parked[0].id]
    assert (row.phase, row.outcome, row.cause) == (P.OVER, Outcome.LOST, "out of memory")
    assert len(rows(controller, P.PARKED)) == 2


async def test_a_making_that_fails_says_where_and_waits_before_the_next(controller: Controller) -> None:
    controller.driver.on_warm = lambda keeper: keeper.say("boot", Fatal("no display"))
    assert await fill(controller) == []
    (row,) = controller.machines.rows.values()
    assert (row.outcome, row.failed_stage, row.cause) == (Outcome.FAILED, "guest", "no display")
    assert not controller.driver.machines
    assert not controller.driver.kept
    controller.clock.forward(4.9)
    await fill(controller)
    assert len(controller.machines.rows) == 1
    controller.driver.on_warm = parks
    controller.clock.forward(0.2)
    assert len(await fill(controller)) == 2


async def test_an_image_is_prepared_once_where_the_driver_saves_snapshots(controller: Controller) -> None:
    controller.driver.flags = replace(controller.driver.flags, snapshot=True)
    await fill(controller)
    assert len(controller.driver.prepared) == 1


async def test_an_image_is_looked_at_again_as_machines_are_made_but_seldom(controller: Controller) -> None:
    """Its snapshot may have turned out bad."""
    controller.driver.flags = replace(controller.driver.flags, snapshot=True)
    for seconds, times in ((0, 1), (PREPARE_AGAIN_S - 60, 1), (120, 2)):
        controller.clock.forward(seconds)
        parked = await fill(controller)
        assert len(controller.driver.prepared) == times
        controller.driver.machines[parked[0].id].exit("out of memory")
        await until(lambda row=parked[0].id: controller.parts.pool._tended[row][1].done())  # type: ignore[misc]


async def test_a_machine_that_failed_and_does_not_go_is_told_of_and_stays_a_failure(
    controller: Controller,
) -> None:
    controller.driver.on_warm = lambda keeper: keeper.say("boot", Fatal("no display"))
    controller.driver.fail_destroy = True
    with capture_logs() as lines:
        await controller.parts.pool.step()
        await controller.parts.pool.made()
    (row,) = controller.machines.rows.values()
    assert row.phase is P.MAKING
    (told,) = [each for each in lines if each["event"] == "a machine that failed does not go"]
    assert (told["machine"], told["reason"], told["log_level"]) == (row.id, "it does not die", "warning")
    controller.driver.fail_destroy = False
    await fill(controller)
    row = controller.machines.rows[row.id]
    assert (row.outcome, row.failed_stage, row.cause) == (Outcome.FAILED, "guest", "no display")
    assert not controller.parts.pool._unremoved


async def test_a_driver_that_cannot_has_no_pool(controller: Controller) -> None:
    controller.driver.flags = replace(controller.driver.flags, warm=False)
    async with asyncio.timeout(2):
        await controller.parts.pool.run()
    assert not controller.driver.acts


async def test_short_memory_gives_machines_back(controller: Controller) -> None:
    await fill(controller)
    controller.parts.pool.policy = replace(TWO, reserve_bytes=2**30)
    controller.available = 2**20
    await fill(controller)
    assert not controller.driver.machines
    assert {row.outcome for row in controller.machines.rows.values()} == {Outcome.UNUSED}


async def test_what_parked_machines_use_is_known(controller: Controller) -> None:
    parked = await fill(controller)
    await asyncio.sleep(0)
    for row in parked:
        controller.driver.machines[row.id]._put(Usage(START, {"memory_bytes": "1000", "pids": "x"}))
    await until(lambda: controller.parts.pool.state().memory_bytes == 2000)


# Restarts


async def test_parked_machines_outlive_the_controller(controller: Controller) -> None:
    parked = await fill(controller)
    await controller.kill()
    again = controller.again()
    try:
        await again.look()
        assert await fill(again) == parked
        session = await click(again)
        assert session.machine in {row.id for row in parked}
    finally:
        await again.kill()


async def test_a_making_cut_by_a_crash_leaves_nothing(controller: Controller) -> None:
    controller.driver.on_warm = None
    await controller.parts.pool.step()
    await until(lambda: controller.driver.machines)
    await controller.kill()
    again = controller.again()
    try:
        await again.look()
        assert not controller.driver.machines
        assert [row.phase for row in controller.machines.rows.values()] == [P.OVER]
    finally:
        await again.kill()


async def test_a_claim_cut_by_a_crash_is_said_again(controller: Controller) -> None:
    def silent(keeper: FakeKeeper) -> None:
        keeper.answers = None
        keeper.park()

    controller.driver.on_warm = silent
    await fill(controller)
    await controller.look()
    session = await controller.service.create(USER, WISH, None)
    await until(lambda: any(keeper.told(Claim) for keeper in controller.driver.machines.values()))
    await controller.kill()
    row = controller.store.rows[session.id]
    assert (row.state, row.pooled) == (S.CREATING, True)
    keeper = controller.driver.machines[row.machine]
    keeper.answers, keeper.on_claim = "", claims
    again = controller.again()
    try:
        await again.look()
        await until(lambda: state(again, session) is S.READY)
        assert len(keeper.told(Claim)) == 2
        assert controller.store.rows[session.id].pooled
    finally:
        await again.kill()


async def test_a_pool_that_is_switched_off_is_emptied(controller: Controller) -> None:
    await fill(controller)
    await controller.kill()
    controller.pool_policy = NO_POOL
    again = controller.again()
    try:
        await again.look()
        assert not controller.driver.machines
        assert {row.phase for row in controller.machines.rows.values()} == {P.OVER}
    finally:
        await again.kill()


async def test_a_row_without_anything_on_the_host_gives_its_slot_back(controller: Controller) -> None:
    ended = a_session(state=S.FAILED, wanted_end=EndReason.STATE_TIMEOUT, ended_at=1, kept_until=None)
    controller.store.rows[ended.id] = ended
    await controller.machines.add_machine(
        Machine(ended.machine, "fake", ended.image, 0, P.MAKING, 1, 1, session=ended.id)
    )
    await controller.look()
    row = controller.machines.rows[ended.machine]
    assert (row.phase, row.outcome, row.failed_stage) == (P.OVER, Outcome.FAILED, "boot")


async def test_what_another_driver_parked_is_an_orphan(controller: Controller) -> None:
    keeps = controller.parts.pool.keeps
    row = Machine("mch_" + "a" * 20, "fake", "sha256-0", 0, P.PARKED, 1, 1, warm=True)
    assert keeps(row, Seen.RUNNING)
    assert not keeps(replace(row, driver="qemu"), Seen.RUNNING)


# A second machine


async def test_a_first_machine_that_ends_before_it_is_ready_is_replaced_once(controller: Controller) -> None:
    controller.driver.on_create = None
    await controller.look()
    session = await controller.service.create(USER, WISH, None)
    await until(lambda: controller.guests.connected(session.id))
    first = controller.store.rows[session.id].machine
    controller.driver.machines[first].exit("out of memory")
    await until(lambda: controller.store.rows[session.id].attempt == 2)
    await until(lambda: controller.guests.connected(session.id))
    row = controller.store.rows[session.id]
    assert row.machine != first
    assert row.retried == "machine_gone: out of memory"
    assert controller.machines.rows[first].outcome is Outcome.FAILED
    assert controller.machines.rows[first].slot != controller.machines.rows[row.machine].slot
    assert controller.machines.rows[first].cause == "machine_gone: out of memory"
    controller.driver.machines[row.machine].exit("again")
    await until(lambda: state(controller, session) is S.FAILED)
    assert controller.store.rows[session.id].end_detail == "again"


async def test_a_user_who_stops_gets_no_second_machine(controller: Controller) -> None:
    controller.driver.on_create = None
    await controller.look()
    session = await controller.service.create(USER, WISH, None)
    await until(lambda: controller.guests.connected(session.id))
    await controller.service.stop(controller.store.rows[session.id])
    await until(lambda: state(controller, session) is S.ENDED)
    assert controller.store.rows[session.id].attempt == 1
    (row,) = controller.machines.rows.values()
    assert row.outcome is Outcome.CANCELLED


async def test_a_refused_claim_of_another_session_is_not_believed(controller: Controller) -> None:
    await fill(controller)
    session = await click(controller)
    keeper = controller.driver.of(session.id)
    keeper._put(ClaimAnswer("ses_other", True))
    await controller.settle()
    assert state(controller, session) is S.READY
