"""What a sign-in does next: events in, commands out, no I/O.

The URL the tool hands to a browser is better than the one it prints (the printed one may be for pasting a
code by hand), so a printed URL waits a moment for an opened one. A sign-in is done when the controller has
stored what was sealed, never before; what the tool saves later is sealed again under the next serial.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from transom_guest.signin import events as e
from transom_guest.signin.credential import Holding
from transom_guest.signin.events import Command, Event, Stage, Timer
from transom_guest.signin.words import MAX_CODE, Pattern, clean_message, is_web_url
from transom_wire.link import SigninSpec

OPEN_PRINTED_AFTER = 1.5
"""Seconds a printed URL waits for the tool to open a browser itself; seen to take under 0.3 s."""
LAST_LOOK_AFTER = 1.0
"""Seconds between the tool's end and the last look; longer than the watch needs to settle."""
DONE_LOOK_AFTER = 5.0
"""The same, for a tool that says it is done and goes on running."""
SEND_AGAIN_FIRST, SEND_AGAIN_LAST = 5.0, 60.0
"""Seconds between sends of an unanswered credential; doubles."""
GRACE = 3.0
"""Seconds a tool may go on once its credential is stored."""
MAX_OPENED = 5
"""Browser pages one tool may ask for; a tool that loops must not bury the desktop."""
MAX_SERIAL = 10**6


