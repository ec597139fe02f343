"""The nouns of a sign-in: what can happen to it (events), and what it may ask for (commands)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from transom_guest.signin.credential import Holding


class Stage(StrEnum):
    """How a sign-in fares, in the words of transom_wire.link.SigninState."""

    STARTING = "starting"
    WAITING = "waiting"
    SAVING = "saving"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def over(self) -> bool:
        """True when the tool is no longer needed."""
        return self in (Stage.DONE, Stage.FAILED, Stage.CANCELLED)


class Timer(StrEnum):
    """The clocks a flow may set; setting one again replaces it."""

    TIMEOUT = "timeout"
    """The user had all the time there is."""
    OPEN_PRINTED = "open_printed"
    """The tool printed a URL and has not opened a browser itself."""
    LAST_LOOK = "last_look"
    """The tool ended; its files have had time to settle."""
    SEND_AGAIN = "send_again"
    """What was sealed has not been answered."""


# --- events ---


@dataclass(frozen=True, slots=True)
class CompanionUp:
    """The companion's port answers, or there is no companion."""


@dataclass(frozen=True, slots=True)
class Broken:
    """Something the flow needs could not be started, or died."""

    reason: str


@dataclass(frozen=True, slots=True)
class Output:
    """The tool wrote: finished lines, and the line it is on."""

    lines: tuple[str, ...]
    partial: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """The tool asked for a browser."""

    url: str


@dataclass(frozen=True, slots=True)
class Exited:
    """The tool ended; 0 is success, negative a signal."""

    code: int


@dataclass(frozen=True, slots=True)
class Found:
    """Complete credential files. `changed` is False for what was there before the tool ran."""

    holding: Holding
    changed: bool


@dataclass(frozen=True, slots=True)
class NothingFound:
    """The last look found no complete credential."""

    reason: str


@dataclass(frozen=True, slots=True)
class Stored:
    """The controller's word on a serial."""

    serial: int
    accepted: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Elapsed:
    """A timer ran out."""

    timer: Timer


@dataclass(frozen=True, slots=True)
class CancelAsked:
    """The user changed their mind."""


Event = (
    CompanionUp | Broken | Output | Opened | Exited | Found | NothingFound | Stored | Elapsed | CancelAsked
)


# --- commands ---


@dataclass(frozen=True, slots=True)
class StartCompanion:
    """Run the companion and wait for its port."""


@dataclass(frozen=True, slots=True)
class StartTool:
    """Run the tool on a terminal."""


@dataclass(frozen=True, slots=True)
class Type:
    """Type keys into the tool."""

    keys: str


@dataclass(frozen=True, slots=True)
class OpenBrowser:
    """Show a URL in the machine's browser."""

    url: str


@dataclass(frozen=True, slots=True)
class Tell:
    """Tell the controller where the sign-in is."""

    stage: Stage
    url: str | None
    user_code: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Seal:
    """Seal `holding` and send it as `serial`."""

    serial: int
    holding: Holding


@dataclass(frozen=True, slots=True)
class SendAgain:
    """Send what was sealed last once more."""


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Elapsed comes in `seconds`."""

    timer: Timer
    seconds: float


@dataclass(frozen=True, slots=True)
class LastLook:
    """Look at the files now, and answer Found or NothingFound."""


@dataclass(frozen=True, slots=True)
class Remember:
    """Write down what a restarted agent needs: serial, digest of what is stored, whether it is done."""

    serial: int
    digest: str
    done: bool


@dataclass(frozen=True, slots=True)
class EndTool:
    """End tool and companion; they get `grace` seconds to end by themselves."""

    grace: float


@dataclass(frozen=True, slots=True)
class StopWatching:
    """Nothing more will be sealed in this flow."""


Command = (
    StartCompanion
    | StartTool
    | Type
    | OpenBrowser
    | Tell
    | Seal
    | SendAgain
    | SetTimer
    | LastLook
    | Remember
    | EndTool
    | StopWatching
)
