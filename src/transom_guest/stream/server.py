"""The stream server: peers made and ended on the link's word, one `broadcast` for them all."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Coroutine
from typing import Any

from transom_guest.clipboard.service import Clipboard
from transom_guest.environment import taken_file, touch_socket
from transom_guest.input import taken
from transom_guest.input.actor import Actor
from transom_guest.input.succession import Succession
from transom_guest.stream.broadcast import Broadcast
from transom_guest.stream.cursors import Cursors
from transom_guest.stream.deadlines import ANSWER_SENT, CONNECT_DEADLINE, EARLY, LOST_DEADLINE, Deadlines
from transom_guest.stream.gst import GstError
from transom_guest.stream.hearing import Hearing
from transom_guest.stream.marks import Marks
from transom_guest.stream.offer import OfferError, read_offer
from transom_guest.stream.outbox import Outbox
from transom_guest.stream.peer import Peer
from transom_guest.stream.peers import Full, Stale, judge
from transom_guest.stream.rate_feedback import Told
from transom_guest.stream.resize import Resizer
from transom_guest.stream.sockets import Sockets
from transom_guest.stream.sound_offer import sound_of
from transom_guest.x11 import touchscreen
from transom_guest.x11.fixes import CursorImage
from transom_guest.x11.xlib import Display
from transom_wire.link import (
    PeerAnswer,
    PeerChange,
    PeerClose,
    PeerOffer,
    PeerState,
    PeerTerms,
    ToGuestMessage,
)

log = logging.getLogger("transom.stream")


class StreamServer:
    """Owns everything that lives longer than a link: peers go on while the link is being redialled."""

    def __init__(self, resizer: Resizer) -> None:
        """Connect to the display and start the encoder. Raises XError, GstError."""
        self._loop = asyncio.get_running_loop()
        self.outbox = Outbox()
        self._peers: dict[str, Peer] = {}
        self._deadlines = Deadlines()
        self._tasks: set[asyncio.Task[None]] = set()
        self._cursors, self._marks = Cursors(), Marks()
        self._input_display, self._display = Display(), Display()
        self._taken = taken.kept_at(taken_file(os.environ))
        self._touch = touchscreen.of(
            self._input_display, touch_socket(os.environ), lambda: self._broadcast.size
        )
        self._actor = Actor(self._input_display, self._loop.time, self._taken.felt, self._touch)
        succession = Succession(self._actor, self._taken)
        self._clipboard = Clipboard(Display(), self._loop.time)
        self._broadcast = Broadcast(self._display, self, self._marks, self.outbox.put)
        self._sockets = Sockets(self._broadcast.records, self._clipboard, self._actor, succession)
        self._hearing = Hearing(
            self,
            self._loop.time,
            actor=self._actor,
            taken=self._taken,
            succession=succession,
            clipboard=self._clipboard,
            marks=self._marks,
            recorder=self._broadcast.recorder,
            resizer=resizer,
        )

    async def run(self) -> None:
        """Act out input until something native breaks; then raises, for the supervisor to start anew."""
        acting = asyncio.create_task(self._actor.run(), name="input")
        beside = [asyncio.create_task(each) for each in (self._sockets.run(), self._broadcast.run())]
        try:
            await asyncio.wait({acting, self._broadcast.failure}, return_when=asyncio.FIRST_COMPLETED)
            for future in (acting, self._broadcast.failure):
                if future.done():
                    future.result()
        finally:
            for task in (acting, *beside):
                task.cancel()

    def handle(self, message: ToGuestMessage) -> None:
        """Take in what the controller says. Never blocks and never raises for a bad offer."""
        if isinstance(message, PeerOffer):
            self._offered(message)
        elif isinstance(message, PeerChange):
            if not message.terms.drives:
                self._taken.bar(message.peer)
            changed = self._peers.get(message.peer)
            if changed is not None:
                self._hold_to(changed, message.terms)
        elif isinstance(message, PeerClose):
            peer = self._peers.get(message.peer)
            if peer is not None and peer.epoch <= message.epoch:
                self._end(peer, "closed", "the viewer left")

    def report(self) -> None:
        """Say how every peer fares: to a link that has just been made."""
        for peer in self._peers.values():
            self._say_state(peer, peer.state, "")

    def _offered(self, offer: PeerOffer) -> None:
        verdict = judge({name: peer.epoch for name, peer in self._peers.items()}, offer.peer, offer.epoch)
        if isinstance(verdict, Stale):
            return
        if isinstance(verdict, Full):
            self._refuse(offer, "too many viewers")
            return
        if verdict.replaces:
            self._end(self._peers[offer.peer], "closed", "a newer epoch replaced it")
        try:
            peer = Peer(offer.peer, offer.epoch, read_offer(offer.sdp), self, sound_of(offer))
        except (OfferError, GstError) as error:
            self._refuse(offer, str(error))
            return
        peer.hold_to(offer.terms)
        self._peers[peer.name] = peer
        if offer.terms.drives:
            self._taken.begin(peer.key)
        self._clipboard.admit(peer.key, offer.terms)
        self._spawn(self._answer(peer, offer.sdp))

    def _hold_to(self, peer: Peer, terms: PeerTerms) -> None:
        """Other terms for a viewer: what it held goes with the desktop."""
        before = peer.terms
        peer.hold_to(terms)
        self._clipboard.admit(peer.key, terms)
        if before.drives and not terms.drives:
            self._actor.leave(peer.key)
        if terms.drives:
            self._taken.begin(peer.key)
        if before.drives is not terms.drives:
            peer.say(json.dumps(["drives", int(terms.drives)]))

    async def _answer(self, peer: Peer, sdp: str) -> None:
        try:
            answer = await peer.answer(sdp)
        except GstError as error:
            self._end(peer, "failed", str(error))
            return
        if self._lives(peer):
            self.outbox.put(PeerAnswer(peer=peer.name, epoch=peer.epoch, sdp=answer))
            if not peer.connected:
                self._give(peer, CONNECT_DEADLINE, "never connected")
                await self.outbox.sent(ANSWER_SENT)  # the first grab of a whole screen holds this thread up
                self._begin_early(peer)

    def _begin_early(self, peer: Peer) -> None:
        """Make a viewer's first frames while it connects."""
        if self._lives(peer) and not peer.connected:
            self._watch(key=self._broadcast.expect(peer, EARLY))
            self._loop.call_later(EARLY, self._watch)

    # from peers

    def peer_state(self, peer: Peer, state: str, reason: str) -> None:
        """A peer connection changed."""
        if not self._lives(peer):
            return
        log.info("peer %s is %s %s", peer.key, state, reason)
        if state in ("failed", "closed"):
            self._end(peer, state, reason)
            return
        self._say_state(peer, state, reason)
        if state == "connected":
            self._deadlines.revoke(peer.key)
            self._watch(key=self._broadcast.join(peer))
            return
        if state == "disconnected":
            self._give(peer, LOST_DEADLINE, "disconnected for too long")
        self._watch()

    def peer_open(self, peer: Peer) -> None:
        """A viewer's control channel opened: it learns the desktop's size and the pointer's shape."""
        if self._lives(peer):
            self.size_wanted(peer)
            if not peer.terms.drives:
                peer.say('["drives", 0]')
            peer.say('["rest", 1]')
            if self._touch is not None:
                peer.say('["touch", 1]')
            self._show_cursor(peer)

    def size_wanted(self, peer: Peer) -> None:
        """A viewer is to know how large the desktop is."""
        peer.say(json.dumps(["size", *self._broadcast.size]))

    def peer_key_wanted(self, peer: Peer) -> None:
        """A viewer lost its picture."""
        if self._lives(peer):
            self._broadcast.key_wanted(peer)

    def drawn(self, peer: Peer, rtp_time: int) -> bool:
        """A viewer has drawn the picture of this timestamp: whether there is none newer."""
        return self._broadcast.drawn(peer, rtp_time)

    def peer_told(self, peer: Peer, told: Told) -> None:
        """A viewer told which packets arrived, and when, or how many did not."""
        self._broadcast.told(peer, told)

    def peer_message(self, peer: Peer, text: str | None, channel: str) -> None:
        """A viewer said something on a data channel."""
        if self._lives(peer):
            self._hearing.message(peer, text, channel)

    def peer_clip_open(self, peer: Peer) -> None:
        """A viewer's clipboard channel opened."""
        if self._lives(peer):
            self._clipboard.opened(peer.key, peer.clipboard)

    def peer_clip(self, peer: Peer, message: str | bytes | None) -> None:
        """A viewer said something on its clipboard channel."""
        if self._lives(peer):
            self._hearing.clip(peer, message)

    def flooded(self, peer: Peer) -> None:
        """A viewer said more nonsense than any page does."""
        self._end(peer, "failed", "too many malformed messages")

    # from the capture

    def size_changed(self, width: int, height: int) -> None:
        """The desktop has another size."""
        for peer in self._peers.values():
            peer.say(json.dumps(["size", width, height]))

    def cursor_changed(self, image: CursorImage | None) -> None:
        """The pointer has another shape."""
        self._cursors.show(image)
        for peer in self._peers.values():
            self._show_cursor(peer)

    def _show_cursor(self, peer: Peer) -> None:
        seen = set(peer.seen_cursors)
        if peer.say(self._cursors.message(seen)):
            peer.seen_cursors = seen

    # peers' lives

    def _lives(self, peer: Peer) -> bool:
        return self._peers.get(peer.name) is peer

    def _end(self, peer: Peer, state: str, reason: str) -> None:
        if not self._lives(peer):
            return
        del self._peers[peer.name]
        if peer.dropped:
            log.warning("peer %s sent %d messages of input as a watcher", peer.key, peer.dropped)
        self._deadlines.revoke(peer.key)
        self._actor.leave(peer.key)
        self._broadcast.leave(peer)
        self._clipboard.leave(peer.key)
        self._say_state(peer, state, reason)
        self._watch()
        self._spawn(peer.close())

    def _watch(self, *, key: bool = False) -> None:
        self._broadcast.watch(self._peers.values(), key=key)

    def _give(self, peer: Peer, seconds: float, reason: str) -> None:
        self._deadlines.give(peer.key, seconds, lambda: self._end(peer, "failed", reason))

    def _refuse(self, offer: PeerOffer, reason: str) -> None:
        log.warning("offer of peer %s/%d refused: %s", offer.peer, offer.epoch, reason)
        self.outbox.put(PeerState(offer.peer, offer.epoch, "failed", reason))

    def _say_state(self, peer: Peer, state: str, reason: str) -> None:
        self.outbox.put(PeerState(peer.name, peer.epoch, state, reason))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
