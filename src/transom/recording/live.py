"""One session that is recorded: its wishes to the guest, its segments to the shelf, its pauses before sign-ins."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import structlog

from transom.model.clock import Clock
from transom.model.errors import Full, TransomError
from transom.model.ports import Driver
from transom.model.recording import SegmentFile
from transom.model.session import Session, SigninStage
from transom.model.works import first_over
from transom.recording.accord import Accord
from transom.recording.intake import Intake
from transom.recording.loss import Loss, Span
from transom.recording.shelf import Shelf
from transom.recording.tape import Tape, tape
from transom.recording.wish import OFF, ON, PAUSED, wanted
from transom_wire.record import PageSeen, PartComes, Record, RecordState, SegmentTaken

log = structlog.get_logger(__name__)
AGAIN_S, AGAIN_MOST_S = 1.0, 30.0
"""Seconds before a recorder that does not answer is tried again; doubles from the first to the last."""
PAUSE_S = 2.0
"""Seconds for a guest to say that it paused, before a sign-in begins regardless; its segments are then refused."""
OFF_S = 30.0
"""Seconds for a guest to hand over the rest after it was told to stop."""
SETTLE_S = 3.0
"""Seconds after a finished sign-in in which its page says so; then the guest leaves it, and goes on."""
PAGES_LEAST_S = 0.5
"""Seconds that one such word takes at least: each may be a line of the timeline."""
LINES = {ON: "start", PAUSED: "pause", OFF: "stop"}
"""Of the timeline."""
Kept = Callable[["Live", SegmentFile], Awaitable[None]]


async def _ignored(_live: Live, _segment: SegmentFile) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Terms:
    """From the settings."""

    policy: str
    segment_s: int
    most_bytes: int


class Live:
    """`kept` is told each segment, and `grew` each that is not finished, now and then."""

    def __init__(
        self,
        session: Session,
        terms: Terms,
        driver: Driver,
        shelf: Shelf,
        clock: Clock,
        kept: Kept,
        grew: Kept = _ignored,
    ) -> None:
        self.session, self.shelf = session, shelf
        self.chosen, self.released = False, ""
        self._terms, self._driver, self._clock = terms, driver, clock
        self._settled = True
        self._accord = Accord()
        self._intake = Intake(shelf, terms.most_bytes, clock, partial(kept, self), partial(grew, self))
        self._loss = Loss()
        self._run = 0
        self._noted = OFF
        self._tape: Tape | None = None
        self._news, self._said = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def wanted(self) -> str:
        """What should be now."""
        return wanted(
            self._terms.policy,
            self.session,
            chosen=self.chosen,
            released=self.released,
            settled=self._settled,
        )

    @property
    def state(self) -> str:
        """What the user is shown. `on` once the guest says that pictures may be taken."""
        return PAUSED if self.wanted == ON and self.page else self.wanted

    @property
    def page(self) -> str:
        """Why the machine takes no picture though it should; empty: it does."""
        return self._accord.why

    @property
    def unwatched(self) -> bool:
        """It is on, and nobody looks at the pages of the machine's browser."""
        return self.state == ON and self._accord.page == "unwatched"

    def changed(self, session: Session | None = None) -> None:
        """The session's row is another, or the owner chose."""
        if session is not None:
            self._settle(self.session, session)
            self.session = session
        if self.wanted == PAUSED:
            self._accord.pauses()
        self._news.set()
        if self.wanted != OFF and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._keep(), name=f"recording {self.session.id}")

    def _settle(self, before: Session, after: Session) -> None:
        done = after.signin is not None and after.signin.stage is SigninStage.DONE
        was = before.signin is not None and before.signin.stage is SigninStage.DONE
        if done and not was:
            self._settled = False
            asyncio.get_running_loop().call_later(SETTLE_S, self._settle_now)

    def _settle_now(self) -> None:
        self._settled = True
        self._news.set()

    async def pause(self) -> None:
        """Return once the guest takes no picture any more; one that does not say so is not believed."""
        run = self._run
        if self._tape is None:
            self._intake.refuse(run)
            return
        self._news.set()
        try:
            async with asyncio.timeout(PAUSE_S):
                while not self._accord.quiet:
                    self._said.clear()
                    await self._said.wait()
        except TimeoutError:
            self._intake.refuse(run)
            log.warning("a recorder did not pause: its segments are refused", session=self.session.id)
            if self._tape is not None:
                self._tape.cut()

    @asynccontextmanager
    async def anew(self) -> AsyncIterator[None]:
        """Remove within this what is kept: nothing of before is kept after it, and a new run begins at its end."""
        self._run = max(self._run, self._clock())
        self._loss.removed()
        async with self._intake.removing(self._run):
            try:
                yield
            finally:
                self._noted = OFF
                self._news.set()

    async def end(self, seconds: float) -> None:
        """Wait until what is not finished was handed over, or for so long."""
        self._news.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=seconds)
            await self.close()
        await self._over()

    async def close(self) -> None:
        """Let go; the guest stops when its stream ends."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def watched(self) -> None:
        """Somebody watches by WebRTC."""
        self._loss.watched(self._clock())

    async def _lost(self, spans: Sequence[Span]) -> None:
        await asyncio.to_thread(self.shelf.note, *(each.line for each in spans))

    async def note(self, kind: str, **more: object) -> None:
        """A line of the timeline, now."""
        await asyncio.to_thread(self.shelf.note, {"at_ms": self._clock(), "kind": kind, **more})

    async def _keep(self) -> None:
        pause = AGAIN_S
        while self.wanted != OFF:
            self._accord.said, self._intake.took, full = None, False, ""
            try:
                async with tape(self._driver, self.session.machine) as found:
                    self._tape, self._accord.told = found, None
                    await self._play(found)
            except Full as error:
                full = error.message
            except TransomError as error:
                log.info("a recording waits for its machine", session=self.session.id, reason=error.message)
            except Exception as error:
                log.error("a recording cannot be kept", session=self.session.id, reason=repr(error))
            finally:
                fared = self._intake.took if full else self._accord.said is not None
                if not full and not self.page:
                    self._loss.breaks(self._clock())
                self._lose()
            pause = AGAIN_S if fared else min(2 * pause, AGAIN_MOST_S)
            if full:
                await self._room(full, pause)
            elif self.wanted != OFF:
                await asyncio.sleep(pause)
        await self._over()

    async def _over(self) -> None:
        """No more comes."""
        await self._intake.settle()
        await self._lost(self._loss.over())

    async def _room(self, why: str, pause: float) -> None:
        """Wait until segments can be kept again, `pause` seconds at least. No stream is open: nothing is recorded."""
        self._accord.full = True
        log.error("a recording waits for room on the disk", session=self.session.id, reason=why)
        await self.note("pause", why="full")
        while self.wanted != OFF:
            self._news.clear()
            await asyncio.wait({waits := asyncio.ensure_future(self._news.wait())}, timeout=pause)
            timed = waits.cancel()
            if timed and await asyncio.to_thread(self.shelf.room):
                break
            pause = min(2 * pause, AGAIN_MOST_S) if timed else pause
        self._accord.full = False

    def _lose(self) -> None:
        """The stream is over: what the guest may have recorded since its last word is not known to be right."""
        told = self._accord.told
        if told is not None and told.state == ON and self.wanted == PAUSED:
            self._intake.refuse(told.run)
        self._accord.lost()
        self._tape, self._noted = None, OFF
        self._said.set()

    async def _play(self, found: Tape) -> None:
        async with first_over(self._tell(found), self._hear(found)) as done:
            for task in done:
                task.result()

    async def _tell(self, found: Tape) -> None:
        while True:
            self._news.clear()
            state, told = self._accord.wish(self.wanted), self._accord.told
            if told is not None and told.state == state != ON:
                await self._mark()
            elif told is None or told.state != state or self._intake.refuses(told.run):
                if state == ON:
                    self._run = max(self._run + 1, self._clock())
                self._accord.told = Record(state, self._run, self._terms.segment_s)
                await found.say(self._accord.told)
                if state != ON:
                    await self._mark()
                if state == OFF:
                    await asyncio.sleep(OFF_S)
                    return
            await self._news.wait()

    async def _mark(self) -> None:
        """A line for what is so now, where that is another."""
        news = self._accord.news(self._noted)
        if news is None:
            return
        now, why = news
        self._noted = now
        await self.note(LINES[now], **({"why": why} if why else {}))
        if now == ON and self._accord.told is not None:
            self._loss.begins(self._accord.told.run, self._clock())
        if now == ON and self._accord.page == "unwatched":
            await self.note("unwatched")

    async def _see(self, page: str) -> None:
        before, self._accord.page = self._noted, page
        await self._mark()
        if page == "unwatched" and before == self._noted:
            await self.note("unwatched")
        await asyncio.sleep(PAGES_LEAST_S)

    async def _hear(self, found: Tape) -> None:
        while (message := await found.hear()) is not None:
            if isinstance(message, RecordState):
                if self._accord.hears(message):
                    self._news.set()
                if message.state == ON:
                    await self._mark()
                self._said.set()
                continue
            if isinstance(message, PageSeen):
                await self._see(message.state)
                continue
            until = self._clock() - message.ago_ms + message.duration_ms
            if isinstance(message, PartComes):
                await self._intake.add(found, message)
            await self._lost(self._loss.came(message.run, message.number, until))
            if not isinstance(message, PartComes):
                await self._intake.take(found, message)
                await found.say(SegmentTaken(message.number))
