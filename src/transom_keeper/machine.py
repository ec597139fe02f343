"""What a keeper needs of the machine it keeps, whichever way that was made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from transom_keeper.arrivals import MachineSockets


class LaunchError(Exception):
    """The machine did not start; says why in words for the operator, and `mend` the act that helps. `stage` is where:
    `image`, `network` or `boot`."""

    def __init__(self, message: str, mend: str = "", stage: str = "boot") -> None:
        super().__init__(message)
        self.mend, self.stage = mend, stage


class Machine(Protocol):
    """A machine whose ways in and out are there. In the order of its life: `begin`, `wait`, `kill`."""

    @property
    def sockets(self) -> MachineSockets:
        """The ways in and out, bound inside."""

    @property
    def agent_address(self) -> str:
        """Where the guest's ICE agent listens, as seen from the door's inner sockets."""

    async def begin(self, token: str) -> None:
        """Let the guest's first own program run; `token` is what its boot shows on the link. Raises LaunchError."""

    def heard(self) -> None:
        """The guest has shown its token: whatever it was started from, it lives."""

    def name(self, machine_id: str) -> None:
        """Be `machine_id` from now on, as far as the guest has no right to say so itself. Raises OSError."""

    async def wait(self) -> str:
        """Wait for the end; the words for it."""

    async def kill(self) -> None:
        """End every process of the machine; they are gone when this returns. Before `begin` too."""

    async def save(self, token: str, folder: Path) -> None:
        """Make the snapshot `folder` of a guest that has let go of its link; the machine does not run on.
        Raises LaunchError, also where this kind of machine has no snapshots."""

    def outside(self) -> int | None:
        """A pidfd of the machine's first process, where another than the keeper started it."""

    def warnings(self) -> tuple[str, ...]:
        """What is weaker than asked, in words for the operator."""


Launcher = Callable[[], Awaitable[Machine]]
"""Makes the machine, once, after rights were dropped. Raises LaunchError."""
