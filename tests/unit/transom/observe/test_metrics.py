"""What Prometheus reads."""

from __future__ import annotations

from dataclasses import replace

from tests.support.fakes import START, a_session
from transom.model.session import EndReason, SessionState
from transom.observe.metrics import Metrics

S = SessionState


def text(metrics: Metrics, rungs: dict[str, int] | None = None) -> str:
    return metrics.render(lambda: rungs or {}).decode()


def test_a_sessions_life_in_figures() -> None:
    metrics, session = Metrics(), a_session()
    metrics.session(session)
    assert 'transom_sessions{state="requested"} 1.0' in text(metrics)
    ready = replace(session, state=S.READY, timeline={"accepted": 0, "ready": 2400})
    metrics.session(ready)
    metrics.session(ready)
    shown = text(metrics)
    assert 'transom_sessions{state="ready"} 1.0' in shown
    assert 'transom_sessions{state="requested"} 0.0' in shown
    assert 'transom_session_stage_seconds_count{stage="ready"} 1.0' in shown
    assert 'transom_session_stage_seconds_sum{stage="ready"} 2.4' in shown
    over = replace(ready, state=S.FAILED, wanted_end=EndReason.MACHINE_GONE, ended_at=START)
    metrics.session(over)
    metrics.session(replace(over, kept_until=None))
    shown = text(metrics)
    assert 'transom_session_ends_total{reason="machine_gone"} 1.0' in shown
    assert 'transom_sessions{state="ready"} 0.0' in shown


def test_an_adopted_session_is_counted_and_its_past_is_not() -> None:
    metrics = Metrics()
    metrics.adopted(a_session(state=S.READY, timeline={"ready": 2400}))
    metrics.adopted(a_session(state=S.ENDED))
    shown = text(metrics)
    assert 'transom_sessions{state="ready"} 1.0' in shown
    assert 'stage="ready"' not in shown


def test_events_and_rungs() -> None:
    metrics = Metrics()
    metrics.signalling("offered")
    metrics.misbehaved("boot")
    metrics.error("not_found")
    shown = text(metrics, {"vnc": 2})
    assert 'transom_signalling_events_total{event="offered"} 1.0' in shown
    assert 'transom_guest_misbehaviour_total{role="boot"} 1.0' in shown
    assert 'transom_errors_total{code="not_found"} 1.0' in shown
    assert 'transom_viewers{rung="vnc"} 2.0' in shown
    assert "transom_viewers{" not in text(metrics)


def test_no_name_of_a_session_or_user_is_a_label() -> None:
    metrics, session = Metrics(), a_session()
    metrics.session(session)
    assert session.id not in text(metrics)
    assert session.user not in text(metrics)


def test_a_machines_service_that_died_is_counted_by_a_name_of_ours() -> None:
    metrics = Metrics()
    for service in ("webrtc", "webrtc", "signin", "x" * 64):
        metrics.service_died(service)
    shown = text(metrics)
    assert 'transom_guest_service_deaths_total{service="webrtc"} 2.0' in shown
    assert 'transom_guest_service_deaths_total{service="signin"} 1.0' in shown
    assert 'transom_guest_service_deaths_total{service="other"} 1.0' in shown
