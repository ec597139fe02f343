"""With the guest's own recorder at the other end: no picture of a page to sign in at."""

from __future__ import annotations

import asyncio
import fcntl
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.waiting import until
from tests.unit.transom.recording.bench import MIB, Bench, Guest
from transom.model.clock import now_ms
from transom.model.session import SessionState, SigninStage
from transom.recording import live as module
from transom.recording.live import Live, Terms
from transom_guest.stream import page_guard


async def test_a_sign_in_waits_until_no_picture_is_taken(bench: Bench, guest: Guest) -> None:
    guest.frames()
    bench.signin(SigninStage.PENDING)
    await bench.live.pause()
    assert not guest.recorder.on
    before = guest.recorder._numbers
    guest.frames()
    assert guest.recorder._numbers == before
    bench.signin(SigninStage.WAITING)
    await until(lambda: len(bench.kept) == 1)
    assert bench.live.state == "paused" and [line["kind"] for line in bench.timeline()].count("pause") == 1


async def test_it_goes_on_a_moment_after_a_sign_in_is_done(
    bench: Bench, guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SETTLE_S", 0.2)
    bench.signin(SigninStage.PENDING)
    await bench.live.pause()
    bench.signin(SigninStage.DONE)
    assert bench.live.state == "paused"
    await until(lambda: guest.recorder.on)
    guest.frames()
    bench.live.changed(replace(bench.session, state=SessionState.STOPPING))
    await bench.live.end(5)
    assert len(bench.kept) == 1, "what was not finished came at the end"


async def test_after_a_pause_no_picture_is_taken_before_the_page_was_left(
    bench: Bench, guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SETTLE_S", 0.05)
    assert not guest.asked, "a recording that was not paused leaves no page"
    guest.browser.clear()
    bench.signin(SigninStage.PENDING)
    await bench.live.pause()
    bench.signin(SigninStage.DONE)
    await until(lambda: guest.asked == 2 and bench.live.wanted == "on")
    await asyncio.sleep(0.2)
    assert not guest.recorder.on
    assert (bench.live.state, bench.live.page) == ("paused", "recorder"), "nothing is recorded yet"
    bench.signin(SigninStage.PENDING)
    await bench.live.pause()
    assert not bench.live._intake._refused, "another sign-in meanwhile is paused for at once"
    guest.browser.set()
    await asyncio.sleep(0.2)
    assert not guest.recorder.on
    bench.signin(SigninStage.DONE)
    await until(lambda: guest.recorder.on)
    assert guest.asked == 3


async def test_a_controller_that_starts_anew_after_a_sign_in_has_the_page_left_as_well(
    bench: Bench, guest: Guest
) -> None:
    bench.signin(SigninStage.PENDING)
    await bench.live.pause()
    bench.signin(SigninStage.DONE)
    await bench.live.close()
    guest.browser.clear()
    terms = Terms("always", 1, 100 * MIB)
    again = Live(bench.session, terms, bench.driver, bench.live.shelf, now_ms, bench._keep)
    again.changed()
    await until(lambda: guest.asked == 2)
    await asyncio.sleep(0.2)
    assert not guest.recorder.on
    guest.browser.set()
    await until(lambda: guest.recorder.on)
    await again.close()


async def test_a_stream_server_that_dies_in_a_pause_has_the_page_left_as_well(
    bench: Bench, guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SETTLE_S", 0.05)
    monkeypatch.setattr(module, "AGAIN_S", 0.3)
    guest.browser.clear()
    bench.signin(SigninStage.PENDING)
    await bench.live.pause()
    assert guest.note.stat().st_mode & 0o777 == 0o600
    await guest.die()
    bench.signin(SigninStage.DONE)
    await until(lambda: bench.live.wanted == "on")
    await guest.serve()
    await until(lambda: guest.asked == 2)
    await asyncio.sleep(0.1)
    assert not guest.recorder.on
    guest.browser.set()
    await until(lambda: guest.recorder.on and not guest.note.exists())


async def test_a_pause_that_no_guest_heard_of_is_told_before_it_goes_on(
    bench: Bench, guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SETTLE_S", 0.05)
    monkeypatch.setattr(module, "AGAIN_S", 0.3)
    await guest.die()
    await until(lambda: bench.live._tape is None)
    bench.signin(SigninStage.PENDING)
    await bench.live.pause()
    bench.signin(SigninStage.DONE)
    await until(lambda: bench.live.wanted == "on")
    assert not guest.note.exists()
    await guest.serve()
    await until(lambda: guest.recorder.on)
    assert guest.asked == 2, "the page was left"


async def test_a_page_to_sign_in_at_pauses_a_recording_and_its_going_ends_that(
    bench: Bench, guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_guard, "GONE_S", 0.2)
    monkeypatch.setattr(module, "PAGES_LEAST_S", 0.01)
    guest.shown.mkdir()
    await until(lambda: (bench.live.state, bench.live.page) == ("paused", "starting"))
    (guest.shown / "hello").touch()
    await until(lambda: bench.live.state == "on")
    with open(guest.shown / "123", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        await until(lambda: (bench.live.state, bench.live.page) == ("paused", "shown"))
        assert guest.hindsight.wanted and not guest.hindsight.on
    await until(lambda: bench.live.page == "silent")
    (guest.shown / "123").unlink()
    await until(lambda: bench.live.state == "on" and guest.hindsight.on)
    await until(lambda: [line["kind"] for line in bench.timeline()].count("start") == 3)
    looks = [(line["kind"], line.get("why")) for line in bench.timeline() if line["kind"] != "unwatched"]
    assert looks == [
        ("start", None),
        ("pause", "starting"),
        ("start", None),
        ("pause", "shown"),
        ("start", None),
    ]


@pytest.mark.parametrize("dead", [False, True])
async def test_a_recording_begins_once_the_browser_has_started_and_one_that_never_speaks_is_silent(
    tmp_path: Path, guest: Guest, monkeypatch: pytest.MonkeyPatch, dead: bool
) -> None:
    monkeypatch.setattr(page_guard, "GONE_S", 0.1)
    monkeypatch.setattr(page_guard, "START_S", 0.2 if dead else 60.0)
    monkeypatch.setattr(module, "PAGES_LEAST_S", 0.01)
    guest.shown.mkdir()
    bench = Bench(tmp_path / "recordings", guest.open)
    bench.live.changed()
    await until(lambda: (bench.live.state, bench.live.page) == ("paused", "silent" if dead else "starting"))
    await until(lambda: guest.hindsight.wanted and not guest.hindsight.on)
    await until(lambda: bool(bench.timeline()) == dead)
    (guest.shown / "hello").touch()
    await until(lambda: bench.live.state == "on" and guest.hindsight.on)
    await until(lambda: "start" in [line["kind"] for line in bench.timeline()])
    looks = [(line["kind"], line.get("why")) for line in bench.timeline()]
    assert looks == [*([("pause", "silent")] if dead else []), ("start", None)]
    await bench.live.close()


async def test_a_desktop_whose_pages_nobody_looks_at_is_recorded_and_that_is_said(
    bench: Bench, guest: Guest
) -> None:
    await until(lambda: any(line["kind"] == "unwatched" for line in bench.timeline()))
    assert bench.live.state == "on" and guest.hindsight.on and bench.live.unwatched
