"""What the benchmark makes of its samples; that it runs is seen by running it."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"


@pytest.fixture(autouse=True)
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))


def run(**figures: list[float | None]) -> dict[str, Any]:
    """A run's samples; a name is PEER__WHAT."""
    samples = []
    for name, values in figures.items():
        peer, what = name.split("__")
        samples += [{"peer": peer, "what": what, "value": value} for value in values]
    return {
        "at": "2026-01-01T00:00:00",
        "commit": "abc",
        "seconds": 9.0,
        "cores": 2,
        "others_cores": 0.25,
        "load_average": 1.5,
        "peers": {"ours": "transom"},
        "samples": samples,
    }


def test_a_missed_goal_says_by_how_much() -> None:
    from bench.goals import gather, judge

    samples, lost = gather(
        [
            run(ours__key_ms=[18, 22, 24, None], selkies_webrtc__key_ms=[40, 40], ours__scroll_fps=[57]),
            run(ours__static_cores=[0.01]),
        ]
    )
    told = {(one.text, one.wanted): (one.met, round(one.missed_by, 2)) for one in judge(samples)}
    assert lost == {("ours", "key_ms"): 1}
    assert told["key to picture, p50, ms", "<= 20"] == (False, 2)
    assert told["key to picture, p50 beside Selkies", "<= 0.45 x selkies_webrtc = 18.0"] == (False, 4)
    assert told["scroll, pictures a second", ">= 55"] == (True, 0)
    assert told["still screen, cores in the machine", "<= 0.02"] == (True, 0)
    assert not any("selkies_websocket" in wanted for _, wanted in told)


def test_a_still_screen_is_to_send_nothing_and_both_that_move_have_goals() -> None:
    from bench.goals import gather, judge

    samples, _ = gather(
        [run(ours__static_media_kbps=[0.2], ours__motion_fps=[54.0], ours__motion_media_kbps=[1900.0])]
    )
    told = {one.text: (one.wanted, one.met) for one in judge(samples)}
    assert told == {
        "still screen, kbit/s of media": ("<= 0", False),
        "full motion, pictures a second": (">= 55", False),
        "full motion, kbit/s of media": ("<= 2000", True),
    }


def test_full_motion_changes_every_pixel() -> None:
    from bench.painter import PERIOD_PX, SHIFT_PX, gradient

    width = 320
    picture = gradient(width + PERIOD_PX, 4)
    assert len(picture) == 4 * 4 * (width + PERIOD_PX)
    row = [picture[at : at + 3] for at in range(0, 4 * (width + PERIOD_PX), 4)]
    assert all(one != row[at + SHIFT_PX] for at, one in enumerate(row[:PERIOD_PX]))
    assert row[:width] == row[PERIOD_PX:]


def test_the_report_has_the_table_the_conditions_and_a_plot(tmp_path: Path) -> None:
    from bench.report import write
    from bench.stages import DRAWN, ORDER

    each = {f"ours__stage_{name}_ms": [1.0] for name in ORDER}
    lines = "| ours |" + " 1.0 |" * len(ORDER) + " 11.0 |"
    assert f"{lines}  |" in write([run(ours__key_ms=[20.0], **each)], tmp_path)
    each[f"ours__{DRAWN}"] = [15.0]
    assert f"{lines} 6.0 |" in write([run(ours__key_ms=[20.0], **each)], tmp_path)
    text = write([run(ours__key_ms=[float(n) for n in range(1, 101)], novnc__scroll_fps=[19])], tmp_path)
    assert "| key to picture, ms | 50.5 / 96.0 (100) |  |" in text
    assert "other processes used 0.25 of 2 cores" in text
    assert (tmp_path / "stream.md").read_text() == text
    ElementTree.parse(tmp_path / "key-to-picture.svg")


def test_what_is_published_has_the_conditions_and_says_what_was_missed() -> None:
    from bench.report import published

    told = published([run(ours__key_ms=[18.0, 30.0]), run(ours__static_media_kbps=[18.0])])
    assert "Commit abc, 2026-01-01, 2 cores of which other processes used 0.25 to 0.25; 2 keys each" in told
    assert "Missed: key to picture, p50, ms 24 (<= 20); still screen, kbit/s of media 18 (<= 0)." in told


def test_a_mark_and_the_browsers_counters_say_where_the_milliseconds_went() -> None:
    from bench.stages import parts_of_counts, parts_of_mark

    found = parts_of_mark(["mark", 1, 90, 2, 0.5, 6, 0.2, 1, 4])
    assert found == {
        "act": 2,
        "grab": 0.5,
        "send": 6,
        "read": 0.2,
        "convert": 1,
        "encode": 4,
        "packets": pytest.approx(0.8),
    }
    assert parts_of_mark(["mark", 1, 90, 2, 0.5, 6]) == {"act": 2, "grab": 0.5, "send": 6}
    before = {"frames": 10, "decode": 0.1, "jitter": 1.0, "emitted": 10, "rtt": None}
    after = {"frames": 20, "decode": 0.12, "jitter": 1.05, "emitted": 20, "rtt": 0.001}
    counted = parts_of_counts(before, after)
    assert counted == pytest.approx({"jitter_buffer": 5.0, "decode": 2.0, "network": 0.5})
    assert parts_of_counts(before, before) == {}


def test_ssim_is_one_for_equal_pictures_and_falls_with_noise() -> None:
    from bench.pixels import luma, ssim

    chance = random.Random(1)
    picture = bytes(chance.choice((0, 255)) for _ in range(64 * 64))
    near = bytes(max(0, value - 4) for value in picture)
    noise = bytes(chance.randrange(256) for _ in range(64 * 64))
    assert ssim(picture, picture, 64, 64) == 1
    assert 0.99 < ssim(picture, near, 64, 64) < 1
    assert ssim(picture, noise, 64, 64) < 0.1
    assert luma(bytes([255, 255, 255, 0, 0, 0, 0, 0])) == bytes([255, 0])


def test_the_processes_of_a_peer_are_all_that_it_started() -> None:
    from bench.processes import Process, below

    among = {pid: Process(pid, parent, 1.0, "") for pid, parent in ((2, 1), (3, 2), (4, 3), (5, 1))}
    assert {one.pid for one in below([2], among)} == {2, 3, 4}
    assert str(SCRIPTS) in sys.path
