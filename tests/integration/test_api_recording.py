"""A recording's archive over the API, as it is on the disk. Machines are fake."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from tests.support.api import serving
from transom.model.recording import SegmentFile
from transom.recording.shelf import Shelf

SEGMENTS = 1500


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
