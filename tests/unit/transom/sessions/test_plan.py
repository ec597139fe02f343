"""The plan as a trace: a row and what is seen of the world in, steps out."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.controller import POLICY
from tests.support.fakes import START, a_session
from transom.model.session import EndReason, Session, SessionState, Signin, SigninStage, may_become
from transom.sessions.plan import (
    after,
    decide,
    instead,
    keeper_deadline,
    mark,
    plan,
    with_another,
    with_parked,
)
from transom.sessions.steps import (
    Become,
    ClaimMachine,
    ClearRemains,
    CreateMachine,
    DestroyMachine,
    End,
    Failure,
    Forget,
    GiveUp,
    HoldGuest,
    MoveDeadline,
    Observed,
    PurgeFolder,
    ReplaceMachine,
    Seen,
    StartSignin,
    Step,
    TakeMachine,
)

S = SessionState
POOL_POLICY = replace(POLICY, pool=True)
RUNNING = Observed(machine=Seen.RUNNING, held=True)
GONE = Observed(machine=Seen.GONE, held=True, why_gone="killed")
ABSENT = Observed(machine=Seen.ABSENT)
POOLED = a_session(state=S.CREATING, pooled=True, timeline={"accepted": 0, "machine": 2})
READY = a_session(state=S.READY, timeline={"accepted": 0, "ready": 3000})


def at(state: SessionState, **changes: object) -> Session:
    return a_session(state=state, **changes)


def stopping(reason: EndReason) -> Session:
    return at(S.STOPPING, wanted_end=reason)


@pytest.mark.parametrize(
    ("session", "observed", "seconds", "steps"),
    [
        (at(S.REQUESTED), ABSENT, 0, [Become(S.CREATING)]),
        (at(S.REQUESTED), Observed(), 0, [Become(S.CREATING)]),
        (at(S.CREATING), ABSENT, 0, [CreateMachine()]),
        (at(S.CREATING), Observed(), 0, []),
        (at(S.CREATING), RUNNING, 0, [Become(S.BOOTING)]),
        (at(S.CREATING), GONE, 0, [ClearRemains(), CreateMachine()]),
        (at(S.BOOTING), replace(RUNNING, held=False), 0, [HoldGuest()]),
        (at(S.BOOTING), RUNNING, 0, []),
        (at(S.BOOTING, timeline={"ready": 1}), RUNNING, 0, [Become(S.READY)]),
        (at(S.BOOTING, timeline={"ready": 1}), RUNNING, 500, [Become(S.READY)]),
        (at(S.BOOTING), GONE, 0, [ReplaceMachine(EndReason.MACHINE_GONE, "killed", "")]),
        (at(S.BOOTING, attempt=2), GONE, 0, [End(EndReason.MACHINE_GONE, "killed")]),
        (POOLED, RUNNING, 0, [ClaimMachine()]),
        (POOLED, Observed(), 0, []),
        (POOLED, GONE, 0, [ReplaceMachine(EndReason.MACHINE_GONE, "killed", "claim")]),
        (
            replace(POOLED, attempt=2),
            ABSENT,
            0,
            [ReplaceMachine(EndReason.MACHINE_GONE, "the warm machine was gone", "claim")],
        ),
        (READY, RUNNING, 0, []),
        (READY, Observed(), 0, [HoldGuest()]),
        (READY, ABSENT, 0, [End(EndReason.MACHINE_GONE)]),
        (stopping(EndReason.STOPPED), RUNNING, 0, [DestroyMachine(keep_folder=False)]),
        (stopping(EndReason.BOOT_TIMEOUT), RUNNING, 0, [DestroyMachine(keep_folder=True)]),
        (stopping(EndReason.STOPPED), RUNNING, 60, [GiveUp()]),
        (at(S.ENDED, ended_at=START), ABSENT, 0, []),
        (at(S.ENDED, ended_at=START), ABSENT, 86_400, [Forget()]),
        (at(S.FAILED, ended_at=START, kept_until=START + 5000), GONE, 4, []),
        (at(S.FAILED, ended_at=START, kept_until=START + 5000), GONE, 5, [PurgeFolder()]),
    ],
)
def test_each_state_knows_what_is_next(
    session: Session, observed: Observed, seconds: int, steps: list[object]
) -> None:
    assert plan(session, observed, START + seconds * 1000, POLICY) == steps


@pytest.mark.parametrize(
    ("session", "seconds", "reason"),
    [
        (at(S.REQUESTED), 60, EndReason.STATE_TIMEOUT),
        (at(S.CREATING, attempt=2), 60, EndReason.CREATE_FAILED),
        (at(S.BOOTING, attempt=2), 120, EndReason.BOOT_TIMEOUT),
        (READY, 1800, EndReason.IDLE),
        (replace(READY, last_seen_at=START + 28_000_000), 8 * 3600, EndReason.EXPIRED),
        (at(S.REQUESTED, expires_at=START + 1000), 1, EndReason.EXPIRED),
    ],
)
def test_each_state_has_a_deadline(session: Session, seconds: int, reason: EndReason) -> None:
    before = plan(session, RUNNING, START + seconds * 1000 - 1, POLICY)
    assert not any(isinstance(step, End) for step in before)
    (step,) = plan(session, RUNNING, START + seconds * 1000, POLICY)
    assert isinstance(step, End)
    assert step.reason is reason


@pytest.mark.parametrize("state", [S.REQUESTED, S.CREATING, S.BOOTING, S.READY])
def test_a_decided_end_comes_first(state: SessionState) -> None:
    session = decide(at(state), EndReason.STOPPED)
    assert plan(session, RUNNING, START, POLICY) == [Become(S.STOPPING)]


def test_the_first_decision_stays() -> None:
    session = decide(decide(READY, EndReason.STOPPED), EndReason.MACHINE_GONE, "late")
    assert (session.wanted_end, session.end_detail) == (EndReason.STOPPED, "")


def test_idle_waits_for_viewers_after_a_restart() -> None:
    policy = replace(POLICY, idle_not_before=START + 2_000_000)
    assert plan(READY, RUNNING, START + 1_900_000, policy) == []
    assert plan(READY, RUNNING, START + 2_000_000, policy) == [End(EndReason.IDLE)]
    assert keeper_deadline(READY, policy) == START + 2_120_000


def test_the_keeper_is_told_of_a_deadline_only_when_it_is_far_off() -> None:
    right = keeper_deadline(READY, POLICY)
    assert right == START + 1_800_000 + 120_000
    assert plan(READY, replace(RUNNING, deadline=right - 30_000), START, POLICY) == []
    off = replace(RUNNING, deadline=right - 30_001)
    assert plan(READY, off, START, POLICY) == [MoveDeadline(right)]
    assert plan(READY, replace(off, held=False), START, POLICY) == [HoldGuest()]


def test_a_short_grace_never_lets_the_keeper_end_a_watched_session() -> None:
    policy = replace(POLICY, grace_ms=10_000)
    right = keeper_deadline(READY, policy)
    assert plan(READY, replace(RUNNING, deadline=right - 5_000), START, policy) == []
    assert plan(READY, replace(RUNNING, deadline=right - 5_001), START, policy) == [MoveDeadline(right)]


def test_a_pending_sign_in_starts_once_its_agent_is_there() -> None:
    pending = replace(READY, signin=Signin("flw_1", "demo", SigninStage.PENDING))
    assert plan(pending, RUNNING, START, POLICY) == []
    reachable = replace(RUNNING, signin_reachable=True)
    assert plan(pending, reachable, START, POLICY) == [StartSignin()]
    started = replace(READY, signin=Signin("flw_1", "demo", SigninStage.STARTING))
    assert plan(started, reachable, START, POLICY) == []


def test_what_a_step_leaves_in_the_row() -> None:
    made = after(at(S.CREATING), CreateMachine(), START + 700, POLICY)
    assert (made.state, made.timeline["machine"]) == (S.BOOTING, 700)
    failed = after(at(S.CREATING), CreateMachine(), START, POLICY, Failure("no space"))
    assert (failed.state, failed.wanted_end, failed.end_detail) == (
        S.STOPPING,
        EndReason.CREATE_FAILED,
        "no space",
    )
    ended = after(stopping(EndReason.STOPPED), DestroyMachine(False), START + 5, POLICY)
    assert (ended.state, ended.ended_at, ended.kept_until) == (S.ENDED, START + 5, None)
    lost = after(stopping(EndReason.MACHINE_GONE), DestroyMachine(True), START, POLICY)
    assert (lost.state, lost.kept_until) == (S.FAILED, START + POLICY.failed_keep_ms)
    stuck = stopping(EndReason.STOPPED)
    assert after(stuck, DestroyMachine(False), START, POLICY, Failure("busy")) == stuck
    given_up = after(stuck, GiveUp(), START, POLICY)
    assert (given_up.state, given_up.wanted_end) == (S.FAILED, EndReason.STATE_TIMEOUT)


def test_an_open_sign_in_ends_with_its_session() -> None:
    signin = Signin("flw_1", "demo", SigninStage.WAITING)
    ended = after(replace(stopping(EndReason.STOPPED), signin=signin), DestroyMachine(False), START, POLICY)
    assert ended.signin is not None
    assert ended.signin.stage is SigninStage.CANCELLED


def test_a_stage_is_marked_once() -> None:
    first = mark(READY, "first_frame", START + 4000)
    assert mark(first, "first_frame", START + 9000).timeline["first_frame"] == 4000
    assert mark(READY, "browser", START - 50).timeline["browser"] == 0


def test_with_a_pool_a_new_session_looks_there_first() -> None:
    requested = at(S.REQUESTED)
    assert plan(requested, ABSENT, START, POOL_POLICY) == [TakeMachine()]
    taken = with_parked(requested, "mch_" + "b" * 20, START + 4)
    assert (taken.state, taken.machine, taken.pooled) == (S.CREATING, "mch_" + "b" * 20, True)
    assert taken.timeline == {"accepted": 0, "machine": 4}
    claimed = after(taken, ClaimMachine(), START + 90, POOL_POLICY)
    assert (claimed.state, claimed.timeline["claimed"]) == (S.BOOTING, 90)


def test_a_claim_that_fails_costs_no_attempt_and_a_second_machine_is_the_last() -> None:
    refused = instead(POOLED, ClaimMachine(), Failure("not parked", "claim"))
    assert refused == ReplaceMachine(EndReason.CREATE_FAILED, "not parked", "claim")
    cold = with_another(POOLED, refused, "mch_" + "b" * 20, START + 50)
    assert (cold.state, cold.state_since, cold.pooled, cold.attempt) == (S.CREATING, START + 50, False, 1)
    assert cold.timeline == {"accepted": 0}
    assert cold.retried == "create_failed: not parked"
    again = instead(cold, CreateMachine(), Failure("no space", "network"))
    assert again == ReplaceMachine(EndReason.CREATE_FAILED, "no space", "network")
    second = with_another(cold, again, "mch_" + "c" * 20, START + 60)
    assert second.attempt == 2
    assert instead(second, CreateMachine(), Failure("no space")) is None
    assert after(second, CreateMachine(), START, POLICY, Failure("x")).state is S.STOPPING


def test_another_machine_does_not_help_against_a_missing_image() -> None:
    assert instead(at(S.CREATING), CreateMachine(), Failure("no image", "image")) is None


@pytest.mark.parametrize("reason", [EndReason.STOPPED, EndReason.EXPIRED, EndReason.GUEST_FAILED])
def test_what_was_decided_is_not_retried(reason: EndReason) -> None:
    session = decide(at(S.BOOTING), reason)
    assert plan(session, GONE, START, POLICY) == [Become(S.STOPPING)]


def test_a_machine_that_cannot_be_removed_is_not_replaced() -> None:
    step = ReplaceMachine(EndReason.BOOT_TIMEOUT, "slow", "")
    stopped = after(at(S.BOOTING), step, START, POLICY, Failure("it does not die"))
    assert (stopped.state, stopped.wanted_end) == (S.STOPPING, EndReason.BOOT_TIMEOUT)


def done(row: Session, step: Step, now: int, failure: Failure | None) -> Session:
    """The row once the runner has done `step`, or has failed to."""
    if failure is not None and (other := instead(row, step, failure)) is not None:
        return done(row, other, now, None)
    if isinstance(step, ReplaceMachine) and failure is None:
        return with_another(row, step, "mch_" + "d" * 20, now)
    if isinstance(step, TakeMachine):
        return (
            with_parked(row, "mch_" + "e" * 20, now)
            if failure is None
            else replace(row, state=S.CREATING, state_since=now)
        )
    return after(row, step, now, POOL_POLICY, failure)


observations = st.builds(
    Observed,
    machine=st.sampled_from(Seen),
    held=st.booleans(),
    deadline=st.none() | st.integers(0, START * 2),
    signin_reachable=st.booleans(),
    why_gone=st.text(max_size=20),
)


@st.composite
def rows(draw: st.DrawFn) -> Session:
    state = draw(st.sampled_from(SessionState))
    end = draw(st.none() | st.sampled_from(EndReason))
    if state is S.STOPPING or state.over:
        end = end or EndReason.STOPPED
    return a_session(
        state=state,
        wanted_end=end,
        ended_at=START if state.over else None,
        kept_until=START + 1000 if state is S.FAILED else None,
        timeline={"accepted": 0, **({"ready": 5} if draw(st.booleans()) else {})},
        signin=draw(st.none() | st.just(Signin("flw_1", "demo", SigninStage.PENDING))),
    )


@settings(max_examples=300)
@given(rows(), st.lists(st.tuples(observations, st.booleans(), st.integers(0, 40)), max_size=60))
def test_whatever_is_seen_a_session_moves_along_the_table_and_ends(
    session: Session, world: list[tuple[Observed, bool, int]]
) -> None:
    """A hostile world: any observation, any step failing, time passing; then time alone."""
    now, trace, row = START, [session.state], session
    quiet = [(Observed(), True, 60)] * 700
    for observed, fails, seconds in [*world, *quiet]:
        for step in plan(row, observed, now, POOL_POLICY):
            if isinstance(step, Forget):
                break
            moved = done(row, step, now, Failure("broken") if fails else None)
            if moved != row:
                row = moved
                trace.append(row.state)
                break
        now += seconds * 1000
    assert row.state.over
    for then, next_ in pairwise(trace):
        assert then == next_ or may_become(then, next_)
    assert len(trace) <= 20
    assert row.attempt <= 2


@given(st.lists(observations, min_size=1, max_size=20))
def test_ready_is_never_lost(world: list[Observed]) -> None:
    """Once the row has the guest's word, a booting session becomes ready or loses its machine, nothing else."""
    row = at(S.BOOTING, timeline={"accepted": 0, "ready": 900})
    for observed in world:
        for step in plan(row, observed, START + 10_000_000, POLICY):
            row = after(row, step, START + 1, POLICY)
        if row.state is not S.BOOTING:
            break
    assert row.state is S.READY or row.wanted_end is EndReason.MACHINE_GONE


@given(rows(), observations, st.integers(0, 200_000))
def test_a_plan_never_touches_what_is_over_but_to_tidy(session: Session, observed: Observed, s: int) -> None:
    if session.state.over:
        steps = plan(session, observed, START + s * 1000, POLICY)
        assert all(isinstance(step, PurgeFolder | Forget) for step in steps)
