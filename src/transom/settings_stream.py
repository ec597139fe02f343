"""The settings of the stream: what viewers get, and what they may do. A part of `settings.Settings`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, NoDecode

from transom_wire.fields import PagePattern

Words = Annotated[tuple[str, ...], NoDecode]


class StreamSettings(BaseSettings):
    """Servers for viewers, and the rules of a viewer's clipboard, files, sound and recording."""

    stun_urls: Words = ()
    """STUN servers told to viewers. Unset: none; the door needs none."""
    turn_urls: Words = ()
    """TURN servers told to viewers. Unset: a viewer behind a UDP block falls to noVNC."""
    turn_secret_file: Path | None = None
    """File with the secret shared with the TURN server (coturn's `static-auth-secret`)."""
    turn_seconds: int = Field(3600, ge=60, le=86400)
    """How long TURN credentials last."""

    clipboard: Literal["off", "up", "down", "both"] = "both"
    """Which way clipboards travel between a driving viewer and its desktop: `up` is to the desktop."""
    clipboard_kib: int = Field(1024, ge=1, le=16384)
    """The largest clipboard, text or picture, that travels."""
    quality_days: int = Field(14, ge=1, le=3650)
    """What a session's picture was like is kept this long, and no longer than the session's own row."""
    files: Literal["off", "up", "down", "both"] = "both"
    """Which way files travel between a session's owner and its desktop's ~/Files: `up` is to the desktop."""
    files_mib: int = Field(256, ge=1, le=16384)
    """The largest file that travels. Where the desktop's disk is its memory, a file takes of that."""
    files_most: int = Field(200, ge=1, le=500)
    """Files on a desktop, from which on no further one goes up."""
    files_scan: str | None = None
    """A command that is given each file's path before the file reaches the other side, up or down: exit code 0
    lets it pass, 1 refuses it with the first line it printed, and on any other none passes. Unset: nobody looks."""
    files_scan_seconds: int = Field(60, ge=1, le=3600)
    """How long that command may take for one file; then the file does not pass."""
    recording: Literal["off", "ask", "always"] = "off"
    """Whether sessions are recorded, for debugging: never, when their owner turns it on, or all. The page says so to
    the user all the time, and recording pauses while a page to sign in at is shown."""
    recording_pages: Annotated[tuple[PagePattern, ...], NoDecode, Field(max_length=64)] = ()
    """Pages to sign in at, besides the usual ones, while one of which is shown a recording has no picture: HOST or
    HOST/PATH, with `*` for any host and `*.` before one for all below it. One with `!` before it takes pages away
    that are none, of the usual ones as well (`!*/login`, `!wiki.example/login`): by their URL alone they are then
    recorded, with a field for a password or a code not."""
    recording_mib: int = Field(512, ge=16, le=1048576)
    """What one session's recording may take of the state folder's disk; its oldest segments go first. A segment counts
    for 64 KiB at least, and there are 10000 at most."""
    recording_total_mib: int = Field(8192, ge=16, le=16777216)
    """What all recordings together may take of that disk, counted alike; the oldest segments of all go first. A
    timeline, 8 MiB at most, is on top of both."""
    recording_days: int = Field(7, ge=1, le=3650)
    """A recording is kept this long after its end; of one that goes on, each segment, and what its timeline says."""
    recording_segment_s: int = Field(20, ge=1, le=300)
    """How long a segment is, about. Each begins with a key frame, which viewers get as well."""
    stream_kbps: int = Field(2000, ge=150, le=100000)
    """What the picture may take, in kbit/s, on a link that carries as much. More makes motion sharper."""
    microphone: bool = False
    """Whether a driving viewer may send its microphone to the desktop. Unset: no."""
