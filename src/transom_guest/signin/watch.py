"""Watching credential files: ask what they look like, wait until they rest, read them, judge them.

Asking a few times a second is chosen over inotify: it sees a rename, a folder that does not exist yet and a
restored backup alike, loses nothing in an overflow, and costs a handful of lstat calls.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from transom_guest.signin.credential import Holding, Incomplete
from transom_guest.signin.folder import Signature, gather, look
from transom_wire.link import CredentialFile

SETTLED_AFTER = 0.5
"""Seconds without a change until the files are read: tools write several times in a row."""
ASK_EVERY = 0.25
"""Seconds between looks while the tool runs."""
ASK_LATER_EVERY = 2.0
"""Seconds between looks once the sign-in is done: a refresh comes hours later."""
log = logging.getLogger("transom.signin")


class Settling:
    """Says once, after a change, that things have rested long enough. Pure: time is given."""

    def __init__(self, first: Signature) -> None:
        self._seen = first
        self._since: float | None = None

    def settled(self, now: float, signature: Signature) -> bool:
        """True once for each change, when `signature` has stood still for SETTLED_AFTER."""
        if signature != self._seen:
            self._seen, self._since = signature, now
            return False
        if self._since is None or now - self._since < SETTLED_AFTER:
            return False
        self._since = None
        return True


class Watch:
    """Calls `found` with each complete state of the files that differs from the first one."""

    def __init__(self, home: Path, specs: Sequence[CredentialFile], found: Callable[[Holding], None]) -> None:
        self._home, self._specs, self._found = home, specs, found
        self.pause = ASK_EVERY
        self._settling = Settling(look(home, specs))
        self.first = self._gather()
        """What was held before the tool ran, if that was complete."""

    async def run(self) -> None:
        """Watch until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self.pause)
            if self._settling.settled(loop.time(), look(self._home, self._specs)):
                holding = self._gather()
                if holding is not None and self.changed(holding):
                    self._found(holding)

    def look_now(self) -> Holding:
        """Read the files now. Raises Incomplete."""
        return gather(self._home, self._specs)

    def changed(self, holding: Holding) -> bool:
        """True unless this is what was there at first."""
        return self.first is None or holding.digest != self.first.digest or holding.newest > self.first.newest

    def _gather(self) -> Holding | None:
        try:
            return gather(self._home, self._specs)
        except Incomplete as error:
            log.info("not a credential yet: %s", error)
            return None
