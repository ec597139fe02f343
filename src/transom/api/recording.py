"""Recordings: whether one is made, what is kept, and its segments. For the session's owner; an administrator sees how
large it is, and may remove it."""

from __future__ import annotations

import asyncio
import os
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from transom.api.access import Owned, P, Who
from transom.api.bodies import Body
from transom.api.kept_file import KeptFile
from transom.model.errors import NotFound
from transom.model.ids import is_id
from transom.model.recording import Recording, SegmentFile

router = APIRouter(tags=["recording"])
SAFE = {"Content-Security-Policy": "sandbox; default-src 'none'; media-src 'self'"}
READ = 64 * 1024


class Choice(Body):
    """Record, or do not."""

    on: bool


class SegmentView(BaseModel):
    """One segment: when it begins, in Unix milliseconds."""

    number: int
    at: int
    duration_ms: int
    width: int
    height: int
    bytes: int


class RecordingView(BaseModel):
    """`policy` is off, ask or always; `state` is off, on or paused. `why` it is paused though no sign-in of ours says
    so: `shown`, a page to sign in at is, `silent`, the browser does not say, `starting`, it is, or `full`, the disk
    is. `unwatched`: it is on where nobody looks at the browser's pages. `segments` is for the owner alone."""

    session: str
    policy: str
    state: str
    why: str | None
    unwatched: bool
    started_at: int | None
    ended_at: int | None
    bytes: int
    most_bytes: int
    segments: list[SegmentView]


async def _recorded(session: str, who: Who, parts: P) -> Recording:
    """The session's recording, for those who may know of it; one without a beginning where there is none yet."""
    found = await parts.recordings.get(session) if is_id(session, "ses") else None
    if found is None:
        row = await parts.sessions.visible(session, who)
        return Recording(row.id, row.user, started_at=0)
    if found.user != who.user.id and not who.administrator:
        raise NotFound("no such session")
    return found


async def _own(recorded: Annotated[Recording, Depends(_recorded)], who: Who) -> Recording:
    if recorded.user != who.user.id:
        raise NotFound("no such session")
    return recorded


Recorded = Annotated[Recording, Depends(_recorded)]
Own = Annotated[Recording, Depends(_own)]


def _view(parts: P, recording: Recording, segments: list[SegmentFile]) -> RecordingView:
    desk = parts.recordings
    return RecordingView(
        session=recording.session,
        policy=desk.policy,
        state=desk.state(recording.session),
        why=desk.why(recording.session),
        unwatched=desk.unwatched(recording.session),
        started_at=recording.started_at or None,
        ended_at=recording.ended_at,
        bytes=recording.bytes,
        most_bytes=desk.most_bytes,
        segments=[
            SegmentView(
                number=each.number,
                at=each.at,
                duration_ms=each.duration_ms,
                width=each.width,
                height=each.height,
                bytes=each.bytes,
            )
            for each in segments
        ],
    )


@router.get("/api/recordings")
async def get_recordings(who: Who, parts: P) -> list[dict[str, Any]]:
    """One's own recordings, newest first; for an administrator everybody's."""
    rows = await parts.recordings.listing(None if who.administrator else who.user.id)
    return [
        {
            "session": row.session,
            "user": row.user,
            "started_at": row.started_at,
            "ended_at": row.ended_at,
            "bytes": row.bytes,
            "segments": row.segments,
        }
        for row in rows
    ]


@router.get("/api/sessions/{session}/recording")
async def get_recording(recorded: Recorded, who: Who, parts: P, list: bool = True) -> RecordingView:
    """Whether the session is recorded, and what is kept, also when it is over; without `list` no segments."""
    shown = list and recorded.user == who.user.id
    return _view(parts, recorded, await parts.recordings.segments(recorded.session) if shown else [])


@router.post("/api/sessions/{session}/recording", status_code=202)
async def post_recording(owned: Owned, wanted: Choice, parts: P) -> RecordingView:
    """Begin to record, go on after a sign-in that failed, or end it; where the operator's policy leaves that to one."""
    await parts.recordings.choose(owned, on=wanted.on)
    row = await parts.recordings.get(owned.id)
    return _view(parts, row or Recording(owned.id, owned.user, started_at=0), [])


@router.delete("/api/sessions/{session}/recording", status_code=204)
async def delete_recording(recorded: Recorded, who: Who, parts: P) -> None:
    """Remove what is kept of it."""
    await parts.recordings.remove(recorded.session, by=who.user.id)


@router.get("/api/sessions/{session}/recording/segments/{number}", response_class=KeptFile)
async def get_segment(own: Own, number: int, parts: P) -> KeptFile:
    """A segment as MP4; ranges of it on request."""
    path = await asyncio.to_thread(parts.recordings.shelf(own.session).path, number)
    if path is None:
        raise NotFound("there is no such segment; the oldest go first")
    return KeptFile(path, media_type="video/mp4", headers=SAFE)


@router.get("/api/sessions/{session}/recording/timeline", response_class=KeptFile)
async def get_timeline(own: Own, parts: P) -> KeptFile:
    """What happened meanwhile, as JSON lines."""
    path = parts.recordings.shelf(own.session).timeline
    if not await asyncio.to_thread(path.is_file):
        raise NotFound("there is no timeline")
    return KeptFile(path, media_type="application/x-ndjson", headers=SAFE)


@router.get("/api/sessions/{session}/recording/archive", response_class=StreamingResponse)
async def get_archive(own: Own, parts: P) -> StreamingResponse:
    """All of it as one tar."""
    shelf = parts.recordings.shelf(own.session)
    paths = [shelf.file(each) for each in await parts.recordings.segments(own.session)]
    if await asyncio.to_thread(shelf.timeline.is_file):
        paths.append(shelf.timeline)
    if not paths:
        raise NotFound("nothing is kept")
    headers = {"Content-Disposition": f'attachment; filename="{own.session}.tar"', **SAFE}
    return StreamingResponse(_tar(own.session, paths), media_type="application/x-tar", headers=headers)


async def _tar(folder: str, paths: list[Path]) -> AsyncIterator[bytes]:
    """Each file as it is now; one that went meanwhile is left out, and one that grows ends where it did."""
    for path in paths:
        try:
            file = await asyncio.to_thread(path.open, "rb")
        except OSError:
            continue
        with file:
            entry = tarfile.TarInfo(f"{folder}/{path.name}")
            found = os.fstat(file.fileno())
            entry.size, entry.mtime, entry.mode = found.st_size, int(found.st_mtime), 0o600
            yield entry.tobuf()
            left = entry.size
            while left and (data := await asyncio.to_thread(file.read, min(READ, left))):
                left -= len(data)
                yield data
            yield bytes(left + -entry.size % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)