class Flow:
    """One sign-in. Call `begin` once, then `handle` for each event, and do the commands in order."""

    def __init__(
        self, spec: SigninSpec, *, serial: int = 0, digest: str = "", stage: Stage = Stage.STARTING
    ) -> None:
        """What an earlier agent remembered of this same flow; `stage` is SAVING or DONE if it got that far."""
        self.stage = stage
        self._spec = spec
        self._serial = serial
        self._stored = digest
        self._newest = 0
        self._pending: Holding | None = None
        self._pause = SEND_AGAIN_FIRST
        self._url_pattern, self._code_pattern = Pattern(spec.url_pattern), Pattern(spec.code_pattern)
        self._done_pattern, self._failed_pattern = Pattern(spec.done_pattern), Pattern(spec.failed_pattern)
        self._answers = [(Pattern(prompt), keys) for prompt, keys in spec.answers.items()]
        self._url: str | None = None
        self._printed: str | None = None
        self._code: str | None = None
        self._opened = 0
        self._message = self._last_line = ""
        self._succeeded = False
        self._handlers: dict[type, Callable[[Any], list[Command]]] = {
            e.CompanionUp: self._companion_up,
            e.Broken: lambda event: self._fail(event.reason),
            e.Output: self._output,
            e.Opened: self._browser_wanted,
            e.Exited: self._exited,
            e.Found: self._found,
            e.NothingFound: self._nothing_found,
            e.Stored: self._answered,
            e.Elapsed: self._elapsed,
            e.CancelAsked: lambda _: self._cancel(),
        }

    @property
    def secured(self) -> bool:
        """True once the credential is sealed or stored: the user's part is over."""
        return self.stage in (Stage.SAVING, Stage.DONE)

    def begin(self) -> list[Command]:
        """The first commands; a flow that needs its tool no longer only watches."""
        if self.secured:
            return [self._tell()]
        first: Command = e.StartCompanion() if self._spec.companion else e.StartTool()
        return [
            e.Remember(self._serial, self._stored, False),
            self._tell(),
            e.SetTimer(Timer.TIMEOUT, self._spec.timeout_s),
            first,
        ]

    def handle(self, event: Event) -> list[Command]:
        """What to do about `event`."""
        return self._handlers[type(event)](event)

    def tell(self) -> list[Command]:
        """Say again where things are: the controller asked, or the link is new."""
        return [self._tell(), e.SendAgain()] if self._pending else [self._tell()]

    def _tell(self) -> e.Tell:
        if self.secured or self.stage.over:  # nobody should follow a spent link
            return e.Tell(self.stage, None, None, self._message)
        return e.Tell(self.stage, self._url or self._printed, self._code, self._message)

    def _companion_up(self, _: e.CompanionUp) -> list[Command]:
        return [e.StartTool()] if self.stage is Stage.STARTING else []

    def _output(self, event: e.Output) -> list[Command]:
        if self.stage.over:
            return []
        commands: list[Command] = []
        for line in event.lines:
            commands += self._read(line)
        if event.partial:
            commands += self._answer(event.partial)
        return commands

    def _read(self, line: str) -> list[Command]:
        if self.stage.over:
            return []
        self._last_line = clean_message(line) or self._last_line
        failed = None if self.secured else self._failed_pattern.find(line)
        if failed is not None:
            return self._fail(clean_message(failed) or self._last_line)
        commands = [*self._answer(line), *self._notice(line)]
        if not self.secured and not self._succeeded and self._done_pattern.find(line) is not None:
            self._succeeded = True
            commands.append(e.SetTimer(Timer.LAST_LOOK, DONE_LOOK_AFTER))
        return commands

    def _answer(self, line: str) -> list[Command]:
        for number, (prompt, keys) in enumerate(self._answers):
            if prompt.find(line) is not None:
                del self._answers[number]
                return [e.Type(keys)]
        return []

    def _notice(self, line: str) -> list[Command]:
        """Take the URL and the code out of a line, each the first time it is seen."""
        if self.secured:
            return []
        commands: list[Command] = []
        url = self._url_pattern.find(line)
        if url and self._printed is None and is_web_url(url):
            self._printed = url
            if self._url is None:
                commands.append(e.SetTimer(Timer.OPEN_PRINTED, OPEN_PRINTED_AFTER))
        code = self._code_pattern.find(line)
        if code and self._code is None and len(code) <= MAX_CODE:
            self._code = code
            if self._url or self._printed or not self._spec.url_pattern:
                commands += self._wait()
        return commands

    def _wait(self) -> list[Command]:
        self.stage = Stage.WAITING
        return [self._tell()]

    def _browser_wanted(self, event: e.Opened) -> list[Command]:
        if self.stage.over or self._opened >= MAX_OPENED or not is_web_url(event.url):
            return []
        self._opened += 1
        if self.secured:
            return [e.OpenBrowser(event.url)]
        self._url = event.url
        return [e.OpenBrowser(event.url), *self._wait()]

    def _exited(self, event: e.Exited) -> list[Command]:
        self._succeeded = self._succeeded or event.code == 0
        return [] if self.stage.over else [e.SetTimer(Timer.LAST_LOOK, LAST_LOOK_AFTER)]

    def _found(self, event: e.Found) -> list[Command]:
        holding = event.holding
        if self.stage in (Stage.FAILED, Stage.CANCELLED) or self._is_old(holding):
            return []
        if not event.changed and not self._succeeded:
            return self._nothing_found(e.NothingFound(""))
        self._serial += 1
        if self._serial > MAX_SERIAL:
            return [e.StopWatching()]
        self._pending, self._newest, self._pause = holding, holding.newest, SEND_AGAIN_FIRST
        commands: list[Command] = [
            e.Remember(self._serial, self._stored, self.stage is Stage.DONE),
            e.Seal(self._serial, holding),
            e.SetTimer(Timer.SEND_AGAIN, self._pause),
        ]
        if self.stage is not Stage.DONE:
            self.stage, self._message = Stage.SAVING, ""
            commands.insert(1, self._tell())
        return commands

    def _is_old(self, holding: Holding) -> bool:
        held = self._pending.digest if self._pending else self._stored
        return holding.digest == held or holding.newest < self._newest

    def _nothing_found(self, event: e.NothingFound) -> list[Command]:
        if self.secured:
            return []
        return self._fail(self._last_line or event.reason or "the tool ended and left no sign-in behind")

    def _answered(self, event: e.Stored) -> list[Command]:
        if self._pending is None or event.serial != self._serial:
            return []
        digest, self._pending = self._pending.digest, None
        if not event.accepted:
            reason = clean_message(event.reason) or "the vault refused the credential"
            return [e.StopWatching()] if self.stage is Stage.DONE else self._end(Stage.FAILED, reason)
        self._stored = digest
        commands: list[Command] = [e.Remember(self._serial, digest, True)]
        if self.stage is Stage.SAVING:
            self.stage = Stage.DONE
            commands += [self._tell(), e.EndTool(GRACE)]
        return commands

    def _elapsed(self, event: e.Elapsed) -> list[Command]:
        if event.timer is Timer.SEND_AGAIN:
            return self._send_again()
        if self.stage.over or self.secured:
            return []
        if event.timer is Timer.OPEN_PRINTED:
            return self._open_printed()
        if event.timer is Timer.LAST_LOOK:
            return [e.LastLook()]
        return self._fail(f"not finished within {round(self._spec.timeout_s / 60)} minutes")

    def _send_again(self) -> list[Command]:
        if self._pending is None:
            return []
        self._pause = min(self._pause * 2, SEND_AGAIN_LAST)
        return [e.SendAgain(), e.SetTimer(Timer.SEND_AGAIN, self._pause)]

    def _open_printed(self) -> list[Command]:
        if self._url is not None or self._printed is None:
            return []
        self._url = self._printed
        return [e.OpenBrowser(self._printed), *self._wait()]

    def _fail(self, reason: str) -> list[Command]:
        return [] if self.stage.over or self.secured else self._end(Stage.FAILED, reason)

    def _cancel(self) -> list[Command]:
        return [self._tell()] if self.stage.over else self._end(Stage.CANCELLED, "")

    def _end(self, stage: Stage, message: str) -> list[Command]:
        self.stage, self._message, self._pending = stage, message, None
        return [self._tell(), e.EndTool(0), e.StopWatching()]
