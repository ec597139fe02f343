"""The sign-in agent: one link to the controller, at most one sign-in, which outlives the link."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

from transom_guest.signin import events as e
from transom_guest.signin.journal import Journal, Memory
from transom_guest.signin.run import OpenUrl, Place, Run
from transom_wire.codec import WireError
from transom_wire.link import (
    CredentialSealed,
    CredentialStored,
    SigninCancel,
    SigninStart,
    SigninState,
    ToGuestMessage,
)

log = logging.getLogger("transom.signin")


class Link(Protocol):
    """What the agent needs of transom_guest.link.Link."""

    async def send(self, message: SigninState | CredentialSealed) -> None:
        """Send, or raise OSError or WireError."""

    def messages(self) -> AsyncIterator[ToGuestMessage]:
        """What the controller says, until the link is over."""


class Agent:
    """Runs sign-ins one at a time; `serve` is called with each new link."""

    def __init__(self, *, home: Path, runtime: Path, open_url: OpenUrl) -> None:
        self._journal = Journal(runtime / "signin.json")
        self._place = Place(home, runtime, open_url, self._send)
        self._link: Link | None = None
        self._run: Run | None = None
        self._task: asyncio.Task[None] | None = None

    async def serve(self, link: Link) -> None:
        """Speak on `link` until it is over. A sign-in under way goes on without it."""
        self._link = link
        try:
            if self._run is None:
                self._resume()
            else:
                await self._run.tell()
            async for message in link.messages():
                await self._take(message)
        finally:
            if self._link is link:
                self._link = None

    async def close(self) -> None:
        """End the sign-in under way, and its processes."""
        task, self._task, self._run = self._task, None, None
        if task:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _take(self, message: ToGuestMessage) -> None:
        match message:
            case SigninStart():
                await self._start(message)
            case SigninCancel(flow):
                if self._run and self._run.start.flow == flow:
                    self._run.put(e.CancelAsked())
                else:
                    await self._send(SigninState(flow, e.Stage.CANCELLED.value))
            case CredentialStored(flow, serial, accepted, reason):
                if self._run and self._run.start.flow == flow:
                    self._run.put(e.Stored(serial, accepted, reason))
            case _:
                log.warning("not for the sign-in agent: %s", type(message).__name__)

    async def _start(self, start: SigninStart) -> None:
        if self._run and self._run.start.flow == start.flow:
            await self._run.tell()
            return
        if self._run:
            replaced, over = self._run.start.flow, self._run.over
            await self.close()
            if not over:
                await self._send(SigninState(replaced, e.Stage.CANCELLED.value))
        self._begin(start, None)

    def _resume(self) -> None:
        memory = self._journal.read()
        if memory:
            log.info("going on with the sign-in to %s", memory.start.spec.provider)
            self._begin(memory.start, memory)

    def _begin(self, start: SigninStart, memory: Memory | None) -> None:
        self._run = Run(start, self._place, self._journal, memory)
        self._task = asyncio.create_task(self._run.serve(), name=f"signin {start.spec.provider}")
        self._task.add_done_callback(_report)

    async def _send(self, message: SigninState | CredentialSealed) -> None:
        """Send if there is a link: what matters is said again when the next one comes."""
        if self._link is None:
            return
        try:
            await self._link.send(message)
        except (OSError, WireError) as error:
            log.warning("could not tell the controller: %s", type(error).__name__)


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("the sign-in broke: %s", type(task.exception()).__name__)
