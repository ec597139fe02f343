"""The supervisor's hands: carries out what Supervisor decides, and hears what the controller says."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from transom_guest.desktop import browser, density, display, programs, sound
from transom_guest.desktop.shell import write_session
from transom_guest.desktop.urls import BLANK, UrlRefused
from transom_guest.events import (
    Begin,
    Broken,
    Claimed,
    Command,
    DesktopUp,
    Died,
    DisplayUp,
    Due,
    Event,
    GiveUp,
    Go,
    Log,
    Painted,
    Relinked,
    Say,
    Settled,
    Start,
    Started,
    StartLater,
)
from transom_guest.files.folder import FOLDER
from transom_guest.identity import IdentityError, Taker
from transom_guest.link import Link, LinkError, redial, write_link_token
from transom_guest.processes import Children, no_noise
from transom_guest.signin_pages import install as signin_pages
from transom_guest.standby import Leash
from transom_guest.supervise import Supervisor
from transom_guest.wishes import Wishes
from transom_wire.link import Identity, Park

WATCH_AGAIN = 0.5
"""Seconds before the painted check is started again after it failed."""
log = logging.getLogger("transom.boot")


class Machine:
    """One machine's life inside it."""

    def __init__(self, link: Link, token: str, environment: dict[str, str], taker: Taker) -> None:
        """`token` is the boot's, for the keeper that answers after a Park."""
        welcome = link.welcome
        self._link, self._token, self._taker = link, token, taker
        self._environment = environment
        self._shown, self._url = welcome.program, welcome.start_url or BLANK
        self._size = display.fitted(welcome.width or 0, welcome.height or 0)
        plan = programs.programs(self._shown, clones=taker.clones, beside=programs.beside(environment))
        self._supervisor = Supervisor(plan, warm=welcome.warm)
        self._children = Children(lambda name, how: self._on(Died(name, how)))
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._wishes = Wishes(environment)
        self._background: set[asyncio.Task[None]] = set()
        self._leashes: dict[str, Leash] = {}
        self._identity: Identity | None = None

    async def run(self) -> str:
        """Live until the link is over or the machine is given up; return why."""
        self._on(Begin())
        listening = asyncio.create_task(self._listen())
        acting = asyncio.create_task(self._act())
        try:
            done, _ = await asyncio.wait([listening, acting], return_when=asyncio.FIRST_COMPLETED)
            return next(iter(done)).result()
        finally:
            tasks = [listening, acting, *self._background]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._wishes.close()
            await self._children.stop()
            for leash in self._leashes.values():
                leash.close()

    async def close(self) -> None:
        """Close the link there is now."""
        await self._link.close()

    def _on(self, event: Event) -> None:
        self._events.put_nowait(event)

    async def _act(self) -> str:
        loop = asyncio.get_running_loop()
        while True:
            event = await self._events.get()
            for command in self._supervisor.on(event, loop.time()):
                if isinstance(command, GiveUp):
                    return command.reason
                await self._carry_out(command)

    async def _carry_out(self, command: Command) -> None:
        match command:
            case Start(name, waits):
                await self._start(name, waits=waits)
            case Go(name):
                self._leashes[name].go({"SESSION_ID": self._environment["SESSION_ID"]})
            case StartLater(name, delay):
                asyncio.get_running_loop().call_later(delay, self._on, Due(name))
            case Say(message):
                with contextlib.suppress(LinkError):
                    await self._link.send(message)
            case Log(text):
                log.info("%s", text)

    async def _start(self, name: str, *, waits: bool) -> None:
        if name == "browser":
            profile = browser.profile(self._environment)
            browser.prepare(profile)
            browser.download_to(profile, Path(self._environment["HOME"]) / FOLDER)
            signin_pages.prepare(self._environment, profile, self._link.welcome.signin_pages)
        with contextlib.suppress(OSError):
            if name == "display":
                display.prepare(self._environment, self._size)
            elif name == "sound":
                sound.prepare(self._environment)
            elif name == "density":
                density.prepare(self._environment)
        if not await self._started(name, waits=waits):
            return
        self._on(Started(name))
        if name == "display":
            self._spawn(self._await_display())
        if name == "browser":
            self._wishes.browser_runs()

    async def _started(self, name: str, *, waits: bool) -> bool:
        if name not in programs.SERVICES:
            argv = programs.command(
                name, self._environment, self._size, self._url, again=self._supervisor.ready
            )
            noise = display.is_chatter if name == "display" else no_noise
            return await self._children.start(name, argv, self._environment, quiet=True, noise=noise)
        warm = self._supervisor.warm
        argv = programs.service(name, warm=warm, waits=waits)
        if not warm:
            return await self._children.start(name, argv, self._environment, quiet=False)
        with self._leash(name) as theirs:
            return await self._children.start(name, argv, self._environment, quiet=False, stdin=theirs)

    @contextlib.contextmanager
    def _leash(self, name: str) -> Any:
        older = self._leashes.pop(name, None)
        if older is not None:
            older.close()
        leash = self._leashes[name] = Leash(lambda: self._on(Settled(name)))
        try:
            yield leash.theirs
        finally:
            leash.theirs.close()

    async def _await_display(self) -> None:
        try:
            await display.wait_up(self._environment["DISPLAY"])
        except display.DisplayError as error:
            self._on(Died("display", str(error)))
        else:
            self._on(DisplayUp())
            self._spawn(self._watch_paint())

    async def _watch_paint(self) -> None:
        while True:
            try:
                if await self._paint_seen():
                    return
            except OSError as error:
                log.warning("the painted check cannot be run: %s", error)
            await asyncio.sleep(WATCH_AGAIN)

    async def _paint_seen(self) -> bool:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "transom_guest.desktop.painted", self._shown),
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            assert process.stdout
            async for line in process.stdout:
                self._seen(line.decode(errors="replace").split())
            return await process.wait() == 0
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()

    def _seen(self, words: list[str]) -> None:
        match words:
            case ["desktop"]:
                self._on(DesktopUp())
            case ["painted", width, height]:
                self._on(Painted(int(width), int(height)))

    async def _listen(self) -> str:
        while await self._obey():
            await self._link.close()
            self._link = await redial(self._token)
            if not self._link.welcome.warm:
                raise LinkError("the keeper that answered wants no warm machine")
            write_link_token(self._link.welcome.link_token or "")
            self._on(Relinked())
        return f"the link is over: {self._link.reason}"

    async def _obey(self) -> bool:
        """Do what is asked until the link is over; True when it was asked to let go of it."""
        async for message in self._link.messages():
            match message:
                case Park() if self._supervisor.warm and self._identity is None:
                    return True
                case Identity() if self._supervisor.warm and self._identity is None:
                    self._identity = message
                    self._spawn(self._claim(message))
                case Park() | Identity():
                    log.warning("refused %s: this machine is a session's", type(message).__name__)
                case _:
                    self._wishes.take(message, self._link.welcome.link_token or "")
        return False

    async def _claim(self, identity: Identity) -> None:
        """Become the session's: random numbers first, then everything that uses them."""
        try:
            await self._taker.take(identity)
            write_session(identity.session, self._environment)
        except (IdentityError, OSError) as error:
            self._on(Broken(f"no identity: {error}"))
            return
        for environment in (self._environment, os.environ):
            environment["SESSION_ID"] = identity.session
        self._url = identity.start_url
        await self._resize(identity.width, identity.height)
        if self._shown == "browser" and not self._taker.clones and self._url != BLANK:
            await self._browse(self._url)
        self._on(Claimed(*self._size))

    async def _resize(self, width: int, height: int) -> None:
        if display.fitted(width, height) == self._size:
            return
        try:
            self._size = await display.set_size(width, height)
        except (display.DisplayError, OSError) as error:
            log.warning("the desktop keeps its size: %s", error)

    async def _browse(self, url: str) -> None:
        """In the browser that runs; a start page that does not open is no reason to have no desktop."""
        try:
            await browser.open_url(url, self._environment)
        except (UrlRefused, OSError) as error:
            log.warning("the start page was not opened: %s", error or "no answer in time")

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
