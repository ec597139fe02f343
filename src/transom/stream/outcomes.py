"""What became of offers: each try's answer or refusal, and who hears of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import structlog

from transom.model.listeners import Listeners
from transom.stream.peers import Peer, Refusal, Stage

log = structlog.get_logger(__name__)
GONE = "gone"
"""The code of a refusal that no other try will change."""
Listener = Callable[[str, int, str | Refusal], None]
"""Called with peer, epoch, and the answer's SDP or why there is none."""


class Outcomes:
    """Settles tries, and tells those who listen to the session."""

    def __init__(self, count: Callable[[str], None]) -> None:
        self._count = count
        self._listeners: Listeners[Listener] = Listeners()

    def listen(self, session: str, listener: Listener) -> AbstractContextManager[None]:
        """Call `listener` on every outcome while the block runs."""
        return self._listeners.listen(session, listener)

    def publish(self, session: str, peer: Peer, sdp: str) -> None:
        """The try has its answer."""
        peer.answer, peer.stage = sdp, Stage.ANSWERED
        peer.settled.set()
        self.announce(session, peer, sdp)

    def refuse(self, session: str, peer: Peer, code: str, message: str) -> None:
        """The try will have no answer; another one may."""
        self._count("refused")
        log.info("offer refused", session=session, code=code)
        peer.refusal, peer.stage = Refusal(code, message), Stage.REFUSED
        peer.settled.set()
        self.announce(session, peer, peer.refusal)

    def dismiss(self, session: str, peer: Peer, why: str) -> None:
        """The try is ended from here, answered or not."""
        peer.stage, peer.refusal = Stage.OVER, Refusal(GONE, why)
        peer.settled.set()
        self.announce(session, peer, Refusal("dismissed", why))

    def again(self, session: str, peer: Peer) -> None:
        """Whoever repeats an offer may not have been there when its outcome was told."""
        if peer.stage is Stage.ANSWERED and peer.answer is not None:
            self.announce(session, peer, peer.answer)
        elif peer.refusal is not None:
            code = "dismissed" if peer.refusal.code == GONE else peer.refusal.code
            self.announce(session, peer, Refusal(code, peer.refusal.message))
        elif peer.stage is Stage.OVER:
            self.announce(session, peer, Refusal("peer_lost", "the connection ended"))

    def announce(self, session: str, peer: Peer, outcome: str | Refusal) -> None:
        """Tell whoever listens."""
        for listener in self._listeners.of(session):
            listener(peer.name, peer.epoch, outcome)
