"""Whose clipboard goes where: what a viewer may send, what it is sent, and no item twice. Pure.

What came from a viewer is never sent back to it: each viewer's last item, either way, is known by its digest.
Copies made on the desktop are numbered, and a viewer's item says which of them its viewer knew of: one from before
the desktop's last is older than that and not taken, in whatever order they arrive.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from transom_guest.clipboard import frames
from transom_guest.clipboard.frames import Got, Inbox, No, Put, Refused, Whole
from transom_guest.clipboard.item import Item
from transom_wire.link import PeerTerms

LATE = frozenset({"older", "slow"})
"""Reasons for which an item is not taken that are no fault of its sender's."""
KEPT = 30.0
"""Seconds for which a copy is given to a viewer that was here when it was made, and comes by another way."""


@dataclass(frozen=True, slots=True)
class Say:
    """Tell a viewer this."""

    viewer: str
    text: str


@dataclass(frozen=True, slots=True)
class Send:
    """Send a viewer this item."""

    viewer: str
    item: Item
    copies: int


@dataclass(frozen=True, slots=True)
class Own:
    """Make this the desktop's clipboard, then tell the viewer `text`."""

    viewer: str
    item: Item
    text: str


@dataclass(frozen=True, slots=True)
class Settled:
    """A viewer has answered for the item it was sent as `id`."""

    viewer: str
    id: int


Act = Say | Send | Own | Settled


@dataclass(slots=True)
class _Side:
    terms: PeerTerms
    inbox: Inbox
    open: bool = False
    refused: int = 0
    """Items not taken that could be known not to be: too large, none, or of one who may send none."""
    last: bytes = b""
    """Digest of the last item that went either way."""


@dataclass(slots=True)
class _Latest:
    """The desktop's last copy, for viewers whose way to it breaks just then."""

    item: Item
    copies: int
    until: float
    viewers: frozenset[str]


@dataclass(slots=True)
class Counts:
    """For the log and for tests."""

    taken: int = 0
    sent: int = 0
    refused: int = 0


