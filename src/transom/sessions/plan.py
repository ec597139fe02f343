"""What should happen next in a session: pure functions of the row, the world and the time.

`plan` names the steps; `after` gives the row once a step was done, or has failed. A crash between
the two loses nothing: the next plan reads the same row and asks for the same, idempotent, step.
"""

from __future__ import annotations

from dataclasses import replace

from transom.model.session import EndReason, Session, SessionState, Signin, SigninStage
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
    Policy,
    PurgeFolder,
    ReplaceMachine,
    Seen,
    StartSignin,
    Step,
    TakeMachine,
)

S = SessionState
DETAIL_LIMIT = 500
"""Characters of `end_detail`; the rest is in the machine's log."""
MACHINES = 2
"""Machines that are made for one session, the second when the first fails before it is ready."""


def plan(session: Session, observed: Observed, now: int, policy: Policy) -> list[Step]:
    """The steps that are due, in order; empty when only time or an event can change anything."""
    if session.state.over:
        return _over(session, now, policy)
    if session.state is S.STOPPING:
        return _stopping(session, now, policy)
    if session.wanted_end is not None:
        return [Become(S.STOPPING)]
    due = _ended_by_time(session, now, policy) or _living(session, observed, policy)
    return [_again(session, step) if isinstance(step, End) else step for step in due]


def _again(session: Session, end: End) -> End | ReplaceMachine:
    """Another machine in place of the end, where that makes sense: not for what the user or time decided."""
    tries = end.reason in (EndReason.CREATE_FAILED, EndReason.BOOT_TIMEOUT, EndReason.MACHINE_GONE)
    early = session.state in (S.CREATING, S.BOOTING) and "ready" not in session.timeline
    if not tries or not early or not (session.pooled or session.attempt < MACHINES):
        return end
    return ReplaceMachine(
        end.reason, end.detail, "claim" if session.state is S.CREATING and session.pooled else ""
    )


def instead(session: Session, step: Step, failure: Failure) -> Step | None:
    """What is done at once when `step` has failed: another machine, once."""
    match step:
        case ClaimMachine():
            return ReplaceMachine(EndReason.CREATE_FAILED, failure.reason, "claim")
        case CreateMachine() if failure.stage != "image" and session.attempt < MACHINES:
            return ReplaceMachine(EndReason.CREATE_FAILED, failure.reason, failure.stage)
    return None


def _over(session: Session, now: int, policy: Policy) -> list[Step]:
    if session.kept_until is not None and now >= session.kept_until:
        return [PurgeFolder()]
    if session.kept_until is None and now >= (session.ended_at or session.state_since) + policy.forget_ms:
        return [Forget()]
    return []


def _stopping(session: Session, now: int, policy: Policy) -> list[Step]:
    if now >= session.state_since + policy.stopping_ms:
        return [GiveUp()]
    return [DestroyMachine(keep_folder=_keeps_folder(session, policy))]


def _keeps_folder(session: Session, policy: Policy) -> bool:
    return session.wanted_end is not None and session.wanted_end.failure and policy.failed_keep_ms > 0


def _ended_by_time(session: Session, now: int, policy: Policy) -> list[Step]:
    if now >= session.expires_at:
        return [End(EndReason.EXPIRED)]
    waited = now - session.state_since
    if session.state is S.REQUESTED and waited >= policy.requested_ms:
        return [End(EndReason.STATE_TIMEOUT, "the machine's creation did not begin in time")]
    if session.state is S.CREATING and waited >= policy.creating_ms:
        return [End(EndReason.CREATE_FAILED, "the machine was not made in time")]
    if session.state is S.BOOTING and waited >= policy.booting_ms and "ready" not in session.timeline:
        return [End(EndReason.BOOT_TIMEOUT, "the desktop was not ready in time")]
    if session.state is S.READY and now >= max(session.idle_at, policy.idle_not_before):
        return [End(EndReason.IDLE)]
    return []


def _living(session: Session, observed: Observed, policy: Policy) -> list[Step]:
    if session.state is S.REQUESTED:
        return [TakeMachine() if policy.pool else Become(S.CREATING)]
    if session.state is S.CREATING:
        return _claiming(observed) if session.pooled else _creating(observed)
    if observed.machine in (Seen.GONE, Seen.ABSENT):
        return [End(EndReason.MACHINE_GONE, observed.why_gone)]
    steps: list[Step] = [] if observed.held else [HoldGuest()]
    if session.state is S.BOOTING:
        return [*steps, Become(S.READY)] if "ready" in session.timeline else steps
    return steps + _deadline(session, observed, policy) + _signin(session, observed)


