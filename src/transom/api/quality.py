"""What a session's picture was like: taken in with heartbeats, shown while the session's row is kept."""

from __future__ import annotations

import math
from typing import Annotated

from fastapi import APIRouter, Query

from transom.api.access import P, Visible
from transom.api.parts import Parts
from transom.api.quality_bodies import (
    Heartbeat,
    QualityRowView,
    QualityView,
    RungChange,
    Summary,
    ViewerQuality,
)
from transom.model.quality import FIGURES, KEEPING, WORDS, QualityRow, candidates, changes
from transom.stream.quality import Report

router = APIRouter(tags=["sessions"])
NO_PEER = "-"
"""Under this name is kept what a viewer without a peer says of its picture."""
Since = Annotated[int, Query(ge=0, le=2**53)]
Limit = Annotated[int, Query(ge=1, le=KEEPING.most)]


@router.get("/api/sessions/{session}/quality")
async def get_quality(visible: Visible, parts: P, since: Since = 0, limit: Limit = 1000) -> QualityView:
    """The newest `limit` rows that ended at `since` or later, by viewer."""
    rows = await parts.quality_log.of(visible.id, since=since, limit=limit)
    viewers: dict[str, list[QualityRow]] = {}
    for row in rows:
        viewers.setdefault(row.viewer, []).append(row)
    return QualityView(session=visible.id, viewers=[_viewer(name, rows) for name, rows in viewers.items()])


def _viewer(name: str, rows: list[QualityRow]) -> ViewerQuality:
    shown = [
        QualityRowView(
            at=row.at, seconds=row.span_ms / 1000, rung=row.rung, figures=row.figures, words=row.words
        )
        for row in rows
    ]
    turns = [RungChange(at=at, rung=rung) for at, rung in changes(rows)]
    return ViewerQuality(viewer=name, rows=shown, changes=turns, candidates=candidates(rows))


def told(parts: Parts, session: str, beat: Heartbeat) -> None:
    """Take in what a heartbeat says of its viewer's picture. Never waits."""
    now, viewer = parts.clock(), beat.peer or NO_PEER
    if beat.rung is not None or beat.stats is not None:
        stats = beat.stats.model_dump(exclude_none=True) if beat.stats else {}
        parts.quality.report(session, viewer, Report(now, beat.rung, stats))
        parts.recordings.beat(session, viewer, beat.rung, stats)
    if beat.quality is not None:
        row = row_of(session, viewer, beat.quality, now)
        if parts.quality_log.take(row):
            parts.quality_metrics.observed(row, beat.quality.latencies_ms)
        count, still = beat.quality.freezes or 0, beat.quality.frozen_ms or 0
        parts.recordings.froze(session, viewer, count, still, row.span_ms)


def row_of(session: str, viewer: str, summary: Summary, now: int) -> QualityRow:
    """The row that is kept of a summary."""
    said = summary.model_dump(exclude_none=True)
    latencies = sorted(summary.latencies_ms)
    if latencies:
        said["latency_ms"] = latencies[(len(latencies) - 1) // 2]
        said["latency_p95_ms"] = latencies[math.ceil(len(latencies) * 0.95) - 1]
    return QualityRow(
        session=session,
        viewer=viewer,
        at=now,
        span_ms=round(summary.seconds * 1000),
        rung=summary.rung,
        figures={name: said[name] for name in FIGURES if name in said},
        words={name: said[name] for name in WORDS if name in said},
    )
