"""What to start, and what to do when something dies: events in, commands out, no I/O.

The display server is vital: without it the machine is over. Everything else returns alone, sooner or
later according to how long it lived. Ready is said once, when a browser window has painted under a
window manager.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from transom_wire.link import Fatal, GuestMessage, Progress, Ready, ServiceState

FIRST_DELAY, LAST_DELAY = 0.1, 10.0
"""Seconds before a dead program is started again; doubles with each death in a row."""
LIVED = 30.0
"""Seconds a program must live for its next death to count as the first in a row."""
PATIENCE = 6
"""Deaths in a row of a program needed for Ready, before Ready, after which the machine is given up."""
RESTARTS_SHOWN = 10**6
"""The wire's limit for ServiceState.restarts."""


@dataclass(frozen=True, slots=True)
class Program:
    """One program under supervision."""

    name: str
    vital: bool = False
    """Its death is the machine's."""
    service: bool = False
    """Its starts and deaths are told to the controller."""
    needed: bool = False
    """Ready cannot come without it."""


@dataclass(frozen=True, slots=True)
class Begin:
    """The link is up."""


@dataclass(frozen=True, slots=True)
class Started:
    name: str


@dataclass(frozen=True, slots=True)
class Died:
    """It ended, or could not be started; `how` is for the log."""

    name: str
    how: str


@dataclass(frozen=True, slots=True)
class Due:
    """The delay of a StartLater is over."""

    name: str


@dataclass(frozen=True, slots=True)
class DisplayUp:
    """The display server answers."""


@dataclass(frozen=True, slots=True)
class DesktopUp:
    """A window manager manages."""


@dataclass(frozen=True, slots=True)
class Painted:
    """A browser window shows something; the desktop's size in pixels."""

    width: int
    height: int


Event = Begin | Started | Died | Due | DisplayUp | DesktopUp | Painted


@dataclass(frozen=True, slots=True)
class Start:
    name: str


@dataclass(frozen=True, slots=True)
class StartLater:
    name: str
    delay: float
    """Seconds."""


@dataclass(frozen=True, slots=True)
class Say:
    """Send this over the link."""

    message: GuestMessage


@dataclass(frozen=True, slots=True)
class Log:
    text: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The machine is over; Fatal has been said."""

    reason: str


Command = Start | StartLater | Say | Log | GiveUp


@dataclass(slots=True)
class _Life:
    """One program's life so far."""

    restarts: int = 0
    row: int = 0
    """Deaths in a row."""
    since: float | None = None
    """When it last started; None while it does not run."""


@dataclass(slots=True)
class Supervisor:
    """Holds what has happened; `on` says what to do next. The first program is the display server."""

    programs: Sequence[Program]
    lives: dict[str, _Life] = field(default_factory=dict)
    stages: set[str] = field(default_factory=set)
    painted: Painted | None = None
    ready: bool = False
    over: bool = False

    def on(self, event: Event, now: float) -> list[Command]:
        """Take in `event` at `now` (seconds, monotonic); return the commands it leads to, in order."""
        if self.over:
            return []
        match event:
            case Begin():
                return [self._start(self.programs[0])]
            case DisplayUp():
                return self._display_up()
            case DesktopUp():
                return [*self._stage("desktop"), *self._ready()]
            case Painted():
                self.painted = event
                return self._ready()
            case Started(name):
                return self._started(self._program(name), now)
            case Died(name, how):
                return self._died(self._program(name), how, now)
            case Due(name):
                return [self._start(self._program(name))]

    def _program(self, name: str) -> Program:
        return next(program for program in self.programs if program.name == name)

    def _start(self, program: Program) -> Command:
        self.lives.setdefault(program.name, _Life())
        return Start(program.name)

    def _display_up(self) -> list[Command]:
        if "display" in self.stages:
            return []
        return [*self._stage("display"), *(self._start(program) for program in self.programs[1:])]

    def _stage(self, name: str) -> list[Command]:
        if name in self.stages:
            return []
        self.stages.add(name)
        return [Say(Progress(stage=name))]

    def _ready(self) -> list[Command]:
        if self.ready or self.painted is None or "desktop" not in self.stages:
            return []
        self.ready = True
        return [Say(Ready(width=self.painted.width, height=self.painted.height))]

    def _started(self, program: Program, now: float) -> list[Command]:
        life = self.lives.setdefault(program.name, _Life())
        life.since = now
        found: list[Command] = [Log(f"[SUPERVISOR] {program.name} started")]
        if program.service:
            found.append(_service_state(program, "started", life))
        if program.name == "browser":
            found += self._stage("browser")
        return found

    def _died(self, program: Program, how: str, now: float) -> list[Command]:
        life = self.lives.setdefault(program.name, _Life())
        life.row = 1 if life.since is not None and now - life.since >= LIVED else life.row + 1
        life.since = None
        found: list[Command] = [Log(f"[SUPERVISOR] {program.name} died: {how}")]
        if program.service:
            found.append(_service_state(program, "died", life))
        if program.vital or (program.needed and not self.ready and life.row >= PATIENCE):
            return found + self._give_up(f"{program.name} died: {how}")
        life.restarts += 1
        return [*found, StartLater(program.name, min(LAST_DELAY, FIRST_DELAY * 2.0 ** min(life.row - 1, 20)))]

    def _give_up(self, reason: str) -> list[Command]:
        self.over = True
        reason = reason[:500]
        return [Say(Fatal(reason=reason)), GiveUp(reason)]


def _service_state(program: Program, state: str, life: _Life) -> Command:
    return Say(ServiceState(service=program.name, state=state, restarts=min(life.restarts, RESTARTS_SHOWN)))
