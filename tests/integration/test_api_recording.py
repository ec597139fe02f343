"""A recording's archive over the API, as it is on the disk. Machines are fake."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from tests.support.api import serving
from tests.support.waiting import until
from transom.model.recording import SegmentFile
from transom.recording.shelf import Shelf

SEGMENTS = 1500
TOLD = {"seconds": 10, "rung": "webrtc", "freezes": 1, "frozen_ms": 812.5}


async def test_an_archive_of_many_segments_begins_after_one_listing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = 0
    segments = Shelf.segments

    def counted(shelf: Shelf) -> list[SegmentFile]:
        nonlocal listed
        listed += 1
        return segments(shelf)

    async with serving(tmp_path) as api:
        owner = await api.client(await api.user("ada"))
        session = await api.ready_session(owner)
        folder = tmp_path / "recordings" / session
        folder.mkdir(parents=True)
        names = [f"{number:06d}-{number * 1000}-1000-64x64.mp4" for number in range(1, SEGMENTS + 1)]
        for name in names:
            (folder / name).write_bytes(name.encode())
        (folder / "timeline.jsonl").write_text("{}\n")
        monkeypatch.setattr(Shelf, "segments", counted)
        answer = await owner.get(f"/api/sessions/{session}/recording/archive")
        await owner.aclose()
    assert (answer.status_code, listed) == (200, 1)
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as tar:
        assert tar.getnames() == [f"{session}/{name}" for name in [*names, "timeline.jsonl"]]
        last = tar.extractfile(f"{session}/{names[-1]}")
        assert last is not None
        assert last.read() == names[-1].encode()


async def test_a_freeze_that_a_viewer_tells_of_is_in_the_timeline(tmp_path: Path) -> None:
    async with serving(tmp_path, recording="ask") as api:
        owner = await api.client(await api.user("ada"))
        session = await api.ready_session(owner)
        beat, recording = f"/api/auth/session/{session}/heartbeat", f"/api/sessions/{session}/recording"
        assert (await owner.post(beat, json={"peer": "early", "quality": TOLD})).status_code == 200
        assert (await owner.post(recording, json={"on": True})).status_code == 202
        for peer, told in {"still": {**TOLD, "freezes": 0, "frozen_ms": 0}, "tab": TOLD}.items():
            assert (await owner.post(beat, json={"peer": peer, "quality": told})).status_code == 200
        kept = tmp_path / "recordings" / session / "timeline.jsonl"
        await until(lambda: kept.exists() and '"freeze"' in kept.read_text())
        answer = await owner.get(f"{recording}/timeline")
        await owner.aclose()
    (line,) = (found for found in map(json.loads, answer.text.splitlines()) if found["kind"] == "freeze")
    assert (line["viewer"], line["freezes"], line["frozen_ms"], line["span_ms"]) == ("tab", 1, 812, 10_000)
