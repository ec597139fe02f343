"""What became of a machine, and where it failed: pure readings of a session's row."""

from __future__ import annotations

from collections.abc import Collection

from transom.model.machine import Outcome
from transom.model.session import Session

NEXT_FAILURE = (
    ("machine", "boot"),
    ("guest", "guest"),
    ("display", "display"),
    ("desktop", "desktop"),
    ("browser", "browser"),
)
"""A stage that was not reached -> where the machine failed then."""


def failed_stage(reached: Collection[str]) -> str:
    """Where a machine that reached these stages, and never got ready, failed."""
    return next((failure for stage, failure in NEXT_FAILURE if stage not in reached), "ready")


def verdict(session: Session) -> tuple[Outcome, str, str]:
    """(outcome, failed stage, cause) of the machine of a session that ends."""
    ended_badly = session.wanted_end is None or session.wanted_end.failure
    cause = f"{session.wanted_end or 'unknown'}: {session.end_detail}".removesuffix(": ")
    if "ready" not in session.timeline:
        if ended_badly:
            return Outcome.FAILED, failed_stage(session.timeline), cause
        return Outcome.CANCELLED, "", ""
    if ended_badly:
        return Outcome.LOST, "running", cause
    if "first_frame" not in session.timeline and session.last_seen_at > session.created_at:
        return Outcome.USED, "first_frame", "a viewer came and never had a picture"
    return Outcome.USED, "", ""


def stages_of(session: Session, made_at: int) -> dict[str, int]:
    """The session's timeline, from the machine's own beginning."""
    offset = session.created_at - made_at
    return {stage: max(0, at + offset) for stage, at in session.timeline.items() if stage != "accepted"}
