"""Prometheus metrics of one controller, in a registry of its own. Names of sessions and users are in none."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from transom.model.session import STAGES, Session, SessionState

STAGE_BUCKETS = (0.1, 0.25, 0.5, 1, 2, 3, 4, 5, 7.5, 10, 20, 40, 80)
"""Seconds since the request."""
REFUSALS = (
    "offer_malformed", "offer_too_large", "offer_limited", "offer_refused", "candidate_malformed",
    "message_malformed", "message_limited", "heartbeat_refused", "screen_refused",
)  # fmt: skip
"""Viewers' messages that were not taken: they say nothing, are too many, or come too late."""
SERVICES = ("webrtc", "signin")
"""Of a machine: what it calls otherwise is no label."""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Counts what happens; gauges are asked for when somebody reads."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._sessions = Gauge("transom_sessions", "Sessions by state.", ["state"], registry=self.registry)
        self._stages = Histogram(
            "transom_session_stage_seconds",
            "Time from the request until a stage was reached.",
            ["stage"],
            buckets=STAGE_BUCKETS,
            registry=self.registry,
        )
        self._ends = Counter(
            "transom_session_ends", "Sessions that ended.", ["reason"], registry=self.registry
        )
        self._signalling = Counter(
            "transom_signalling_events",
            "Offers and answers, and viewers' messages that were refused.",
            ["event"],
            registry=self.registry,
        )
        for event in ("offered", "answered", *REFUSALS):
            self._signalling.labels(event)
        self._viewers = Gauge("transom_viewers", "Viewers heard of now.", ["rung"], registry=self.registry)
        self._misbehaviour = Counter(
            "transom_guest_misbehaviour", "Garbage and floods from guests.", ["role"], registry=self.registry
        )
        self._deaths = Counter(
            "transom_guest_service_deaths",
            "Services of machines that ended by themselves and were started anew.",
            ["service"],
            registry=self.registry,
        )
        self._errors = Counter(
            "transom_errors", "Answers that were no success.", ["code"], registry=self.registry
        )
        self._left_out = Counter(
            "transom_log_lines_left_out", "Lines that sessions caused too often.", registry=self.registry
        )
        self._states: dict[str, SessionState] = {}
        self._marked: dict[str, frozenset[str]] = {}

    def session(self, session: Session) -> None:
        """A row changed: count its state, new stages and end."""
        before = self._marked.get(session.id, frozenset())
        for stage in session.timeline.keys() - before:
            if stage in STAGES:
                self._stages.labels(stage).observe(session.timeline[stage] / 1000)
        if session.state.over:
            if self._states.pop(session.id, None) is not None:
                self._ends.labels(session.wanted_end or "unknown").inc()
            self._marked.pop(session.id, None)
            return
        self._states[session.id] = session.state
        self._marked[session.id] = frozenset(session.timeline)

    def adopted(self, session: Session) -> None:
        """A living row that an earlier process wrote: its stages were counted then."""
        if not session.state.over:
            self._states[session.id] = session.state
            self._marked[session.id] = frozenset(session.timeline)

    def signalling(self, event: str) -> None:
        """offered, answered, a message that was refused (REFUSALS), or something dropped."""
        self._signalling.labels(event).inc()

    def misbehaved(self, role: str) -> None:
        """A guest sent what it may not."""
        self._misbehaviour.labels(role).inc()

    def service_died(self, service: str) -> None:
        """A machine's service, of those that there are, died."""
        self._deaths.labels(service if service in SERVICES else "other").inc()

    def left_out(self) -> None:
        """A session's line was not written: there were too many like it."""
        self._left_out.inc()

    def error(self, code: str) -> None:
        """An error was answered; `code` is one of ours."""
        self._errors.labels(code).inc()

    def render(self, rungs: Callable[[], Mapping[str, int]]) -> bytes:
        """The text that Prometheus reads."""
        counts = dict.fromkeys(SessionState, 0)
        for state in self._states.values():
            counts[state] += 1
        for state, count in counts.items():
            if not state.over:
                self._sessions.labels(state).set(count)
        self._viewers.clear()
        for rung, count in rungs().items():
            self._viewers.labels(rung).set(count)
        return generate_latest(self.registry)
