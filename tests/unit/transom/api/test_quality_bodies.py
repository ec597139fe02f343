"""What a viewer may say of its picture: anything else is refused before it is looked at."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from transom.api.quality import row_of
from transom.api.quality_bodies import Heartbeat, Summary
from transom.model.quality import FIGURES, WORDS

FIELDS = tuple(Summary.model_fields)
VALUES = st.one_of(
    *(st.none(), st.booleans(), st.integers(-5, 2**70), st.floats(), st.text(max_size=8)),
    st.lists(st.floats(-1, 1e6), max_size=70),
    st.sampled_from(("webrtc", "vnc", "host", "udp", "loss")),
)


@given(st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), VALUES, max_size=12))
@settings(max_examples=300, deadline=None)
def test_whatever_is_said_is_refused_or_fits(said: dict[str, Any]) -> None:
    try:
        summary = TypeAdapter(Summary).validate_python({"seconds": 10, "rung": "webrtc", **said})
    except ValidationError:
        return
    row = row_of("ses_a", "tab", summary, 1)
    assert set(row.figures) <= set(FIGURES)
    assert set(row.words) <= set(WORDS)
    assert all(0 <= value <= 1e7 for value in row.figures.values())
    assert len(json.dumps(row.figures, allow_nan=False)) < 1500


def test_latencies_become_a_median_and_a_95th() -> None:
    values = tuple(float(n) for n in range(1, 41))
    row = row_of("ses_a", "tab", Summary(seconds=10, rung="webrtc", latencies_ms=values), 1)
    assert (row.figures["latency_ms"], row.figures["latency_p95_ms"]) == (20, 38)
    assert "latency_ms" not in row_of("ses_a", "tab", Summary(seconds=10, rung="vnc"), 1).figures


def test_an_old_page_still_has_its_say() -> None:
    old = {
        "fps": 30,
        "kbps": 1,
        "rtt_ms": None,
        "jitter_ms": None,
        "loss": 0,
        "frames": 3,
        "width": 1,
        "height": 1,
    }
    assert Heartbeat.model_validate({"peer": "tab", "rung": "vnc", "stats": old}).quality is None