@dataclass(slots=True)
class Exchange:
    """All viewers' sides. `now` is a monotonic time in seconds."""

    counts: Counts = field(default_factory=Counts)
    copies: int = 0
    """How often a program of the desktop has taken the clipboard."""
    _sides: dict[str, _Side] = field(default_factory=dict)
    _latest: _Latest | None = None
    _sent: dict[str, bytes] = field(default_factory=dict)
    """Digest of the last item that a viewer sent, by whichever way, until it is given another."""

    def admit(self, viewer: str, terms: PeerTerms) -> list[Act]:
        """A viewer came, or its terms are others now."""
        side = self._sides.get(viewer)
        if side is None:
            self._sides[viewer] = _Side(terms, Inbox(_limit(terms)))
            return []
        side.terms, side.inbox.limit = terms, _limit(terms)
        if not side.inbox.limit:
            side.inbox.drop()
        return [self._may(viewer, terms)] if side.open else []

    def opened(self, viewer: str, now: float) -> list[Act]:
        """A viewer's channel is open: it learns what goes, and what was copied since its last one broke."""
        side = self._sides.get(viewer)
        if side is None:
            return []
        side.open = True
        acts: list[Act] = [self._may(viewer, side.terms)]
        latest = self._latest
        if (
            latest
            and now < latest.until
            and _name(viewer) in latest.viewers
            and self._wants(viewer, latest.item)
        ):
            side.last = latest.item.digest
            acts.append(Send(viewer, latest.item, latest.copies))
        return acts

    def leave(self, viewer: str) -> None:
        """Forget a viewer that ended."""
        self._sides.pop(viewer, None)
        if all(_name(other) != _name(viewer) for other in self._sides):
            self._sent.pop(_name(viewer), None)

    def wanted(self) -> int:
        """The largest item that any viewer there is may be sent; 0: nobody is to learn of the desktop's."""
        return max((side.terms.clipboard_bytes for side in self._sides.values() if _down(side)), default=0)

    def waiting(self) -> bool:
        """Whether there is anything that `late` will end."""
        return self._latest is not None or any(side.inbox.busy for side in self._sides.values())

    def text(self, viewer: str, text: str, now: float) -> list[Act]:
        """A viewer's text message. Raises FrameError."""
        side = self._sides.get(viewer)
        if side is None:
            return []
        match frames.parse(text):
            case Put() as message:
                refused = side.inbox.announced(message, now)
                if refused is None and message.copies < self.copies:
                    side.inbox.drop()
                    refused = Refused(message.id, "older")
                return self._refuse(viewer, refused)
            case Got(id) | No(id):
                return [Settled(viewer, id)]

    def refused(self, viewer: str) -> int:
        """How many items of a viewer's were not taken, leaving out what came too late: nobody can help that."""
        side = self._sides.get(viewer)
        return side.refused if side is not None else 0

    def ends(self, viewer: str, count: int) -> bool:
        """Whether so many bytes more are all of a viewer's item: then `taken` must know the newest."""
        side = self._sides.get(viewer)
        return side is not None and side.inbox.ends(count)

    def chunk(self, viewer: str, data: bytes, now: float) -> list[Act]:
        """A viewer's binary message. Raises FrameError."""
        side = self._sides.get(viewer)
        if side is None:
            return []
        outcome = side.inbox.chunk(data, now)
        if not isinstance(outcome, Whole):
            return self._refuse(viewer, outcome)
        if outcome.copies < self.copies:
            return self._refuse(viewer, Refused(outcome.id, "older"))
        side.last = self._sent[_name(viewer)] = outcome.item.digest
        self.counts.taken += 1
        return [Own(viewer, outcome.item, frames.got(outcome.id))]

    def taken(self) -> None:
        """A program of the desktop took the clipboard."""
        self.copies += 1
        self._latest = None

    def owned(self) -> list[Act]:
        """It keeps it: who may send must know that theirs is older now."""
        return [
            Say(viewer, frames.copied(self.copies))
            for viewer, side in self._sides.items()
            if side.open and side.inbox.limit
        ]

    def copied(self, item: Item, copies: int, now: float) -> list[Act]:
        """`item` is the desktop's copy of this number."""
        acts: list[Act] = []
        wanting = [viewer for viewer in self._sides if self._wants(viewer, item)]
        for viewer, side in self._sides.items():
            if viewer in wanting:
                side.last = item.digest
                self.counts.sent += 1
                acts.append(Send(viewer, item, copies))
        for viewer in wanting:
            self._sent.pop(_name(viewer), None)
        if copies == self.copies:
            names = frozenset(_name(viewer) for viewer, side in self._sides.items() if _gives(side.terms))
            self._latest = _Latest(item, copies, now + KEPT, names)
        return acts

    def late(self, now: float) -> list[Act]:
        """Give up the transfers that are over their deadline, and what was kept long enough."""
        if self._latest and now >= self._latest.until:
            self._latest = None
        found = [(viewer, side.inbox.late(now)) for viewer, side in self._sides.items()]
        return [act for viewer, refused in found for act in self._refuse(viewer, refused)]

    def _wants(self, viewer: str, item: Item) -> bool:
        side = self._sides[viewer]
        return _takes(side, item) and item.digest not in (side.last, self._sent.get(_name(viewer)))

    def _refuse(self, viewer: str, refused: Refused | None) -> list[Act]:
        if refused is None:
            return []
        self.counts.refused += 1
        if refused.reason not in LATE:
            self._sides[viewer].refused += 1
        return [Say(viewer, frames.no(refused.id, refused.reason))]

    def _may(self, viewer: str, terms: PeerTerms) -> Say:
        up, down = _limit(terms) > 0, _gives(terms)
        limit = terms.clipboard_bytes if up or down else 0
        return Say(viewer, frames.may(up=up, down=down, limit=limit, copies=self.copies))


def _name(viewer: str) -> str:
    """A viewer's own name, by whichever way it is here now."""
    return viewer.partition("/")[0]


def _limit(terms: PeerTerms) -> int:
    return terms.clipboard_bytes if terms.drives and terms.clipboard in ("up", "both") else 0


def _gives(terms: PeerTerms) -> bool:
    return terms.drives and terms.clipboard in ("down", "both") and terms.clipboard_bytes > 0


def _down(side: _Side) -> bool:
    return side.open and _gives(side.terms)


def _takes(side: _Side, item: Item) -> bool:
    return _down(side) and len(item.data) <= side.terms.clipboard_bytes
