"""Sessions' recordings with the guest's own recorder at the other end: choices, age, removal, viewers."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from tests.support.waiting import until
from tests.unit.transom.recording.bench import Guest, Office, lines, said
from transom.model.clock import now_ms
from transom.model.session import SessionState, Signin, SigninStage
from transom.recording.desk import DAY_MS


async def test_a_choice_outlives_the_controller_and_age_removes(office: Office, guest: Guest) -> None:
    now, session, rows = now_ms(), office.session, office.rows.rows
    office.clock = lambda: now
    assert office.desk.state(session.id) == "off"
    await office.record()
    await until(lambda: guest.recorder.on)
    await office.desk.close()
    await until(lambda: not guest.recorder.on)
    await office.open()
    await until(lambda: office.desk.state(session.id) == "on")
    guest.frames()
    office.desk.felt(session.id, keys=3, buttons=1, wheel=0)
    office.desk.felt("another", keys=9, buttons=9, wheel=9)
    await until(lambda: '"input"' in said(office.shelf))
    (felt,) = [line for line in lines(office.shelf) if line["kind"] == "input"]
    assert felt == {"at_ms": now, "kind": "input", "rung": "vnc", "keys": 3, "buttons": 1, "wheel": 0}
    office.desk.noticed(replace(session, state=SessionState.STOPPING))
    await office.desk.parting(session)
    office.desk.noticed(replace(session, state=SessionState.ENDED))
    await until(lambda: office.row.ended_at)
    assert office.row.segments == 1 and len(await office.desk.segments(session.id)) == 1
    await office.desk.prune()
    assert session.id in rows
    now += 8 * DAY_MS
    await office.desk.prune()
    assert not rows and not list(office.folder.iterdir()) and office.rows.trail == ["recording_on"]


async def test_age_and_a_limit_of_all_take_of_sessions_that_live(office: Office, guest: Guest) -> None:
    now, desk, session = now_ms(), office.desk, office.session.id
    office.clock = lambda: now
    await office.record()
    await until(lambda: guest.recorder.on)
    guest.segment()
    await until(lambda: office.row.segments == 1)
    await desk.prune()
    assert len(await desk.segments(session)) == 1
    now += 8 * DAY_MS
    await desk.prune()
    assert not await desk.segments(session) and desk.state(session) == "on"
    assert office.row.segments == 0 and office.row.ended_at is None
    assert lines(office.shelf)[-1] == {"at_ms": now, "kind": "dropped", "why": "age", "first": 1, "last": 1}
    desk._stock._most = 1
    guest.segment()
    await until(lambda: '"why":"total"' in said(office.shelf))
    await until(lambda: office.row.segments == 0)


async def test_each_viewer_has_rungs_of_its_own(office: Office) -> None:
    desk, session = office.desk, office.session.id
    await office.record()
    for _ in range(3):
        desk.beat(session, "near", "webrtc", {"kbps": 900})
        desk.beat(session, "far", "vnc", {})
    desk.beat(session, "far", "webrtc", {})
    await desk.close()
    written = lines(office.shelf)
    rungs = sorted((line["viewer"], line["rung"]) for line in written if line["kind"] == "rung")
    assert rungs == [("far", "vnc"), ("far", "webrtc"), ("near", "webrtc")]
    quality = [(line["viewer"], line["kbps"]) for line in written if line["kind"] == "quality"]
    assert quality == [("near", 900)] * 3
    for number in range(200):
        desk.beat(session, f"peer{number}", "webrtc", {})
    await desk.close()
    assert len(lines(office.shelf)) < len(written) + 40


async def test_after_a_removal_the_rungs_are_told_anew(office: Office) -> None:
    desk, session = office.desk, office.session
    await office.record()
    desk.beat(session.id, "tab", "webrtc", {})
    await until(lambda: '"rung"' in said(office.shelf))
    await desk.remove(session.id, by=session.user)
    desk.beat(session.id, "tab", "webrtc", {})
    await desk.close()
    assert [line["rung"] for line in lines(office.shelf) if line["kind"] == "rung"] == ["webrtc"]


async def test_nothing_of_before_a_removal_is_kept_after_it(office: Office, guest: Guest) -> None:
    desk, session = office.desk, office.session
    await office.record()
    await until(lambda: guest.recorder.on)
    guest.frames()
    await asyncio.sleep(0.3)
    removed, run = now_ms(), guest.recorder._wish.run
    await desk.remove(session.id, by=session.user)
    await until(lambda: guest.recorder._wish.run > run and not guest.recorder.waiting)
    assert guest.recorder._numbers == 1, "it was handed over"
    guest.segment()
    await until(lambda: office.row.segments == 1)
    (kept,) = await desk.segments(session.id)
    assert kept.at >= removed - 20 and office.row.started_at >= removed
    written = lines(office.shelf)
    assert {line["kind"] for line in written} == {"start", "unwatched", "segment"}
    assert all(line["at_ms"] >= removed - 20 for line in written)
    desk.noticed(replace(session, signin=Signin("flw_a", "demo", SigninStage.PENDING)))
    await until(lambda: '"pause"' in said(office.shelf))
    await desk.remove(session.id, by=session.user)
    await until(office.shelf.timeline.exists)
    (only,) = lines(office.shelf)
    assert only["kind"] == "pause"


async def test_switched_off_and_on_again_it_is_on_once_the_guest_records(
    office: Office, guest: Guest
) -> None:
    desk, session = office.desk, office.session
    await office.record()
    assert office.shown == ("paused", "recorder")
    await until(lambda: desk.state(session.id) == "on")
    assert guest.hindsight.on
    await desk.choose(session, on=False)
    await until(lambda: not guest.hindsight.wanted)
    await office.record()
    assert office.shown == ("paused", "recorder")
    await until(lambda: desk.state(session.id) == "on")
    assert guest.hindsight.on
