"""usrsctp, which all peers of this process share: GStreamer starts it with the first association and stops it with the
last, threads and all. Here an association of nobody's holds it while peers come and go, so that one viewer's return
never meets the end of the last one's. It is let go when all has been quiet: its clock ticks a hundred times a second.
"""

from __future__ import annotations

import asyncio
from typing import Any

from transom_guest.stream.associations import NOBODYS, Associations
from transom_guest.stream.gst import Gst, make

LINGER_S = 30.0
"""Seconds without a peer after which it may stop."""


class SctpStack:
    """Held by as many as have called `hold` and not yet `release`. Only in the event loop's thread."""

    def __init__(self) -> None:
        self._holders, self._associations = 0, Associations()
        self._held: Any = None
        self._waiting: asyncio.TimerHandle | None = None

    @property
    def held(self) -> bool:
        """Whether it runs for this process's sake."""
        return self._held is not None

    def hold(self) -> int:
        """A peer begins; the number of its association. Raises GstError when GStreamer has no SCTP."""
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        if self._held is None:
            self._held = make("sctpdec", sctp_association_id=NOBODYS)
            self._held.set_state(Gst.State.PAUSED)
        self._holders += 1
        return self._associations.take()

    def release(self, association: int) -> None:
        """A peer is over, and its pipeline down."""
        self._associations.give_back(association)
        self._holders -= 1
        if not self._holders:
            self._waiting = asyncio.get_running_loop().call_later(LINGER_S, self._let_go)

    def _let_go(self) -> None:
        held, self._held, self._waiting = self._held, None, None
        # ends a thread, and waits for it
        asyncio.get_running_loop().run_in_executor(None, held.set_state, Gst.State.NULL)


STACK = SctpStack()
"""This process's."""
