"""What to start, and what to do when something dies: events in, commands out, no I/O.

The display server is vital: without it the machine is over. Everything else returns alone, sooner or
later according to how long it lived. Ready is said once, when the program's window has painted under a
window manager.

A warm machine says `parked` instead when everything that may run before its claim has settled, and Ready
after the claim. Programs that are `late` start with the claim; those that `wait` are loaded and told to go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

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
from transom_wire.link import Fatal, Progress, Ready, ServiceState

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
    late: bool = False
    """On a warm machine it starts with the claim: it draws random numbers, and the machine may be cloned."""
    waits: bool = False
    """On a warm machine it is loaded and waits; it goes on with the claim."""


@dataclass(slots=True)
class _Life:
    """One program's life so far."""

    restarts: int = 0
    row: int = 0
    """Deaths in a row."""
    since: float | None = None
    """When it last started; None while it does not run."""
    waits: bool = False
    """It was last started only to wait, and has not been told to go on."""
    settled: bool = False


@dataclass(slots=True)
class Supervisor:
    """Holds what has happened; `on` says what to do next. The first program is the display server."""

    programs: Sequence[Program]
    warm: bool = False
    """It waits for a claim; False from the claim on."""
    lives: dict[str, _Life] = field(default_factory=dict)
    stages: dict[str, None] = field(default_factory=dict)
    """Reached, in their order."""
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
                return [*self._stage("desktop"), *self._whole()]
            case Painted():
                self.painted = event
                return self._whole()
            case Started(name):
                return self._started(self._program(name), now)
            case Died(name, how):
                return self._died(self._program(name), how, now)
            case Due(name):
                return [self._start(self._program(name))]
            case _:
                return self._of_claim(event)

    def _of_claim(self, event: Event) -> list[Command]:
        match event:
            case Settled(name):
                self.lives.setdefault(name, _Life()).settled = True
                return self._whole()
            case Claimed():
                return self._claimed(event)
            case Relinked():
                return [Say(Progress(stage=stage)) for stage in self.stages]
            case Broken(reason):
                return self._give_up(reason)
        return []

    def _program(self, name: str) -> Program:
        return next(program for program in self.programs if program.name == name)

    def _start(self, program: Program) -> Command:
        life = self.lives.setdefault(program.name, _Life())
        life.waits, life.settled = self.warm and program.waits, False
        return Start(program.name, waits=life.waits)

    def _display_up(self) -> list[Command]:
        if "display" in self.stages:
            return []
        now = [program for program in self.programs[1:] if not (self.warm and program.late)]
        return [*self._stage("display"), *(self._start(program) for program in now)]

    def _stage(self, name: str) -> list[Command]:
        if name in self.stages:
            return []
        self.stages[name] = None
        return [Say(Progress(stage=name))]

    def _whole(self) -> list[Command]:
        """Ready, or parked, when nothing is missing."""
        if "desktop" not in self.stages or self.ready:
            return []
        if self.warm:
            return self._stage("parked") if self._settled() else []
        if self.painted is None:
            return []
        self.ready = True
        return [Say(Ready(width=self.painted.width, height=self.painted.height))]

    def _settled(self) -> bool:
        early = [program for program in self.programs if program.needed and not program.late]
        shown = self.painted is not None or [program.name for program in early] == ["desktop"]
        services = [program.name for program in self.programs if program.service]
        return shown and all(name in self.lives and self.lives[name].settled for name in services)

    def _claimed(self, claim: Claimed) -> list[Command]:
        if not self.warm:
            return []
        self.warm = False
        if self.painted is not None:
            self.painted = Painted(claim.width, claim.height)
        found: list[Command] = []
        for program in self.programs:
            life = self.lives.get(program.name)
            if life is not None and life.since is not None:
                found += self._goes_on(program, life)
        late = [self._start(program) for program in self.programs if program.late]
        return [*found, *late, *self._stage("claimed"), *self._whole()]

    def _started(self, program: Program, now: float) -> list[Command]:
        life = self.lives.setdefault(program.name, _Life())
        life.since = now
        if not life.waits:
            return self._runs(program, life)
        if self.warm:
            return [Log(f"[SUPERVISOR] {program.name} waits")]
        return self._goes_on(program, life)

    def _goes_on(self, program: Program, life: _Life) -> list[Command]:
        if not life.waits:
            return []
        life.waits = False
        return [Go(program.name), *self._runs(program, life)]

    def _runs(self, program: Program, life: _Life) -> list[Command]:
        found: list[Command] = [Log(f"[SUPERVISOR] {program.name} started")]
        if program.service:
            found.append(_service_state(program, "started", life))
        if program.name == "browser":
            found += self._stage("browser")
        return found

    def _died(self, program: Program, how: str, now: float) -> list[Command]:
        life = self.lives.setdefault(program.name, _Life())
        life.row = 1 if life.since is not None and now - life.since >= LIVED else life.row + 1
        life.since, life.settled, life.waits = None, False, False
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
