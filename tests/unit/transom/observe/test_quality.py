"""What Prometheus reads of pictures."""

from __future__ import annotations

import re

from prometheus_client import CollectorRegistry, generate_latest

from transom.model.quality import QualityRow
from transom.observe.quality import QualityMetrics
from transom_wire.link import StreamReport


def test_a_row_in_figures() -> None:
    registry = CollectorRegistry()
    metrics = QualityMetrics(registry)
    figures = {
        "fps_most": 28.0,
        "kbps": 900.0,
        "loss": 0.02,
        "rtt_ms": 40.0,
        "freezes": 2.0,
        "frozen_ms": 1500.0,
    }
    row = QualityRow("ses_secret", "tab-1", 1, 10_000, "webrtc-relay", figures, {})
    metrics.observed(row, [20, 180])
    metrics.counted("lost", 3)
    metrics.look(
        [("webrtc-relay", "relay", "tcp"), ("webrtc-relay", "relay", "tcp"), ("vnc", "none", "none")],
        [
            StreamReport("p", 1, target, 300, 60, scale, 0.01, rtt, "probe")
            for target, scale, rtt in ((500, 75, 80.0), (4000, 100, 20.0), (1000, 100, 30.0))
        ],
    )
    metrics.link("delay")
    metrics.dropped("floods", 12)
    shown = generate_latest(registry).decode()
    for line in (
        'transom_input_to_picture_seconds_bucket{le="0.02",rung="webrtc-relay"} 1.0',
        'transom_input_to_picture_seconds_count{rung="webrtc-relay"} 2.0',
        'transom_viewer_fps_bucket{le="30.0",rung="webrtc-relay"} 1.0',
        'transom_viewer_rtt_seconds_bucket{le="0.05",rung="webrtc-relay"} 1.0',
        'transom_viewer_loss_ratio_sum{rung="webrtc-relay"} 0.02',
        'transom_viewer_kbps_sum{rung="webrtc-relay"} 900.0',
        'transom_viewer_freezes_total{rung="webrtc-relay"} 2.0',
        'transom_viewer_frozen_seconds_total{rung="webrtc-relay"} 1.5',
        'transom_viewer_connections{candidate="relay",rung="webrtc-relay",transport="tcp"} 2.0',
        'transom_quality_rows_total{outcome="lost"} 3.0',
        'transom_stream_target_kbps{of="median"} 1000.0',
        'transom_stream_sent_kbps{of="least"} 300.0',
        'transom_stream_rtt_seconds{of="most"} 0.08',
        'transom_stream_loss_ratio{of="median"} 0.01',
        'transom_stream_fps{of="most"} 60.0',
        'transom_stream_scale_percent{of="least"} 75.0',
        'transom_stream_reports_total{cause="delay"} 1.0',
        'transom_viewer_messages_dropped_total{why="floods"} 12.0',
        'transom_viewer_messages_dropped_total{why="malformed"} 0.0',
        'transom_viewer_messages_dropped_total{why="clipboard"} 0.0',
    ):
        assert line in shown
    assert "transom_viewer_jitter_seconds_count" not in shown, "what was not known is not observed"
    assert not re.search("ses_secret|tab-1", shown)
    metrics.look([])
    assert not re.search("transom_(viewer_connections|stream_.*){of", generate_latest(registry).decode())
    assert "transom_viewer_connections{" not in generate_latest(registry).decode()
