"""One sign-in under way: gives the flow its events, does its commands."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path

from transom_guest.seal import seal_files
from transom_guest.signin import events as e
from transom_guest.signin.credential import Holding, Incomplete
from transom_guest.signin.events import Command, Event, Timer
from transom_guest.signin.flow import Flow
from transom_guest.signin.journal import Journal, Memory
from transom_guest.signin.opener import Opener
from transom_guest.signin.process import Tool, port_answers, tool_environment
from transom_guest.signin.terminal import TerminalText
from transom_guest.signin.watch import ASK_LATER_EVERY, Watch
from transom_wire.link import CredentialSealed, SigninStart, SigninState

MAX_EVENTS = 4096
"""Events that may wait; a tool that floods loses output, not ours."""
Send = Callable[[SigninState | CredentialSealed], Awaitable[None]]
OpenUrl = Callable[[str], Awaitable[None]]
log = logging.getLogger("transom.signin")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sign-in happens: the user's home, our own runtime folder, the browser, the way out."""

    home: Path
    runtime: Path
    open_url: OpenUrl
    send: Send


class Run:
    """A flow with its processes, its watch and its timers. `serve` until cancelled; then all is ended."""

    def __init__(self, start: SigninStart, place: Place, journal: Journal, memory: Memory | None) -> None:
        self.start = start
        self._place, self._journal = place, journal
        self._watch = Watch(place.home, start.spec.files, self._found)
        self._watching: asyncio.Task[None] | None = None
        self._flow = self._remembered(memory) if memory else Flow(start.spec)
        self._events: asyncio.Queue[Event] = asyncio.Queue(MAX_EVENTS)
        self._timers: dict[Timer, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._text = TerminalText()
        self._tool: Tool | None = None
        self._companion: Tool | None = None
        self._opener = Opener(place.runtime / "signin-bin", lambda url: self.put(e.Opened(url)))
        self._sealed: CredentialSealed | None = None

    @property
    def over(self) -> bool:
        """True when this flow needs its processes no longer."""
        return self._flow.stage.over

    def put(self, event: Event) -> None:
        """Something happened."""
        with contextlib.suppress(asyncio.QueueFull):
            self._events.put_nowait(event)

    async def serve(self) -> None:
        """Do what the flow asks until cancelled. Whatever ends this ends the tool and the companion too."""
        try:
            if self._flow.secured:
                self._resume()
            self._watching = self._spawn(self._watch.run())
            for command in self._flow.begin():
                await self._do(command)
            while True:
                event = await self._events.get()
                for command in self._flow.handle(event):
                    await self._do(command)
        finally:
            self._abandon()

    async def tell(self) -> None:
        """Say again where things are."""
        for command in self._flow.tell():
            await self._do(command)

    def _remembered(self, memory: Memory) -> Flow:
        """The flow of an agent that died. What it had sealed is still in the files, so no tool is needed."""
        sealed = memory.serial > 0 and self._watch.first is not None
        stage = e.Stage.DONE if memory.done else e.Stage.SAVING if sealed else e.Stage.STARTING
        return Flow(memory.start.spec, serial=memory.serial, digest=memory.digest, stage=stage)

    def _resume(self) -> None:
        """Only watching is left, and what changed while no agent looked counts as found."""
        self._watch.pause = ASK_LATER_EVERY
        if self._watch.first is not None:
            self._found(self._watch.first)

    async def _do(self, command: Command) -> None:
        match command:
            case e.Tell(stage, url, code, message):
                await self._place.send(SigninState(self.start.flow, stage.value, url, code, message))
            case e.StartCompanion():
                self._spawn(self._start_companion())
            case e.StartTool():
                await self._start_tool()
            case e.Type(keys):
                if self._tool:
                    self._tool.type(keys)
            case e.OpenBrowser(url):
                self._spawn(self._open(url))
            case e.Seal(serial, holding):
                self._sealed = self._seal(serial, holding)
                await self._place.send(self._sealed)
            case e.SendAgain():
                if self._sealed:
                    await self._place.send(self._sealed)
            case e.SetTimer(timer, seconds):
                self._set(timer, seconds)
            case e.LastLook():
                self._last_look()
            case e.Remember(serial, digest, done):
                self._journal.write(Memory(self.start, serial, digest, done))
            case e.EndTool(grace):
                self._watch.pause = ASK_LATER_EVERY
                self._spawn(self._end(grace))
            case e.StopWatching():
                if self._watching:
                    self._watching.cancel()
                self._journal.forget()

    def _found(self, holding: Holding) -> None:
        self.put(e.Found(holding, changed=True))

    def _seal(self, serial: int, holding: Holding) -> CredentialSealed:
        sealed = seal_files(
            holding.files, public_key=self.start.vault_public_key, identity=self.start.identity
        )
        return CredentialSealed(
            flow=self.start.flow,
            serial=serial,
            vault_key_id=self.start.vault_key_id,
            names=tuple(sorted(holding.files)),
            expires_at=holding.expires_at,
            wrapped_key=sealed.wrapped_key,
            nonce=sealed.nonce,
            ciphertext=sealed.ciphertext,
        )

    def _last_look(self) -> None:
        try:
            holding = self._watch.look_now()
        except Incomplete as error:
            self.put(e.NothingFound(str(error)))
        else:
            self.put(e.Found(holding, changed=self._watch.changed(holding)))

    def _environment(self) -> dict[str, str]:
        return tool_environment(
            os.environ,
            self.start.spec.env,
            home=self._place.home,
            opener=self._opener.folder,
            browser=self._opener.browser,
        )

    async def _start_companion(self) -> None:
        spec = self.start.spec
        try:
            self._companion = await Tool.start(spec.companion, self._environment(), self._place.home, None)
        except OSError as error:
            self.put(e.Broken(f"cannot start {spec.companion[0]}: {error.strerror}"))
            return
        companion = self._companion
        if spec.companion_port and not await port_answers(spec.companion_port, lives=lambda: companion.alive):
            self.put(e.Broken(f"the companion of {spec.provider} does not answer"))
            return
        self.put(e.CompanionUp())
        await companion.wait()
        self.put(e.Broken(f"the companion of {spec.provider} ended"))

    async def _start_tool(self) -> None:
        spec = self.start.spec
        try:
            self._opener.start()
            for file in spec.files:  # codex refuses a CODEX_HOME that is not there
                (self._place.home / file.path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._tool = await Tool.start(spec.argv, self._environment(), self._place.home, self._wrote)
        except OSError as error:
            self.put(e.Broken(f"cannot start {spec.argv[0]}: {error.strerror}"))
            return
        self._spawn(self._await_exit(self._tool))

    async def _await_exit(self, tool: Tool) -> None:
        code = await tool.wait()
        if self._text.partial:
            self._wrote(b"\n")
        self.put(e.Exited(code))

    def _wrote(self, data: bytes) -> None:
        """The tool's output is looked at and let go: it is never logged."""
        lines = self._text.feed(data)
        self.put(e.Output(tuple(lines), self._text.partial))

    async def _open(self, url: str) -> None:
        try:
            await self._place.open_url(url)
        except (OSError, ValueError, TimeoutError) as error:
            log.warning("the browser did not open the sign-in page: %s", type(error).__name__)

    def _set(self, timer: Timer, seconds: float) -> None:
        if timer in self._timers:
            self._timers[timer].cancel()
        loop = asyncio.get_running_loop()
        self._timers[timer] = loop.call_later(seconds, self.put, e.Elapsed(timer))

    async def _end(self, grace: float) -> None:
        if self._tool:
            await self._tool.end(grace)
        if self._companion:
            await self._companion.end(0)
        self._opener.stop()

    def _abandon(self) -> None:
        for handle in self._timers.values():
            handle.cancel()
        for task in self._tasks:
            task.cancel()
        for child in (self._tool, self._companion):
            if child:
                child.kill()
        self._opener.stop()

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget_task)
        return task

    def _forget_task(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a part of the sign-in failed: %s", type(task.exception()).__name__)
            self.put(e.Broken("the sign-in agent failed"))
