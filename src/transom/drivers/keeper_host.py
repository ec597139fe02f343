"""A host of keepers, as every keeper on it is told: its folders, its door, and who machines may be."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from transom.drivers import channel

UID_BASE = 1_900_000_000
"""Plus a machine's slot: users of nobody, in a range that neither systemd nor subuid allocations hand out."""
SLOTS = 2001
"""Slots are below the greatest `sessions_max`, and one is for what `prepare` makes: so many users may be a
machine's."""


@dataclass(frozen=True, slots=True)
class KeeperDeadlines:
    """Seconds."""

    create: float = 30.0
    status: float = 5.0
    grace: float = 5.0
    """From the keeper's SIGTERM to everybody's SIGKILL."""
    destroy: float = 15.0
    groups: float = 5.0
    channel: channel.ChannelDeadlines = field(default_factory=channel.ChannelDeadlines)


@dataclass(frozen=True, slots=True)
class Host:
    """This host, as every keeper on it is told."""

    folder: Path
    """Holds a folder for each machine."""
    guest_source: Path
    """The staged guest code; its name is its digest."""
    door_address: str
    door_ports: tuple[int, int]
    helper: Path | None = None
    """The root helper's socket, where there is one: for what this driver or another left there."""
    uid_base: int = UID_BASE
    signin_pages: tuple[str, ...] | None = None
    """Where sessions may be recorded: pages to sign in at, of which there is no picture to be."""
    python: str = sys.executable
    deadlines: KeeperDeadlines = field(default_factory=KeeperDeadlines)

    @property
    def uids(self) -> range:
        """Who a machine may be when the controller is root."""
        return range(self.uid_base, self.uid_base + SLOTS)

    def uid(self, slot: int) -> int | None:
        """Who the machine of `slot` is; None: whoever we are."""
        return self.uid_base + slot if os.geteuid() == 0 else None