def _claiming(observed: Observed) -> list[Step]:
    if observed.machine in (Seen.GONE, Seen.ABSENT):
        return [End(EndReason.MACHINE_GONE, observed.why_gone or "the warm machine was gone")]
    return [ClaimMachine()] if observed.machine is Seen.RUNNING else []


def _creating(observed: Observed) -> list[Step]:
    if observed.machine is Seen.RUNNING:
        return [Become(S.BOOTING)]
    if observed.machine is Seen.GONE:
        return [ClearRemains(), CreateMachine()]
    if observed.machine is Seen.ABSENT:
        return [CreateMachine()]
    return []


def keeper_deadline(session: Session, policy: Policy) -> int:
    """When the keeper ends the machine if no controller tells it otherwise."""
    return min(session.expires_at, max(session.idle_at, policy.idle_not_before) + policy.grace_ms)


def _deadline(session: Session, observed: Observed, policy: Policy) -> list[Step]:
    if not observed.held or observed.deadline is None:
        return []
    wanted = keeper_deadline(session, policy)
    # Never more than half the grace: a keeper whose deadline lags by more would end a session that is watched.
    slack = min(policy.deadline_slack_ms, policy.grace_ms // 2)
    return [MoveDeadline(wanted)] if abs(wanted - observed.deadline) > slack else []


def _signin(session: Session, observed: Observed) -> list[Step]:
    pending = session.signin is not None and session.signin.stage is SigninStage.PENDING
    return [StartSignin()] if pending and observed.signin_reachable else []


def after(session: Session, step: Step, now: int, policy: Policy, failure: Failure | None = None) -> Session:
    """The row once `step` is done; with `failure`, once it has failed. Steps without a mark return it as is."""
    match step:
        case Become(state=state):
            return _move(session, state, now)
        case CreateMachine() | ClaimMachine() if failure is not None:
            return _stop(session, End(EndReason.CREATE_FAILED, failure.reason), now)
        case CreateMachine():
            return mark(_move(session, S.BOOTING, now), "machine", now)
        case ClaimMachine():
            return mark(_move(session, S.BOOTING, now), "claimed", now)
        case ReplaceMachine() if failure is not None:
            return _stop(session, End(step.reason, step.detail), now)
        case End():
            return _stop(session, step, now)
        case DestroyMachine() if failure is None:
            return _finish(session, now, policy)
        case GiveUp():
            detail = session.end_detail or "the machine did not stop in time"
            stuck = replace(session, end_detail=detail, wanted_end=_at_least_failed(session.wanted_end))
            return _finish(stuck, now, policy)
        case PurgeFolder() if failure is None:
            return replace(session, kept_until=None)
    return session


def with_parked(session: Session, machine: str, now: int) -> Session:
    """The row once a parked machine is its own, still to be claimed."""
    return replace(mark(_move(session, S.CREATING, now), "machine", now), machine=machine, pooled=True)


def with_another(session: Session, step: ReplaceMachine, machine: str, now: int) -> Session:
    """The row once its machine was replaced by `machine`, which is still to be made."""
    return replace(
        _move(session, S.CREATING, now),
        machine=machine,
        pooled=False,
        attempt=session.attempt + (0 if session.pooled else 1),
        retried=f"{step.reason}: {step.detail}"[:DETAIL_LIMIT],
        timeline={"accepted": session.timeline.get("accepted", 0)},
        warnings=(),
    )


def _at_least_failed(reason: EndReason | None) -> EndReason:
    return reason if reason is not None and reason.failure else EndReason.STATE_TIMEOUT


def _move(session: Session, state: SessionState, now: int) -> Session:
    return replace(session, state=state, state_since=now)


def _stop(session: Session, end: End, now: int) -> Session:
    return _move(decide(session, end.reason, end.detail), S.STOPPING, now)


def decide(session: Session, reason: EndReason, detail: str = "") -> Session:
    """The row with its end decided; the first decision stays."""
    if session.wanted_end is not None or session.state.over:
        return session
    return replace(session, wanted_end=reason, end_detail=detail[:DETAIL_LIMIT])


def _finish(session: Session, now: int, policy: Policy) -> Session:
    failed = session.wanted_end is None or session.wanted_end.failure
    over = _move(session, S.FAILED if failed else S.ENDED, now)
    kept_until = now + policy.failed_keep_ms if failed else None
    return replace(over, ended_at=now, kept_until=kept_until, signin=_signin_cut(session))


def _signin_cut(session: Session) -> Signin | None:
    if session.signin is None or session.signin.stage.over:
        return session.signin
    return replace(session.signin, stage=SigninStage.CANCELLED, message="the session is over")


def mark(session: Session, stage: str, at: int) -> Session:
    """The row with `stage` in its timeline, unless it was reached before."""
    if stage in session.timeline:
        return session
    return replace(session, timeline={**session.timeline, stage: max(0, at - session.created_at)})
