"""One session's viewers and their tries at a peer connection: epochs, answers, waiters. No I/O."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from transom.model.errors import Conflict, TooMany

PEERS_LIMIT = 8
"""Viewers of one session at once; each takes two or three of the door's inner sockets."""
SILENT_MS = 60_000
"""A viewer not connected and not heard of for this long may be forgotten for another."""
RETRY_AFTER_S = 5


class Stage(StrEnum):
    """Where one try is."""

    WAITING = "waiting"
    """The guest was not told yet: its stream server is not on the link."""
    SENT = "sent"
    ANSWERED = "answered"
    REFUSED = "refused"
    OVER = "over"


@dataclass(slots=True)
class Refusal:
    """Why there will be no answer."""

    code: str
    message: str


@dataclass(slots=True)
class Peer:
    """The newest try of one viewer."""

    name: str
    epoch: int
    sdp: str
    """The offer, candidates stripped."""
    viewer_ufrag: str
    offered_at: int
    deadline: int
    """Unix milliseconds: without an answer by then it is refused."""
    stage: Stage = Stage.WAITING
    answer: str | None = None
    registered: bool = False
    """The door knows this peer."""
    connection: str = "new"
    """What the guest says of it, in the words of RTCPeerConnection.connectionState."""
    refusal: Refusal | None = None
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once there is an answer, a refusal or a newer epoch."""

    @property
    def pending(self) -> bool:
        """The guest still owes an answer."""
        return self.stage in (Stage.WAITING, Stage.SENT)


class Peers:
    """Viewer name -> its newest try."""

    def __init__(self) -> None:
        self._peers: dict[str, Peer] = {}

    def __iter__(self) -> Iterator[Peer]:
        return iter(list(self._peers.values()))

    def get(self, name: str) -> Peer | None:
        """The viewer's newest try."""
        return self._peers.get(name)

    def current(self, name: str, epoch: int) -> Peer:
        """The viewer's try `epoch`. Raises Conflict: `stale_epoch`, or `no_offer` when none is known."""
        peer = self._peers.get(name)
        if peer is None or peer.epoch < epoch:
            raise Conflict("no such offer is known here: offer with a higher epoch", code="no_offer")
        if peer.epoch > epoch:
            raise Conflict("a newer epoch of this peer is under way", code="stale_epoch")
        return peer

    def same_or_newer(self, name: str, epoch: int, sdp: str) -> Peer | None:
        """The try itself when this offer is a repetition; None when it is new. Raises Conflict."""
        peer = self._peers.get(name)
        if peer is None or peer.epoch < epoch:
            return None
        if peer.epoch > epoch:
            raise Conflict("a newer epoch of this peer is under way", code="stale_epoch")
        if peer.sdp != sdp:
            raise Conflict("this epoch has another offer already", code="epoch_used")
        return peer

    def put(self, peer: Peer, now: int) -> tuple[Peer | None, list[Peer]]:
        """Take a new try; returns the one it replaces, and others forgotten for room. Raises TooMany."""
        replaced = self._peers.get(peer.name)
        forgotten = [] if replaced else self._make_room(now)
        self._peers.pop(peer.name, None)
        self._peers[peer.name] = peer
        if replaced:
            replaced.settled.set()
        return replaced, forgotten

    def newest(self) -> Peer | None:
        """The offer made last."""
        return next(reversed(self._peers.values()), None)

    def _make_room(self, now: int) -> list[Peer]:
        if len(self._peers) < PEERS_LIMIT:
            return []
        gone = [peer for peer in self._peers.values() if _forgettable(peer, now)][:1]
        if not gone:
            raise TooMany("this session has too many viewers", retry_after=RETRY_AFTER_S)
        for peer in gone:
            del self._peers[peer.name]
            peer.settled.set()
        return gone


def _forgettable(peer: Peer, now: int) -> bool:
    if peer.stage in (Stage.REFUSED, Stage.OVER):
        return True
    return peer.connection != "connected" and now - peer.offered_at > SILENT_MS
