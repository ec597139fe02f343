"""The paths through the door: which source has which inner socket, and which peer's it is. Pure.

A *source* is where a viewer's datagrams come from, as `recvfrom` names it. A *path* joins one source to one
inner socket, and so to the guest's ICE agent. Who may have one is `door_table`'s to judge.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from transom_keeper.door_limits import Allowance
from transom_wire.control import RegisterPeer

Source = tuple[Any, ...]
"""`(host, port)` of IPv4 or `(host, port, flow, scope)` of IPv6."""


@dataclass(frozen=True, slots=True)
class Connect:
    """Join inner socket `inner` to the agent's `port`, and throw away what it had queued."""

    inner: int
    port: int


@dataclass(frozen=True, slots=True)
class Park:
    """Let inner socket `inner` go, so that nobody inside can send to it."""

    inner: int


@dataclass(slots=True)
class Path:
    """One source's way to the guest."""

    inner: int
    source: Source
    peer: DoorPeer
    since: float
    heard: float
    media: float = 0.0
    """When the guest last sent something other than STUN this way; 0 for never."""

    def silent(self, now: float, longer_than: float) -> bool:
        """True when nothing was heard from its source for more than so many seconds."""
        return now - self.heard > longer_than


@dataclass(slots=True)
class DoorPeer:
    """A registered peer and its paths, oldest first."""

    pair: RegisterPeer
    since: float
    allowance: Allowance
    paths: list[Path] = field(default_factory=list)

    @property
    def carrier(self) -> Path | None:
        """The path that carried media last."""
        latest = max(self.paths, key=lambda each: each.media, default=None)
        return latest if latest is not None and latest.media else None


class DoorPaths:
    """Every path of one door, by its source and by its inner socket."""

    def __init__(self, inner_sockets: int) -> None:
        self.takeovers = 0
        self.by_source: dict[Source, Path] = {}
        self.by_inner: list[Path | None] = [None] * inner_sockets
        self._free = list(range(inner_sockets))

    @property
    def free(self) -> bool:
        """True while an inner socket is left."""
        return bool(self._free)

    def open(self, source: Source, peer: DoorPeer, now: float) -> list[Connect | Park]:
        """Give `source` a path of its own; one that it had gives its inner socket to it."""
        former = self.by_source.get(source)
        commands: list[Connect | Park] = [self.close(former)] if former is not None else []
        inner = self._free.pop(0)
        path = Path(inner, source, peer, now, now)
        self.by_inner[inner] = self.by_source[source] = path
        peer.paths.append(path)
        return [*commands, Connect(inner, peer.pair.agent_port)]

    def take_over(self, path: Path, source: Source, now: float) -> list[Connect | Park]:
        """Give `path` to `source`: the agent inside sees the same address and port as before."""
        former = self.by_source.get(source)
        if former is path:
            return []
        commands: list[Connect | Park] = [self.close(former)] if former is not None else []
        del self.by_source[path.source]
        path.source, path.since = source, now
        self.by_source[source] = path
        self.takeovers += 1
        return commands

    def close(self, path: Path) -> Park:
        """Forget a path."""
        path.peer.paths.remove(path)
        del self.by_source[path.source]
        self.by_inner[path.inner] = None
        self._free.append(path.inner)
        return Park(path.inner)
