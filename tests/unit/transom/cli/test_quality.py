"""transom session quality, in front of a server that answers from a table."""

from __future__ import annotations

import json
from typing import Any

from tests.unit.transom.cli.conftest import FakeServer, Run
from transom.cli.quality import sparkline

PAIRS = "prflx to host, UDP (75 %); relay to host, UDP (25 %)"
PATH = "/api/sessions/ses_x/quality?limit=3000"


def a_row(n: int, rung: str = "webrtc", **figures: float) -> dict[str, Any]:
    at = 1_800_000_000_000 + n * 10_000
    return {"at": at, "seconds": 10, "rung": rung, "figures": figures, "words": {}}


def test_a_table_with_lines(transom: Run, server: FakeServer) -> None:
    rows = [a_row(n, fps=n, loss=0.02, latency_ms=20) for n in range(8)] + [a_row(8, "vnc", fps=7)]
    found = {
        "session": "ses_x",
        "viewers": [{"viewer": "tab", "rows": rows, "changes": [], "candidates": PAIRS}],
    }
    server.answers["GET", PATH] = (200, found)
    shown = transom("session", "quality", "ses_x").stdout
    assert "Viewer tab:" in shown and "1.5 min watched" in shown
    assert "webrtc 80 s, then vnc 10 s" in shown
    assert f"Candidates: {PAIRS}" in shown
    frames = next(line for line in shown.splitlines() if line.startswith("frames"))
    assert frames.split()[:4] == ["frames", "4", "7", "fps"]
    assert frames.rstrip().endswith("▁▂▃▄▅▆▇██")
    assert "input to picture" in shown and "jitter" not in shown
    assert json.loads(transom("session", "quality", "ses_x", "--json").stdout) == found


def test_nothing_to_tell_and_no_such_session(transom: Run, server: FakeServer) -> None:
    server.answers["GET", PATH] = (200, {"session": "ses_x", "viewers": []})
    assert "Nobody has watched" in transom("session", "quality", "ses_x").stdout
    assert transom("session", "quality", "ses_none").exit_code != 0


def test_sparklines() -> None:
    assert sparkline([0, None, 8]) == "▁ █"
    assert sparkline([]) == ""
    assert sparkline([0, 0]) == "▁▁"
    long = sparkline([*[1] * 400, 100, *[1] * 599])
    assert len(long) <= 48 and long.count("█") == 1
