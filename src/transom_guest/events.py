"""What can happen to a machine's programs, and what the supervisor can decide. Values only."""

from __future__ import annotations

from dataclasses import dataclass

from transom_wire.link import GuestMessage


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
    """The program's window shows something; the desktop's size in pixels."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Settled:
    """A service says that it has done all it can do before a claim."""

    name: str


@dataclass(frozen=True, slots=True)
class Claimed:
    """The identity is taken; the desktop's size in pixels."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Relinked:
    """Another keeper answers, perhaps a clone's: it knows nothing yet."""


@dataclass(frozen=True, slots=True)
class Broken:
    """Something without which the machine is of no use has failed."""

    reason: str


Event = Begin | Started | Died | Due | DisplayUp | DesktopUp | Painted | Settled | Claimed | Relinked | Broken


@dataclass(frozen=True, slots=True)
class Start:
    name: str
    waits: bool = False
    """Only load, say so, and wait for Go."""


@dataclass(frozen=True, slots=True)
class Go:
    """Tell a program that waits to go on."""

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


Command = Start | Go | StartLater | Say | Log | GiveUp
