"""What viewers say on their data channels, told to whom it concerns. In the event loop's thread."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from functools import partial
from typing import Protocol

from transom_guest.clipboard.frames import FrameError
from transom_guest.clipboard.service import Clipboard
from transom_guest.input.actor import Actor
from transom_guest.input.message import Asked, Density, KeyFrame, Look, Message, Ping, Resize
from transom_guest.input.parser import InputError, SizeError, parse
from transom_guest.input.succession import Succession
from transom_guest.input.taken import Taken
from transom_guest.stream.hindsight import Hindsight
from transom_guest.stream.marks import MARKED, Marks
from transom_guest.stream.peer import Peer
from transom_guest.stream.peers import MAX_MALFORMED
from transom_guest.stream.resize import Resizer
from transom_guest.stream.sight import Sight

CONTROL = "control"
log = logging.getLogger("transom.stream")


class Ears(Protocol):
    """What a word of a viewer's may ask of the server itself."""

    def peer_key_wanted(self, peer: Peer) -> None:
        """It lost its picture."""

    def drawn(self, peer: Peer, rtp_time: int) -> bool:
        """It has drawn the picture of this timestamp: whether there is none newer."""

    def flooded(self, peer: Peer) -> None:
        """It said more nonsense than any page does."""

    def size_wanted(self, peer: Peer) -> None:
        """It is to be told how large the desktop is."""


class Hearing:
    """Hears all viewers."""

    def __init__(
        self,
        ears: Ears,
        clock: Callable[[], float],
        *,
        actor: Actor,
        taken: Taken,
        succession: Succession,
        clipboard: Clipboard,
        marks: Marks,
        recorder: Hindsight,
        resizer: Resizer,
    ) -> None:
        self._ears, self._clock, self._actor, self._clipboard = ears, clock, actor, clipboard
        self._marks, self._recorder, self._resizer = marks, recorder, resizer
        self._taken, self._succession = taken, succession
        self._sight = Sight(clock)

    def message(self, peer: Peer, text: str | None, channel: str) -> None:
        """Something on `control` or `motion`; None for what is not even text, or one too many."""
        try:
            if text is None:
                raise InputError("not text")
            message = parse(text)
        except SizeError:
            self._no_size(peer)
            return
        except InputError as error:
            self._malformed(peer, error)
            return
        match message:
            case Ping() if not peer.pings.take():
                return
            case Ping():
                self._answer(peer, message, channel)
            case KeyFrame():
                self._ears.peer_key_wanted(peer)
            case Look():
                peer.say(self._sight.told())
            case _ if not peer.terms.drives:
                self._dropped(peer)
            case Asked():
                peer.say(self._succession.answer(peer.key, message))
            case Resize(_, width, height):
                self._resizer.want(width, height)
            case Density(_, percent):
                self._resizer.want_density(percent)
            case _:
                self._felt(peer, message)

    def clip(self, peer: Peer, message: str | bytes | None) -> None:
        """Something on `clipboard`."""
        try:
            if message is None:
                raise FrameError("too many messages at once")
            self._clipboard.heard(peer.key, message)
            peer.clips = self._clipboard.refused(peer.key)
        except FrameError as error:
            self._malformed(peer, error)

    def _answer(self, peer: Peer, ping: Ping, channel: str) -> None:
        rests = [] if ping.drawn is None else [int(self._ears.drawn(peer, ping.drawn))]
        answer = partial(peer.say, json.dumps(["p", ping.id, *rests]), channel)
        if channel == CONTROL:
            # its answer says that what came before it on this channel was acted out
            self._actor.after(peer.key, answer)
        else:
            answer()

    def _felt(self, peer: Peer, message: Message) -> None:
        if not self._taken.admits(peer.key):
            return
        if isinstance(message, MARKED):
            self._marks.felt(peer.key, message.seq, self._clock())
        self._actor.take(peer.key, message)
        self._recorder.felt(message, self._clock())

    def _no_size(self, peer: Peer) -> None:
        if peer.terms.drives:
            peer.sizes += 1
            self._ears.size_wanted(peer)
        else:
            self._dropped(peer)

    def _dropped(self, peer: Peer) -> None:
        peer.dropped += 1
        if peer.dropped == 1:
            log.warning("peer %s watches, and sends input: none of it is taken", peer.key)

    def _malformed(self, peer: Peer, error: ValueError) -> None:
        peer.malformed += 1
        if peer.malformed == 1:
            log.warning("peer %s said something malformed: %s", peer.key, error)
        if peer.malformed >= MAX_MALFORMED:
            self._ears.flooded(peer)
