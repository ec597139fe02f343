"""The samples as a table in Markdown, and the latencies as a plot, drawn by hand: no library needed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.goals import OURS, Samples, gather, judge, quantile
from bench.stages import DRAWN, ORDER

ROWS = (
    ("key_ms", "key to picture, ms", 1),
    ("offer_to_picture_ms", "offer to first picture, ms", 0),
    ("first_picture_ms", "page load to first picture, ms", 0),
    ("scroll_fps", "scroll, pictures a second", 1),
    ("scroll_media_kbps", "scroll, kbit/s of media", 0),
    ("scroll_cores", "scroll, cores", 2),
    ("motion_fps", "full motion, pictures a second", 1),
    ("motion_media_kbps", "full motion, kbit/s of media", 0),
    ("motion_cores", "full motion, cores", 2),
    ("typing_media_kbps", "typing, kbit/s of media", 1),
    ("typing_cores", "typing, cores", 3),
    ("static_media_kbps", "still, kbit/s of media", 1),
    ("static_all_kbps", "still, kbit/s of all", 1),
    ("static_cores", "still, cores", 3),
    ("ssim_300ms", "SSIM 300 ms after scrolling", 4),
    ("ssim_page_300ms", "SSIM 300 ms after a new page", 4),
    ("ssim_2s", "SSIM after 2 s", 4),
    ("nobody_cores", "nobody watching, cores", 3),
    ("frame_cpu_ms", "processor time of a frame, ms", 1),
    ("scroll_jitter_buffer_ms", "scroll, jitter buffer, ms", 1),
    ("scroll_decode_ms", "scroll, decode, ms", 1),
)
COLOURS = ("#1a7f64", "#7fb8a4", "#6b6b6b", "#b4541a", "#d99a3d")
WIDE, HIGH, LEFT, TOP, RIGHT = 860, 380, 60, 50, 200
MOST_MS = 100


def table(samples: Samples) -> list[str]:
    """One row a figure, one column a peer: p50 / p95 (n), or the median of a few."""
    peers = list(dict.fromkeys(peer for peer, _ in samples))
    lines = ["| | " + " | ".join(peers) + " |", "|---" * (len(peers) + 1) + "|"]
    for what, text, digits in ROWS:
        cells = [_cell(samples.get((peer, what)), digits) for peer in peers]
        if any(cells):
            lines.append(f"| {text} | " + " | ".join(cells) + " |")
    return lines


def _cell(values: list[float] | None, digits: int) -> str:
    if not values:
        return ""
    middle = f"{quantile(values, 0.5):.{digits}f}"
    if len(values) < 8:
        return middle
    return f"{middle} / {quantile(values, 0.95):.{digits}f} ({len(values)})"


def stages(samples: Samples) -> list[str]:
    """Where the milliseconds go, in the order in which a key's picture goes through."""
    lines = []
    for peer in dict.fromkeys(peer for peer, _ in samples):
        found = [samples.get((peer, f"stage_{stage}_ms")) for stage in ORDER]
        if any(found):
            whole = samples.get((peer, "key_ms"))
            known = sum(quantile(values, 0.5) for values in found if values)
            rest, drawn = "", ""
            if whole and all(found):
                rest = f"{quantile(whole, 0.5) - known:.1f}"
                drawn = _drawn(samples.get((peer, DRAWN)), known)
            lines.append(
                f"| {peer} | " + " | ".join([*(_cell(values, 1) for values in found), rest, drawn]) + " |"
            )
    if not lines:
        return []
    names = [stage.replace("_", " ") for stage in ORDER]
    head = [
        "| stage, ms: p50 / p95 (n) | " + " | ".join([*names, "rest", "of it, until drawn"]) + " |",
        "|---" * (len(ORDER) + 3) + "|",
    ]
    return [*head, *lines]


def _drawn(page: list[float] | None, known: float) -> str:
    """What is left of the page's own measure, which ends as the frame is drawn: the key's way out, and the drawing."""
    return f"{quantile(page, 0.5) - known:.1f}" if page else ""


