"""The guest's first program of its own: `python3 -m transom_guest.boot`, boot token on standard input.

Dials the link, starts display, browser, window manager and the two services, says what was reached, and
does what the controller asks. It ends when the link does: a machine without a keeper has no purpose.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from transom_guest import vnc
from transom_guest.desktop import browser, display, session
from transom_guest.desktop.urls import UrlRefused
from transom_guest.environment import desktop_environment
from transom_guest.link import Link, LinkError
from transom_guest.processes import Children, no_noise
from transom_guest.supervise import (
    Begin,
    Command,
    DesktopUp,
    Died,
    DisplayUp,
    Due,
    Event,
    GiveUp,
    Log,
    Painted,
    Program,
    Say,
    Start,
    Started,
    StartLater,
    Supervisor,
)
from transom_wire.link import Fatal, OpenStream, OpenUrl, SetScreen, ToGuestMessage, Welcome

PROGRAMS = (
    Program("display", vital=True),
    Program("browser", needed=True),
    Program("desktop", needed=True),
    Program("webrtc", service=True),
    Program("signin", service=True),
)
SERVICES = {"webrtc": "transom_guest.stream", "signin": "transom_guest.signin"}
QUIET = ("display", "browser", "desktop")
STREAMS = 16
"""Raw streams at once; more are not opened."""
WISHES = 16
"""URLs and sizes that may wait at once; more are dropped."""
WATCH_AGAIN = 0.5
"""Seconds before the painted check is started again after it failed."""
TOKEN_LIMIT = 200
log = logging.getLogger("transom.boot")


class Boot:
    """The supervisor's hands: carries out what Supervisor decides, and what the controller asks."""

    def __init__(self, link: Link, environment: dict[str, str]) -> None:
        self._link, self._environment = link, environment
        self._welcome = checked_welcome(link.welcome)
        self._size = display.fitted(self._welcome.width or 0, self._welcome.height or 0)
        self._supervisor = Supervisor(PROGRAMS)
        self._children = Children(lambda name, how: self._on(Died(name, how)))
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._streams: set[asyncio.Task[None]] = set()
        self._wishes: set[asyncio.Task[None]] = set()
        self._background: set[asyncio.Task[None]] = set()
        self._browsing = asyncio.Event()

    async def run(self) -> str:
        """Live until the link is over or the machine is given up; return why."""
        self._on(Begin())
        listening = asyncio.create_task(self._listen())
        acting = asyncio.create_task(self._act())
        try:
            done, _ = await asyncio.wait([listening, acting], return_when=asyncio.FIRST_COMPLETED)
            return next(iter(done)).result()
        finally:
            tasks = [listening, acting, *self._streams, *self._wishes, *self._background]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._children.stop()

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
            case Start(name):
                await self._start(name)
            case StartLater(name, delay):
                asyncio.get_running_loop().call_later(delay, self._on, Due(name))
            case Say(message):
                with contextlib.suppress(LinkError):
                    await self._link.send(message)
            case Log(text):
                log.info("%s", text)

    async def _start(self, name: str) -> None:
        if name == "browser":
            browser.prepare(browser.profile(self._environment))
        noise = display.is_chatter if name == "display" else no_noise
        argv, quiet = self._argv(name), name in QUIET
        if not await self._children.start(name, argv, self._environment, quiet=quiet, noise=noise):
            return
        self._on(Started(name))
        if name == "display":
            self._spawn(self._background, self._await_display())
        if name == "browser":
            self._browsing.set()

    def _argv(self, name: str) -> list[str]:
        width, height = self._size
        match name:
            case "display":
                socket = self._environment["TRANSOM_VNC_SOCKET"]
                return display.command(self._environment["DISPLAY"], width, height, socket)
            case "browser":
                url = self._welcome.start_url or ""
                return browser.command(url, width, height, again=self._supervisor.ready)
            case "desktop":
                return session.command()
            case _:
                return [sys.executable, "-m", SERVICES[name]]

    async def _await_display(self) -> None:
        try:
            await display.wait_up(self._environment["DISPLAY"])
        except display.DisplayError as error:
            self._on(Died("display", str(error)))
        else:
            self._on(DisplayUp())
            self._spawn(self._background, self._watch_paint())

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
            *(sys.executable, "-m", "transom_guest.desktop.painted"),
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
        async for message in self._link.messages():
            self._asked(message)
        return f"the link is over: {self._link.reason}"

    def _asked(self, message: ToGuestMessage) -> None:
        match message:
            case OpenStream(stream=stream) if len(self._streams) < STREAMS:
                self._spawn(self._streams, self._open_stream(stream))
            case SetScreen(width, height) if len(self._wishes) < WISHES:
                self._spawn(self._wishes, self._set_screen(width, height))
            case OpenUrl(url) if len(self._wishes) < WISHES:
                self._spawn(self._wishes, self._open_url(url))
            case _:
                log.warning("dropped %s: too many at once", type(message).__name__)

    async def _open_stream(self, stream: str) -> None:
        token = self._welcome.link_token or ""
        try:
            await vnc.serve_stream(token, stream, self._environment["TRANSOM_VNC_SOCKET"])
        except OSError as error:
            log.warning("a stream could not be opened: %s", error)

    async def _set_screen(self, width: int, height: int) -> None:
        try:
            await display.set_size(width, height)
        except (display.DisplayError, OSError) as error:
            log.warning("the desktop keeps its size: %s", error)

    async def _open_url(self, url: str) -> None:
        await self._browsing.wait()
        try:
            await browser.open_url(url, self._environment)
        except (UrlRefused, OSError) as error:
            log.warning("a URL was not opened: %s", error or "no answer in time")

    def _spawn(self, where: set[asyncio.Task[None]], work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        where.add(task)
        task.add_done_callback(where.discard)


def checked_welcome(welcome: Welcome) -> Welcome:
    """The Welcome for role boot, with everything in it. Raises LinkError."""
    wanted = (welcome.link_token, welcome.session, welcome.width, welcome.height, welcome.forwarder_port)
    if any(item is None for item in wanted):
        raise LinkError("the keeper's Welcome lacks a setting of the machine")
    return welcome


def write_token(path: Path, token: str) -> None:
    """Leave the link token for the other guest processes, readable by this user only."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(token)
    fresh.replace(path)


def make_folders(environment: dict[str, str]) -> None:
    """The folders that display and session expect and that init may not have made."""
    display.x_socket(environment["DISPLAY"]).parent.mkdir(mode=0o1777, parents=True, exist_ok=True)
    for folder in (environment["XDG_RUNTIME_DIR"], str(Path(environment["TRANSOM_VNC_SOCKET"]).parent)):
        Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    Path(environment["HOME"]).mkdir(parents=True, exist_ok=True)


async def boot(token: str) -> str:
    """Boot with the one-use `token` and supervise; return why the machine is over. Raises LinkError."""
    link = await Link.dial("boot", token)
    try:
        welcome = checked_welcome(link.welcome)
        environment = desktop_environment(welcome.session or "", welcome.forwarder_port or 0, os.environ)
        os.environ.update(environment)  # xrandr and what the link client reads
        make_folders(environment)
        write_token(Path(environment["TRANSOM_LINK_TOKEN_FILE"]), welcome.link_token or "")
        task = asyncio.current_task()
        assert task
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await Boot(link, environment).run()
    except OSError as error:
        with contextlib.suppress(OSError):
            await link.send(Fatal(reason=f"boot failed: {error}"[:500]))
        raise
    finally:
        await link.close()


def main() -> None:
    """Read the token, boot, and end with status 1: a machine that could go on would still run."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    token = sys.stdin.readline(TOKEN_LIMIT).strip()
    try:
        reason = asyncio.run(boot(token))
    except asyncio.CancelledError:
        reason = "stopped"
    except (OSError, ValueError) as error:
        reason = str(error)
    log.error("the machine is over: %s", reason)
    sys.exit(1)


if __name__ == "__main__":
    main()
