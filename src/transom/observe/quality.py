"""Prometheus metrics of what viewers see. Labels are words of ours: rungs, kinds of candidates; no names."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Sequence
from statistics import median

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from transom.model.quality import QualityRow
from transom_wire.link import MISDEEDS, StreamReport

RUNGS = ("webrtc", "webrtc-relay", "vnc")
CAUSES = ("start", "loss", "delay", "probe", "limit")
LATENCY_BUCKETS = (0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2)
"""Seconds from an input to the first picture that shows what it did."""
FPS_BUCKETS = (1, 5, 10, 15, 20, 25, 30, 45, 60)
KBPS_BUCKETS = (50, 100, 250, 500, 1000, 2000, 4000, 8000, 16000, 40000)
LOSS_BUCKETS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
SECONDS_BUCKETS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 1)
"""Seconds of jitter and of round trips."""


class QualityMetrics:
    """Each row is observed once, when it comes in."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._of_viewers(registry)
        self._of_streams(registry)
        self._of_messages(registry)
        self._from_nothing()

    def _of_viewers(self, registry: CollectorRegistry) -> None:
        self._latency = Histogram(
            "transom_input_to_picture_seconds",
            "Time from an input to the first picture that shows what it did, drawn.",
            ["rung"],
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self._by_rung = {
            name: Histogram(metric, text, ["rung"], buckets=buckets, registry=registry)
            for name, metric, text, buckets in (
                ("fps_most", "transom_viewer_fps", "Most frames drawn in a second of ten.", FPS_BUCKETS),
                ("kbps", "transom_viewer_kbps", "Bitrate received, median of ten seconds.", KBPS_BUCKETS),
                ("loss", "transom_viewer_loss_ratio", "Packets lost, of all.", LOSS_BUCKETS),
                ("jitter_ms", "transom_viewer_jitter_seconds", "Jitter of packets.", SECONDS_BUCKETS),
                ("rtt_ms", "transom_viewer_rtt_seconds", "Round trip of the pair.", SECONDS_BUCKETS),
            )
        }
        self._freezes = Counter(
            "transom_viewer_freezes", "Pictures that stood still though they should not.", ["rung"],
            registry=registry,
        )  # fmt: skip
        self._frozen = Counter(
            "transom_viewer_frozen_seconds", "How long they stood.", ["rung"], registry=registry
        )
        self._connections = Gauge(
            "transom_viewer_connections",
            "Viewers heard of now, by rung, the viewer's own candidate and how it travels.",
            ["rung", "candidate", "transport"],
            registry=registry,
        )

    def _of_streams(self, registry: CollectorRegistry) -> None:
        self._fares = {
            name: Gauge(metric, f"{text}, by the machines: least, median, most.", ["of"], registry=registry)
            for name, metric, text in (
                ("target_kbps", "transom_stream_target_kbps", "What viewers' links are thought to carry"),
                ("sent_kbps", "transom_stream_sent_kbps", "What viewers' links were sent"),
                ("rtt_ms", "transom_stream_rtt_seconds", "Round trips of viewers' links, queues among them"),
                ("loss", "transom_stream_loss_ratio", "Packets that did not reach viewers, of all"),
                ("fps", "transom_stream_fps", "Most frames a second that are encoded"),
                ("scale", "transom_stream_scale_percent", "Width and height encoded, of the desktop's"),
            )
        }
        self._links = Counter(
            "transom_stream_reports",
            "What machines told of links that change, by the cause of the target.",
            ["cause"],
            registry=registry,
        )

    def _of_messages(self, registry: CollectorRegistry) -> None:
        self._dropped = Counter(
            "transom_viewer_messages_dropped",
            "Messages of viewers by WebRTC that their machines did not take, by what was wrong.",
            ["why"],
            registry=registry,
        )
        self._late = Counter(
            "transom_viewer_messages_late",
            "Messages of viewers on noVNC that came faster than they are taken.",
            registry=registry,
        )
        self._rows = Counter(
            "transom_quality_rows", "What became of what viewers told.", ["outcome"], registry=registry
        )

    def _from_nothing(self) -> None:
        """What has not happened yet is 0, and not missing."""
        for rung in RUNGS:
            self._freezes.labels(rung)
            self._frozen.labels(rung)
            self._latency.labels(rung)
        for cause in CAUSES:
            self._links.labels(cause)
        for why in MISDEEDS:
            self._dropped.labels(why)
        for outcome in ("kept", "lost", "refused"):
            self._rows.labels(outcome)

    def observed(self, row: QualityRow, latencies_ms: Sequence[float]) -> None:
        """A viewer told of some seconds."""
        for latency in latencies_ms:
            self._latency.labels(row.rung).observe(latency / 1000)
        for name, histogram in self._by_rung.items():
            if name in row.figures:
                value = row.figures[name]
                histogram.labels(row.rung).observe(value / 1000 if name.endswith("_ms") else value)
        self._freezes.labels(row.rung).inc(row.figures.get("freezes", 0))
        self._frozen.labels(row.rung).inc(row.figures.get("frozen_ms", 0) / 1000)

    def counted(self, outcome: str, count: int) -> None:
        """Rows were kept, lost or refused."""
        self._rows.labels(outcome).inc(count)

    def link(self, cause: str) -> None:
        """A machine told of a viewer's link; a cause that is none of ours cannot come so far."""
        self._links.labels(cause).inc()

    def dropped(self, why: str, count: int) -> None:
        """A machine did not take so many of a viewer's messages."""
        self._dropped.labels(why).inc(count)

    def late(self) -> None:
        """A viewer on noVNC sent one more than may be, and was made to wait."""
        self._late.inc()

    def look(self, connections: Iterable[tuple[str, str, str]], links: Sequence[StreamReport] = ()) -> None:
        """Before somebody reads: (rung, candidate, transport) of each viewer there is, and how links fare."""
        for name, gauge in self._fares.items():
            gauge.clear()
            values = [getattr(link, name) / (1000 if name.endswith("_ms") else 1) for link in links]
            for word, value in (("least", min), ("median", median), ("most", max)):
                if values:
                    gauge.labels(word).set(value(values))
        self._connections.clear()
        for labels, count in Tally(connections).items():
            self._connections.labels(*labels).set(count)