def published(runs: list[dict[str, Any]]) -> str:
    """What docs/measurements.md says, ready to be pasted: conditions, table, where ours spends a key's time, goals."""
    samples, lost = gather(runs)
    others = [run["others_cores"] for run in runs]
    keys = sum(len(values) for (peer, what), values in samples.items() if (peer, what) == (OURS, "key_ms"))
    commits = ", ".join(dict.fromkeys(run["commit"] for run in runs))
    head = (
        f"Commit {commits}, {runs[-1]['at'][:10]}, {runs[-1]['cores']} cores of which other processes used "
        f"{min(others):.2f} to {max(others):.2f}; {keys} keys each, {sum(lost.values())} of all never seen:"
    )
    missed = [one for one in judge(samples) if not one.met]
    told = "; ".join(f"{one.text} {one.measured:.4g} ({one.wanted})" for one in missed) or "nothing"
    parts = [[head], table(samples), stages(samples), [f"Missed: {told}."]]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def verdicts(samples: Samples) -> list[str]:
    """Each goal, what was measured, and by how much it was missed."""
    lines = ["| goal | wanted | measured | |", "|---|---|---|---|"]
    for one in judge(samples):
        end = "met" if one.met else f"**missed by {one.missed_by:.4g}**"
        lines.append(f"| {one.text} | {one.wanted} | {one.measured:.4g} | {end} |")
    return lines


def plot(samples: Samples, what: str = "key_ms", most: float = MOST_MS) -> str:
    """The share of keys that were seen within so many milliseconds, a line for each peer, as SVG."""
    own = {peer: sorted(values) for (peer, name), values in samples.items() if name == what}
    across, up = WIDE - LEFT - RIGHT, HIGH - TOP - 50
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {HIGH}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDE}" height="{HIGH}" fill="#fff"/>',
        f'<text x="{LEFT}" y="28" font-size="16">Keys whose picture was seen within so many milliseconds</text>',
    ]
    for step in range(0, int(most) + 1, 20):
        x = LEFT + across * step / most
        parts.append(f'<path d="M{x:.0f} {TOP}V{TOP + up}" stroke="#ddd"/>')
        parts.append(f'<text x="{x:.0f}" y="{TOP + up + 18}" text-anchor="middle">{step}</text>')
    for share in (0, 50, 95):
        y = TOP + up * (1 - share / 100)
        parts.append(f'<path d="M{LEFT} {y:.0f}H{LEFT + across}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.0f}" text-anchor="end">{share} %</text>')
    for number, (peer, values) in enumerate(own.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = [(min(value, most), (at + 1) / len(values)) for at, value in enumerate(values)]
        path = " ".join(
            f"{LEFT + across * x / most:.1f},{TOP + up * (1 - y):.1f}"
            for x, y in [(points[0][0], 0), *points]
        )
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        y = TOP + 20 + 22 * number
        parts.append(f'<path d="M{WIDE - RIGHT + 14} {y}h24" stroke="{colour}" stroke-width="3"/>')
        parts.append(f'<text x="{WIDE - RIGHT + 44}" y="{y + 4}">{peer}</text>')
    return "\n".join([*parts, "</svg>", ""])


def write(runs: list[dict[str, Any]], folder: Path) -> str:
    """Write `stream.json`, `stream.md`, `key-to-picture.svg`; return the Markdown."""
    samples, lost = gather(runs)
    about = {name: text for run in runs for name, text in run["peers"].items()}
    conditions = [
        f"* {run['at']}, commit {run['commit']}, {run['seconds']:.0f} s: other processes used "
        f"{run['others_cores']:.2f} of {run['cores']} cores; load average {run['load_average']:.1f}"
        for run in runs
    ]
    unseen = [f"* {peer}: {count} of {what} never seen" for (peer, what), count in lost.items()]
    parts = [
        [f"* `{name}`: {text}" for name, text in about.items()] + conditions + unseen,
        table(samples),
        stages(samples),
        verdicts(samples),
        ["![](key-to-picture.svg)"],
    ]
    text = "\n\n".join("\n".join(part) for part in parts if part) + "\n"
    (folder / "stream.json").write_text(json.dumps({"runs": runs}, indent=1))
    (folder / "stream.md").write_text(text)
    (folder / "key-to-picture.svg").write_text(plot(samples))
    return text
