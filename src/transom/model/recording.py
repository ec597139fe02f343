"""Recordings: a session's picture in segments, with a timeline beside them. At most one for each session."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recording:
    """What is known of a session's recording, also after the session is forgotten. Times are Unix milliseconds."""

    session: str
    user: str
    started_at: int
    ended_at: int | None = None
    """None while it is wanted: a controller that starts again goes on with it."""
    bytes: int = 0
    segments: int = 0


@dataclass(frozen=True, slots=True)
class SegmentFile:
    """One segment that is kept."""

    number: int
    at: int
    duration_ms: int
    width: int
    height: int
    bytes: int
