"""What happens to a session's viewers, and what is to be done about it. `now` is milliseconds of a
steady clock: were it the host's, one step of it would make everybody silent at once."""

from __future__ import annotations

from dataclasses import dataclass

from transom.model.seat import Person


@dataclass(frozen=True, slots=True)
class Came:
    """Something was heard of a viewer, perhaps for the first time."""

    peer: str
    person: Person
    now: int


@dataclass(frozen=True, slots=True)
class Looked:
    """Somebody tries whether a connection comes about: it has a picture for a moment, and no seat."""

    peer: str
    person: Person
    now: int


@dataclass(frozen=True, slots=True)
class Cut:
    """A viewer's connection broke."""

    peer: str
    person: Person
    now: int


@dataclass(frozen=True, slots=True)
class Left:
    """A viewer said goodbye."""

    peer: str
    person: Person


@dataclass(frozen=True, slots=True)
class Asked:
    """A viewer would like to drive."""

    peer: str
    person: Person


@dataclass(frozen=True, slots=True)
class Given:
    """The driver, or the owner, lets another drive."""

    peer: str
    person: Person
    to: str


@dataclass(frozen=True, slots=True)
class Declined:
    """The driver, or the owner, says no to one who asked."""

    peer: str
    person: Person
    to: str


@dataclass(frozen=True, slots=True)
class Taken:
    """The owner drives from this viewer now."""

    peer: str
    person: Person


@dataclass(frozen=True, slots=True)
class LinkOver:
    """A link lets nobody in any more."""

    link: str
    why: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passes. `date`: Unix milliseconds, in which links end."""

    now: int
    date: int


Event = Came | Looked | Cut | Left | Asked | Given | Declined | Taken | LinkOver | Tick


@dataclass(frozen=True, slots=True)
class Drive:
    """Tell the guest whether this viewer's input is taken."""

    peer: str
    drives: bool


@dataclass(frozen=True, slots=True)
class End:
    """End this viewer's picture."""

    peer: str
    why: str
    final: bool = True
    """False: it left by itself, and what it offers when it comes back is not meant."""


Command = Drive | End
