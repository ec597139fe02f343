"""Keys and clipboards of viewers without data channels: a unix socket, a connection each, by transom_wire.channel."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import Protocol

from transom_guest.clipboard import frames
from transom_guest.clipboard.service import Clipboard
from transom_guest.input.message import (
    Asked,
    Button,
    Holding,
    Key,
    Message,
    Ping,
    ReleaseAll,
    Text,
    Wheel,
)
from transom_guest.input.parser import InputError, parse
from transom_guest.stream.listening import listen
from transom_wire.channel import FRAME_LIMIT, ChannelViewer, framed, opened
from transom_wire.framing import FrameError, FrameReader

MOST = 21
"""Streams at once: eight of the owner's, thirteen of guests, of whom five are there by links."""
MAX_MALFORMED = 100
"""Malformed messages after which a stream is cut."""
MAX_BUFFERED = 1 << 20
"""Bytes unsent to a viewer after which its stream is cut; a clipboard's content waits for room long before."""
HELLO_S = 5.0
"""Seconds until a stream must have said whose it is."""
READ = 64 * 1024
"""Bytes taken in at once."""
PASSED = (Key, Holding, ReleaseAll, Text, Button, Wheel)
FIRST, LAST = 2**30, 2**31 - 2**20
"""Where streams are numbered from, by chance: an earlier process's are written down, and peers' epochs are lower."""
KEYS = tuple(f'["{tag}"' for tag in "khrtbwop")
"""How messages begin that are not the clipboard's."""
log = logging.getLogger("transom.stream")


class Hands(Protocol):
    """What is needed of input.actor.Actor."""

    def take(self, viewer: str, message: Message) -> None: ...
    def after(self, viewer: str, tell: Callable[[], object]) -> None: ...
    def leave(self, viewer: str) -> None: ...


class Answers(Protocol):
    """What is needed of input.succession.Succession."""

    def begin(self, viewer: str) -> None: ...
    def admits(self, viewer: str) -> bool: ...
    def answer(self, viewer: str, asked: Asked) -> str: ...
    def bar(self, page: str) -> None: ...


class ChannelStreams:
    """All of them."""

    def __init__(self, clipboard: Clipboard, hands: Hands, answers: Answers) -> None:
        self._clipboard, self._hands, self._answers = clipboard, hands, answers
        self._tasks: set[asyncio.Task[None]] = set()
        self._numbers = count(FIRST + secrets.randbelow(LAST - FIRST))

    async def run(self, path: Path) -> None:
        """Listen at `path`, this user's alone, until cancelled; without it these viewers have neither."""
        try:
            server = await listen(path, self._accept)
        except OSError as error:
            log.warning("no keys and clipboards of noVNC's here: %s", error)
            return
        try:
            async with server:
                await server.serve_forever()
        finally:
            for task in self._tasks:
                task.cancel()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._tasks) >= MOST:
            writer.transport.abort()
            return
        self._tasks.add(task)
        try:
            number = next(self._numbers)
            await _Stream(self._clipboard, self._hands, self._answers, number, reader, writer).run()
        except (OSError, EOFError, FrameError) as error:
            log.info("a channel's stream is over: %s", error or type(error).__name__)
        except asyncio.CancelledError:
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()


class _Stream:
    """One viewer's; a Wire of the clipboard's."""

    def __init__(
        self,
        clipboard: Clipboard,
        hands: Hands,
        answers: Answers,
        number: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._clipboard, self._hands, self._answers, self._number = clipboard, hands, answers, number
        self._reader, self._writer = reader, writer
        self._frames = FrameReader(FRAME_LIMIT)
        self._key = ""
        self._drives = False
        self._malformed = 0

    def clip(self, message: str | bytes) -> bool:
        """Send; False when the stream is over, as it is when the viewer takes too little."""
        if self._writer.is_closing():
            return False
        if self.clip_waiting() > MAX_BUFFERED:
            log.warning("viewer %s takes nothing: its stream is cut", self._key)
            self._writer.transport.abort()
            return False
        self._writer.write(framed(message))
        return True

    def clip_waiting(self) -> int:
        """Bytes that are not sent yet."""
        return self._writer.transport.get_write_buffer_size()

    async def run(self) -> None:
        """Until it ends. Raises OSError, EOFError, FrameError."""
        try:
            async with asyncio.timeout(HELLO_S):
                while not self._key:
                    await self._read()
            while True:
                await self._read()
        finally:
            if self._key:
                self._hands.leave(self._key)
                self._clipboard.leave(self._key)

    async def _read(self) -> None:
        data = await self._reader.read(READ)
        if not data:
            raise EOFError
        for frame in self._frames.feed(data):
            content = opened(frame)
            if isinstance(content, ChannelViewer):
                self._is(content)
            elif not self._key:
                raise FrameError("it did not say whose it is")
            else:
                self._heard(content)

    def _is(self, viewer: ChannelViewer) -> None:
        key = f"{viewer.peer}/{self._number}"
        if self._key not in ("", key):
            raise FrameError("it is another viewer's now")
        if self._drives and not viewer.terms.drives:
            self._hands.leave(key)
            self._answers.bar(viewer.peer)
        if viewer.terms.drives and not self._drives:
            self._answers.begin(key)
            self.clip(json.dumps(["is", self._number]))
        self._drives = viewer.terms.drives
        self._clipboard.admit(key, viewer.terms)
        if not self._key:
            self._key = key
            self._clipboard.opened(key, self)

    def _heard(self, message: str | bytes) -> None:
        try:
            if isinstance(message, str) and message.startswith(KEYS):
                # a watcher's are not even read: this is the loop that paces everybody's video
                if self._drives:
                    self._typed(parse(message))
            else:
                self._clipboard.heard(self._key, message)
        except (frames.FrameError, InputError) as error:
            self._malformed += 1
            if self._malformed == 1:
                log.warning("viewer %s said something malformed: %s", self._key, error)
            if self._malformed >= MAX_MALFORMED:
                raise FrameError("too many malformed messages") from error

    def _typed(self, message: Message) -> None:
        if isinstance(message, Asked):
            self.clip(self._answers.answer(self._key, message))
        elif isinstance(message, Ping):
            # its answer says that what came before it was acted out
            self._hands.after(self._key, partial(self.clip, json.dumps(["p", message.id])))
        elif isinstance(message, PASSED) and self._answers.admits(self._key):
            self._hands.take(self._key, message)
