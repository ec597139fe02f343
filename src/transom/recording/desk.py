"""All recordings: which sessions have one, what owners choose, what is kept and for how long."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

import structlog

from transom.model.clock import Clock
from transom.model.errors import Conflict, Refused, TransomError, Unavailable
from transom.model.ports import Driver
from transom.model.recording import Recording, SegmentFile
from transom.model.session import Session
from transom.model.stores import RecordingStore, Trail
from transom.recording import drafts
from transom.recording.beats import Beats
from transom.recording.intake import Intake
from transom.recording.live import Live, Terms
from transom.recording.shelf import Shelf
from transom.recording.stock import Stock
from transom.recording.wish import OFF, ON

log = structlog.get_logger(__name__)
PART_S = 5.0
"""Seconds for a machine that is ending to hand over what it has not finished."""
DAY_MS = 86_400_000
MIB = 2**20


class Rules(Protocol):
    """What is needed of the settings."""

    @property
    def recording(self) -> str: ...
    @property
    def recording_mib(self) -> int: ...
    @property
    def recording_total_mib(self) -> int: ...
    @property
    def recording_days(self) -> int: ...
    @property
    def recording_segment_s(self) -> int: ...


class RecordingDesk:
    """Every call but `noticed`, `beat` and `state` raises TransomError when the store or the disk cannot serve."""

    def __init__(
        self,
        driver: Driver,
        store: RecordingStore,
        trail: Trail,
        rules: Rules,
        folder: Path,
        clock: Clock,
        wait: Callable[[str], int],
    ) -> None:
        """`wait` counts a line that a heartbeat adds to a session's timeline, and gives 0 when it may be written."""
        self._driver, self._store, self._trail, self._rules = driver, store, trail, rules
        self._clock, self._wait = clock, wait
        self._stock = Stock(folder, rules.recording_total_mib * MIB, clock)
        self._lives: dict[str, Live] = {}
        self._chosen: set[str] = set()
        self._ending: set[str] = set()
        self._beats: dict[str, Beats] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def policy(self) -> str:
        """off, ask or always."""
        return self._rules.recording

    @property
    def most_bytes(self) -> int:
        """Of one session."""
        return self._rules.recording_mib * MIB

    async def open(self) -> None:
        """Know which recordings were under way when the controller was stopped, and what all take."""
        await self._stock.count()
        rows = await self._store.list_recordings(user=None)
        self._chosen = {row.session for row in rows if row.ended_at is None}

    def noticed(self, session: Session) -> None:
        """A session's row is another: called on each change, and once for each living one at the start."""
        live = self._lives.get(session.id)
        if live is None:
            if self.policy == "off" or session.state.over:
                return
            live = self._lives[session.id] = self._live(session)
        live.changed(session)
        if session.state.over:
            del self._lives[session.id]
            self._beats.pop(session.id, None)
            self._ending.add(session.id)
            self._spawn(self._over(live))

    def _live(self, session: Session) -> Live:
        terms = Terms(self.policy, self._rules.recording_segment_s, self.most_bytes)
        live = Live(session, terms, self._driver, self.shelf(session.id), self._clock, self._kept, self._kept)
        live.chosen = session.id in self._chosen
        return live

    def shelf(self, session: str) -> Shelf:
        """Where its recording is, or would be."""
        return self._stock.shelf(session)

    def state(self, session: str) -> str:
        """off, on or paused."""
        live = self._lives.get(session)
        return live.state if live is not None else OFF

    def why(self, session: str) -> str | None:
        """What it is paused for but a sign-in of ours: `shown`, `silent`, `starting` or `recorder` by the machine,
        `full` for want of room."""
        live = self._lives.get(session)
        return live.page or None if live is not None and live.wanted == ON else None

    def unwatched(self, session: str) -> bool:
        """It is on, and pages to sign in at may be in it."""
        live = self._lives.get(session)
        return live is not None and live.unwatched

    async def choose(self, session: Session, *, on: bool) -> None:
        """The owner's word. Raises Refused where the policy gives them none."""
        if self.policy == "off" or (self.policy == "always" and not on):
            raise Refused("this server's operator decides about recording", code="recording_policy")
        self.noticed(session)
        live = self._lives.get(session.id)
        if live is None:
            raise Conflict("the session is not in a state for this")
        live.chosen = on
        (self._chosen.add if on else self._chosen.discard)(session.id)
        if on and session.signin is not None and session.signin.stage.over:
            live.released = session.signin.flow
        row = await self._store.get_recording(session.id)
        if on:
            row = row or Recording(session.id, session.user, self._clock())
            await self._store.save_recording(replace(row, ended_at=None))
        elif row is not None:
            await self._store.save_recording(replace(row, ended_at=self._clock()))
        await self._write("recording_on" if on else "recording_off", session.id, session.user)
        live.changed()

    async def before_signin(self, session: Session) -> None:
        """Return once no picture of a sign-in can be taken."""
        live = self._lives.get(session.id)
        if live is not None:
            live.changed(session)
            await live.pause()

    async def parting(self, session: Session) -> None:
        """The machine is about to end: have what is not finished."""
        live = self._lives.get(session.id)
        if live is not None:
            await live.end(PART_S)

    def beat(self, session: str, viewer: str, rung: str | None, stats: Mapping[str, object]) -> None:
        """A viewer's heartbeat: a line of the timeline while something is recorded."""
        live = self._recorded(session)
        if live is None:
            return
        if rung is not None and rung != "vnc":
            live.watched()
        self._put(live, self._beats_of(session).lines(viewer, rung, stats))

    def froze(self, session: str, viewer: str, count: int, frozen_ms: float, span_ms: int) -> None:
        """A viewer's picture stood still in the milliseconds that are over: a line as well."""
        live = self._recorded(session)
        if live is not None:
            self._put(live, self._beats_of(session).freezes(viewer, count, frozen_ms, span_ms))

    def _recorded(self, session: str) -> Live | None:
        live = self._lives.get(session)
        return None if live is None or live.state == OFF else live

    def _beats_of(self, session: str) -> Beats:
        return self._beats.setdefault(session, Beats(partial(self._wait, session)))

    def _put(self, live: Live, lines: Iterable[dict[str, object]]) -> None:
        for line in lines:
            kind = str(line.pop("kind"))
            self._spawn(live.note(kind, **line))

    def felt(self, session: str, *, keys: int, buttons: int, wheel: int) -> None:
        """What was done by noVNC in the second that is over: a line of the timeline while pictures may be taken."""
        live = self._lives.get(session)
        if live is not None and live.state == ON:
            self._spawn(live.note("input", rung="vnc", keys=keys, buttons=buttons, wheel=wheel))

    async def get(self, session: str) -> Recording | None:
        """The row."""
        return await self._store.get_recording(session)

    async def listing(self, user: str | None) -> Sequence[Recording]:
        """Newest first; of everybody for None."""
        return await self._store.list_recordings(user=user)

    async def segments(self, session: str) -> list[SegmentFile]:
        """What is kept of a session."""
        return await asyncio.to_thread(self.shelf(session).segments)

    async def remove(self, session: str, *, by: str | None) -> None:
        """All that is kept of it; `by` is the user who wants it, None: its age. A recording that is wanted goes on,
        with a new beginning: what the machine has of before, finished or not, is not kept."""
        live = self._lives.get(session)
        async with contextlib.nullcontext() if live is None else live.anew():
            await self._remove(session)
        if by is not None:
            await self._write("recording_remove", session, by)

    async def _remove(self, session: str) -> None:
        try:
            await asyncio.to_thread(self.shelf(session).remove)
        except OSError as error:
            raise Unavailable("the recording cannot be removed now") from error
        self._stock.weigh(session, ())
        self._beats.pop(session, None)
        row = await self._store.get_recording(session)
        if row is not None and row.ended_at is None and session in self._lives:
            await self._store.save_recording(replace(row, started_at=self._clock(), bytes=0, segments=0))
        else:
            await self._store.delete_recording(session)

    async def _write(self, action: str, session: str, user: str) -> None:
        await self._trail.add_audit(
            at=self._clock(), user=user, action=action, subject=session, outcome="ok", detail={}
        )

    async def prune(self) -> None:
        """Remove what is too old, also of sessions that live, and folders that nobody knows."""
        now = self._clock()
        before = now - self._rules.recording_days * DAY_MS
        rows = {row.session: row for row in await self._store.list_recordings(user=None)}
        for row in rows.values():
            if row.session not in self._lives and row.session not in self._ending:
                await self._settle(row.session)
            lives = row.ended_at is None and row.session in self._lives
            if not lives and (row.ended_at or row.started_at) < before:
                await self.remove(row.session, by=None)
            elif await self._expire(row.session, before, now):
                await self._count(row.session)
        for name in await asyncio.to_thread(self._stock.sessions):
            if name not in rows and name not in self._lives:
                await asyncio.to_thread(self.shelf(name).remove)
        await self._fit()

    async def _settle(self, session: str) -> None:
        """What its machine had not finished, when no controller was there, is all there is of it."""

        async def kept(_segment: SegmentFile) -> None:
            await self._count(session)

        await Intake(self.shelf(session), self.most_bytes, self._clock, kept, kept).settle()

    async def _expire(self, session: str, before: int, now: int) -> bool:
        try:
            await asyncio.to_thread(drafts.expire, self.shelf(session).folder, before)
            return await asyncio.to_thread(self.shelf(session).expire, before, now)
        except OSError as error:
            raise Unavailable("what is too old of a recording cannot be removed now") from error

    async def _fit(self) -> None:
        try:
            lost = await self._stock.fit()
        except OSError as error:
            raise Unavailable("what recordings have too much cannot be removed now") from error
        for session in lost:
            await self._count(session)

    async def _count(self, session: str) -> None:
        """What is kept of it is another."""
        kept = await self.segments(session)
        self._stock.weigh(session, kept, await asyncio.to_thread(drafts.taken, self.shelf(session).folder))
        row = await self._store.get_recording(session)
        if row is not None:
            total = sum(each.bytes for each in kept)
            await self._store.save_recording(replace(row, bytes=total, segments=len(kept)))

    async def close(self) -> None:
        """Let go of all; machines stop recording, and go on once a controller is back."""
        for live in list(self._lives.values()):
            await live.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _kept(self, live: Live, segment: SegmentFile) -> None:
        session = live.session
        if await self._store.get_recording(session.id) is None:
            await self._store.save_recording(Recording(session.id, session.user, segment.at))
        await self._count(session.id)
        await self._fit()

    async def _over(self, live: Live) -> None:
        await live.end(PART_S)
        self._ending.discard(live.session.id)
        self._chosen.discard(live.session.id)
        try:
            row = await self._store.get_recording(live.session.id)
            if row is not None and row.ended_at is None:
                await self._store.save_recording(replace(row, ended_at=self._clock()))
        except TransomError as error:
            log.warning("a recording's end is not written down", reason=error.message)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
