"""The desktop's pictures: damage in, frames into the encoder, paced by `pacing`. Off while nobody watches."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from transom_guest.stream.frame import Frame, Pixels
from transom_guest.stream.pacing import FPS, Grab, Pacer, Rows, Wait
from transom_guest.stream.rate_decision import Decision
from transom_guest.x11.damage import Damage
from transom_guest.x11.events import CONFIGURE_NOTIFY
from transom_guest.x11.fixes import Cursor, CursorImage
from transom_guest.x11.shm import Screen
from transom_guest.x11.xlib import Display

log = logging.getLogger("transom.stream")


class Sink(Protocol):
    """Who takes the pictures."""

    def encode(self, screen: Pixels, frame: Frame) -> bool: ...
    def set_bitrate(self, kbps: int, vbv_ms: int, burst_kbps: int) -> None: ...
    def set_scale(self, percent: int) -> None: ...


class CaptureEvents(Protocol):
    """What a capture tells its server."""

    def size_changed(self, width: int, height: int) -> None: ...
    def cursor_changed(self, image: CursorImage | None) -> None: ...


class Watch(Protocol):
    """Who is told, for marks, when something was drawn and when it was grabbed. Times are the loop's."""

    def changed(self, now: float) -> None: ...
    def grabbed(self, now: float) -> None: ...


class Capture:
    """Grabs one display. All calls come from the event loop's thread."""

    def __init__(
        self, display: Display, sink: Sink, events: CaptureEvents, watch: Watch, fps: int = FPS
    ) -> None:
        """Raises XError when the server lacks what is needed."""
        self._display, self._sink, self._events, self._watch = display, sink, events, watch
        self._loop = asyncio.get_running_loop()
        self._damage, self._cursor = Damage(display), Cursor(display)
        self._pacer = Pacer(fps)
        self._fps, self._scale = fps, 100
        self._screen: Screen | None = None
        self._rows = Rows(0)
        self._timer: asyncio.TimerHandle | None = None
        self._on = False
        self.frames = 0
        self.size = self._even_size()
        display.select_structure()
        self._loop.add_reader(display.fileno(), self._readable)

    def start(self, *, key: bool = False) -> None:
        """Begin to grab, from a whole picture and a key frame. Idempotent; `key`: one is needed in any case."""
        if self._on and key:
            self.key_wanted()
        if self._on:
            return
        self._on = True
        self._pacer = Pacer(self._fps)
        self._damage.start()
        self._cursor.watch(True)
        self._fit()
        self._events.cursor_changed(self._cursor.image())
        self._step()

    def stop(self) -> None:
        """Stop: no grab, no damage report, no timer. Idempotent."""
        if not self._on:
            return
        self._on = False
        self._damage.stop()
        self._cursor.watch(False)
        self._cancel()
        if self._screen is not None:
            self._screen.close()
            self._screen = None

    def key_wanted(self, after_s: float = 0.0) -> None:
        """A viewer needs a key frame, and can show nothing else; there is room for it in so many seconds."""
        self._pacer.key_wanted(self._loop.time() + after_s if after_s else float("-inf"))
        self._step()

    def set_fps(self, fps: int) -> None:
        """Another cap of the frame rate, live."""
        self._fps = fps
        self._pacer.set_fps(fps)
        self._step()

    def follow(self, decision: Decision) -> None:
        """What rate control decided, live."""
        self._sink.set_bitrate(decision.kbps, decision.vbv_ms, decision.burst_kbps)
        if decision.fps != self._fps:
            self.set_fps(decision.fps)
        if decision.scale != self._scale:
            self.set_scale(decision.scale)

    def set_scale(self, percent: int) -> None:
        """Pictures of this share of the desktop's sides, live; the desktop's own size stays."""
        self._scale = percent
        self._sink.set_scale(percent)
        self._pacer.damaged()
        self._pacer.key_wanted()
        self._step()

    def frame_out(self, next_in: float, *, settled: bool) -> None:
        """The encoder has finished a frame, which added nothing if `settled`; the next is of use in so many seconds."""
        self._pacer.frame_out(self._loop.time() + next_in, settled=settled)
        self._step()

    @property
    def at_rest(self) -> bool:
        """The newest picture is out, and nothing is left to sharpen."""
        return self._on and self._pacer.at_rest

    def seen(self) -> None:
        """All who watch have drawn the newest picture: it is not sent again."""
        self._pacer.seen()
        self._step()

    def close(self) -> None:
        """Stop for good."""
        self.stop()
        self._loop.remove_reader(self._display.fileno())

    def _readable(self) -> None:
        spans: list[tuple[int, int]] = []
        resized = pointer = False
        for event in self._display.events():
            span = self._damage.rows(event)
            if span is not None:
                spans.append(span)
            elif event.type == CONFIGURE_NOTIFY and event.configure.window == self._display.root:
                resized = True
            else:
                pointer |= self._cursor.changed(event)
        if resized:
            self._fit()
        if pointer and self._on:
            self._events.cursor_changed(self._cursor.image())
        if spans and self._rows.add(spans):
            self._pacer.damaged()
            self._watch.changed(self._loop.time())
        self._step()
        self._read_rest()

    def _read_rest(self) -> None:
        """A request that waits for a reply, for pixels or the pointer's shape, reads events into Xlib's own queue: the
        connection's descriptor does not tell of those, and damage is told once."""
        if self._display.queued():
            self._loop.call_soon(self._readable)

    def _step(self) -> None:
        self._cancel()
        if not self._on:
            return
        decision = self._pacer.decide(self._loop.time())
        if isinstance(decision, Grab):
            self._grab(decision.key)
            decision = self._pacer.decide(self._loop.time())
        if isinstance(decision, Wait) and decision.until < float("inf"):
            self._timer = self._loop.call_at(decision.until, self._step)

    def _grab(self, key: bool) -> None:
        screen, now = self._screen, self._loop.time()
        rows = self._rows.take()
        if screen is None or not self._refresh(screen, rows):
            self._pacer.failed(now)
            self._fit()
        elif self._sink.encode(screen, Frame(rows, key, now)):
            self.frames += 1
            self._watch.grabbed(now)
            self._pacer.grabbed(now, key=key)
        else:
            self._pacer.failed(now)
        self._read_rest()

    def _refresh(self, screen: Screen, rows: tuple[int, int] | None) -> bool:
        if rows is None:
            return True
        self._damage.forget()
        return screen.refresh(*rows)

    def _fit(self) -> None:
        """Follow the desktop's size."""
        size = self._even_size()
        changed = size != self.size
        self.size = size
        if self._on and (changed or self._screen is None):
            if self._screen is not None:
                self._screen.close()
            self._screen = Screen(self._display, *size)
            self._pacer.key_wanted()
        self._rows = Rows(size[1])
        self._pacer.damaged()
        if changed:
            self._events.size_changed(*size)

    def _even_size(self) -> tuple[int, int]:
        width, height = self._display.size()
        return width & ~1, height & ~1

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
