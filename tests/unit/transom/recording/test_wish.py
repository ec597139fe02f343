from __future__ import annotations

import pytest

from tests.support.fakes import a_session
from transom.model.session import EndReason, Session, SessionState, Signin, SigninStage
from transom.recording.wish import wanted

READY = a_session(state=SessionState.READY)


def wish(
    session: Session = READY,
    policy: str = "ask",
    *,
    chosen: bool = True,
    released: str = "",
    settled: bool = True,
) -> str:
    return wanted(policy, session, chosen=chosen, released=released, settled=settled)


def signing_in(stage: SigninStage) -> Session:
    return a_session(state=SessionState.READY, signin=Signin("flw_a", "demo", stage))


def test_the_policy_and_the_owner_decide() -> None:
    assert [wish(policy=policy) for policy in ("off", "ask", "always")] == ["off", "on", "on"]
    assert [wish(policy=policy, chosen=False) for policy in ("off", "ask", "always")] == ["off", "off", "on"]


@pytest.mark.parametrize("state", [state for state in SessionState if state is not SessionState.READY])
def test_only_a_session_that_is_ready(state: SessionState) -> None:
    assert wish(a_session(state=state)) == "off"
    assert wish(a_session(state=SessionState.READY, wanted_end=EndReason.STOPPED)) == "off"


@pytest.mark.parametrize("stage", [stage for stage in SigninStage if stage is not SigninStage.DONE])
def test_paused_from_a_sign_in_s_first_moment_and_after_a_failed_one_until_the_owner_says(
    stage: SigninStage,
) -> None:
    session = signing_in(stage)
    assert wish(session) == "paused"
    assert wish(session, released="flw_other") == "paused"
    assert wish(session, released="flw_a") == ("on" if stage.over else "paused")


def test_on_again_when_a_finished_sign_in_s_page_had_time_to_go() -> None:
    assert wish(signing_in(SigninStage.DONE), settled=False) == "paused"
    assert wish(signing_in(SigninStage.DONE)) == "on"
