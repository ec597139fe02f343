"""Whether a session is recorded now. Pure."""

from __future__ import annotations

from transom.model.session import Session, SessionState, SigninStage

OFF, ON, PAUSED = "off", "on", "paused"


def wanted(policy: str, session: Session, *, chosen: bool, released: str, settled: bool) -> str:
    """off, on, or paused while a sign-in's page may be shown.

    `chosen`: the owner asked for it, where the policy leaves it to them. `released`: the flow after whose failure the
    owner said go on: until then its page may still be open. `settled`: a finished sign-in's page had time to go.
    """
    if policy == "off" or session.state is not SessionState.READY or session.wanted_end is not None:
        return OFF
    if policy != "always" and not chosen:
        return OFF
    signin = session.signin
    if signin is None:
        return ON
    if signin.stage is SigninStage.DONE:
        return ON if settled else PAUSED
    return ON if signin.stage.over and signin.flow == released else PAUSED
