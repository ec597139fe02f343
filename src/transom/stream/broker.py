"""Signalling: a viewer's offer to the guest, the guest's answer to the door and then to the viewer.

offer -> candidates stripped -> PeerOffer to the guest -> PeerAnswer -> its transport is read strictly
-> RegisterPeer to the keeper -> candidates stripped, the door's one put in -> published.
Nothing is kept on disk: after a restart media flows on, and a viewer that wants more offers again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import Protocol

import structlog

from transom.model.clock import Clock
from transom.model.errors import Conflict, Gone, Unavailable
from transom.stream.offer import ViewerOffer, check_size
from transom.stream.outcomes import GONE, Listener, Outcomes
from transom.stream.peers import Peer, Peers, Refusal, Stage
from transom.stream.sdp import (
    SdpError,
    candidate_line,
    read_transport,
    strip_candidates,
    with_candidate,
)
from transom_wire.control import ControllerMessage, RegisterPeer, ReleasePeer
from transom_wire.link import (
    FLOODS,
    PeerAnswer,
    PeerClose,
    PeerOffer,
    PeerState,
    PeerTerms,
    StreamReport,
    ToGuestMessage,
)

log = structlog.get_logger(__name__)
ANSWER_MS = 10_000
"""A running guest answers an offer in this time, or the viewer is told that it does not."""
BOOT_MS = 180_000
"""An offer made while the machine still boots waits this long."""

LAST_EPOCH = 2**31
"""Whatever epoch a peer is at, it is not above this one."""


class Keepers(Protocol):
    """What signalling needs of guests and keepers."""

    async def send(self, session: str, role: str, message: ToGuestMessage) -> bool: ...
    async def tell(self, session: str, message: ControllerMessage) -> bool: ...
    def door(self, session: str) -> tuple[str, int] | None: ...


class Broker:
    """Offers, answers and the door's candidate, by session and peer."""

    def __init__(
        self,
        keepers: Keepers,
        clock: Clock,
        *,
        count: Callable[[str], None] = lambda _: None,
        terms: Callable[[str, str], PeerTerms] = lambda _session, _peer: PeerTerms(),
        seated: Callable[[str, str], bool] = lambda _session, _peer: True,
        fared: Callable[[str, StreamReport], None] = lambda _session, _report: None,
        flooded: Callable[[str, str], None] = lambda _session, _peer: None,
    ) -> None:
        """`terms` says what a session's peer may do; it is told to the guest with each offer. `seated` says who
        may have a picture at all. `fared` hears how the links of peers there are do, `flooded` of a viewer whose
        guest ended it for a flood."""
        self._keepers, self._clock, self._count, self._terms = keepers, clock, count, terms
        self._seated, self._fared, self._flooded = seated, fared, flooded
        self._sessions: dict[str, Peers] = {}
        self._outcomes = Outcomes(count)
        self._timers: set[asyncio.Task[None]] = set()

    async def offer(self, session: str, name: str, epoch: int, offer: ViewerOffer, *, ready: bool) -> None:
        """Take a viewer's offer; of a repeated one the outcome is told again.

        Raises TooMany, Conflict (`stale_epoch`, `epoch_used`, `no_seat`)."""
        if not self._seated(session, name):
            raise Conflict("this viewer has left", code="no_seat")
        peers = self._sessions.setdefault(session, Peers())
        known = peers.same_or_newer(name, epoch, offer.sdp)
        if known is not None:
            self._outcomes.again(session, known)
            return
        now = self._clock()
        deadline = now + (ANSWER_MS if ready else BOOT_MS)
        peer = Peer(name, epoch, offer.sdp, offer.ufrag, now, deadline)
        replaced, forgotten = peers.put(peer, now)
        self._count("offered")
        for old in [*forgotten, *([replaced] if replaced else [])]:
            await self._release(session, old, close=old is not replaced)
        await self._send(session, peer)
        self._time(session, peer)

    async def answer(self, session: str, name: str, epoch: int, wait_ms: int = 0) -> str | None:
        """The answer's SDP, or None when there is none within `wait_ms`. Raises Conflict, Unavailable."""
        peer = self._peers(session).current(name, epoch)
        if peer.pending and wait_ms > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_ms / 1000):
                    await peer.settled.wait()
            if session in self._sessions:
                peer = self._peers(session).current(name, epoch)
        if peer.refusal is not None and peer.refusal.code == GONE:
            raise Gone(peer.refusal.message)
        if peer.refusal is not None:
            raise Unavailable(peer.refusal.message, code=peer.refusal.code, retry_after=1)
        return peer.answer

    def newest_offer(self, session: str) -> Peer | None:
        """The offer made last."""
        return self._peers(session).newest()

    def candidates(self, session: str, name: str, epoch: int) -> list[str]:
        """The door, once the answer is there. Raises Conflict."""
        peer = self._peers(session).current(name, epoch)
        door = self._keepers.door(session)
        return [candidate_line(*door)] if peer.registered and door is not None else []

    def answer_by_hand(self, session: str, name: str, epoch: int, sdp: str) -> None:
        """An answer of the user's own answerer, passed on as it is. Raises Conflict, TooLarge."""
        check_size(sdp)
        peer = self._peers(session).current(name, epoch)
        if not peer.pending:
            raise Conflict("that offer has its answer", code="answered")
        self._outcomes.publish(session, peer, sdp)

    async def bye(self, session: str, name: str, epoch: int) -> bool:
        """The viewer leaves with all its connections up to `epoch`; False when it goes on by a newer offer. What
        is unknown or stale is nothing to do."""
        peer = self._peers(session).get(name)
        if peer is not None and peer.epoch <= epoch and peer.stage is not Stage.OVER:
            peer.stage = Stage.OVER
            peer.settled.set()
            await self._release(session, peer, close=True)
        newest = self._peers(session).get(name)  # it may have come back meanwhile
        return newest is None or newest.epoch <= epoch

    async def dismiss(self, session: str, name: str, why: str, *, final: bool = True) -> bool:
        """End a viewer's peer connection, also one that an earlier controller made; where `final`, also what it
        offers meanwhile. False when the guest cannot be told now."""
        peer = self._peers(session).get(name)
        if peer is not None and peer.stage is not Stage.OVER:
            self._outcomes.dismiss(session, peer, why)
        await self._keepers.tell(session, ReleasePeer(name))
        newest = self._peers(session).get(name)
        back = newest is not None and newest is not peer and not final
        epoch = newest.epoch - 1 if newest is not None and back else LAST_EPOCH
        return epoch == 0 or await self._keepers.send(session, "webrtc", PeerClose(name, epoch))

    def over(self, session: str) -> None:
        """The session ended: nobody waits any more."""
        for peer in self._sessions.pop(session, Peers()):
            peer.refusal = peer.refusal or Refusal(GONE, "the session is over")
            peer.settled.set()

    async def answered(self, session: str, message: PeerAnswer) -> None:
        """The guest's answer; an unknown, stale or second one is dropped and counted."""
        peer = self._peers(session).get(message.peer)
        if peer is None or peer.epoch != message.epoch or not peer.pending:
            self._count("answer_dropped")
            log.info("an answer nobody waits for", session=session)
            return
        door = self._keepers.door(session)
        try:
            transport = read_transport(message.sdp)
            answer = with_candidate(strip_candidates(message.sdp), *door) if door else None
        except SdpError as error:
            self._count("answer_refused")
            self._outcomes.refuse(session, peer, "bad_answer", f"the machine's answer is not usable: {error}")
            return
        registration = RegisterPeer(
            peer.name, transport.ufrag, transport.password, peer.viewer_ufrag, transport.port
        )
        peer.registered = await self._keepers.tell(session, registration)
        if answer is None or not peer.registered:
            self._outcomes.refuse(session, peer, "unreachable", "the machine cannot be reached now")
        elif peer.pending and not peer.settled.is_set():
            self._count("answered")
            self._outcomes.publish(session, peer, answer)

    async def peer_moved(self, session: str, message: PeerState) -> None:
        """What the guest says of a peer connection; the door forgets those that are over. One that nobody here
        knows, of a viewer that is not there, is ended: an earlier controller may have been asked for that."""
        peer = self._peers(session).get(message.peer)
        if peer is None or peer.epoch != message.epoch:
            self._count("state_dropped")
            if message.state not in ("failed", "closed") and not self._seated(session, message.peer):
                await self.dismiss(session, message.peer, "the viewer is not there")
            return
        peer.connection = message.state
        if message.state not in ("failed", "closed"):
            return
        if peer.pending:
            self._outcomes.refuse(
                session, peer, "guest_failed", message.reason or "the machine could not answer"
            )
        elif peer.stage is Stage.ANSWERED:
            if message.reason in FLOODS:
                self._count("flooded")
                self._flooded(session, peer.name)
            peer.stage = Stage.OVER
            await self._release(session, peer, close=False)
            self._outcomes.announce(
                session, peer, Refusal("peer_lost", message.reason or "the connection ended")
            )

    def link_fared(self, session: str, message: StreamReport) -> None:
        """What the guest says of a viewer's link: passed on when it is of a try that is on."""
        peer = self._peers(session).get(message.peer)
        if peer is None or peer.epoch != message.epoch or peer.stage is Stage.OVER:
            self._count("report_dropped")
            return
        self._fared(session, message)

    async def stream_server_came(self, session: str) -> None:
        """Offers that were waiting, or went to its predecessor, go to the stream server that is there now."""
        for peer in self._peers(session):
            if peer.pending:
                await self._send(session, peer)

    async def stream_server_died(self, session: str) -> None:
        """Every peer connection died with it; viewers are told at once instead of finding out."""
        for peer in self._peers(session):
            if peer.stage is Stage.ANSWERED:
                peer.stage = Stage.OVER
                await self._release(session, peer, close=False)
                self._outcomes.announce(
                    session, peer, Refusal("stream_server_died", "the stream server starts again")
                )

    def listen(self, session: str, listener: Listener) -> AbstractContextManager[None]:
        """Call `listener` on every answer and refusal while the block runs."""
        return self._outcomes.listen(session, listener)

    async def close(self) -> None:
        """Stop the timers; media flows on."""
        timers = list(self._timers)
        for timer in timers:
            timer.cancel()
        await asyncio.gather(*timers, return_exceptions=True)

    def _peers(self, session: str) -> Peers:
        return self._sessions.get(session) or Peers()

    async def _send(self, session: str, peer: Peer) -> None:
        offer = PeerOffer(peer.name, peer.epoch, peer.sdp, self._terms(session, peer.name))
        if await self._keepers.send(session, "webrtc", offer):
            peer.stage = Stage.SENT if peer.pending else peer.stage
            peer.deadline = min(peer.deadline, self._clock() + ANSWER_MS)

    def _time(self, session: str, peer: Peer) -> None:
        timer = asyncio.create_task(self._expire(session, peer), name=f"offer {session}")
        self._timers.add(timer)
        timer.add_done_callback(self._timers.discard)

    async def _expire(self, session: str, peer: Peer) -> None:
        while peer.pending and not peer.settled.is_set():
            left = max(self.look(session, peer), 1)
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left, ANSWER_MS) / 1000):
                    await peer.settled.wait()

    def look(self, session: str, peer: Peer) -> int:
        """Milliseconds a pending offer still has; refuses it when there are none."""
        left = peer.deadline - self._clock()
        if left <= 0 and peer.pending:
            self._outcomes.refuse(session, peer, "no_answer", "the machine did not answer in time")
        return left

    async def _release(self, session: str, peer: Peer, *, close: bool) -> None:
        if peer.registered:
            peer.registered = False
            await self._keepers.tell(session, ReleasePeer(peer.name))
        if close:
            await self._keepers.send(session, "webrtc", PeerClose(peer.name, peer.epoch))
