"""Who may pass the door: datagrams and registrations in, commands out. Pure: no socket, no clock.

A *source* is where a viewer's datagrams come from, as `recvfrom` names it. A *path* joins one source to one
inner socket, and so to the guest's ICE agent. A source is learned only from a STUN check that names a
registered pair of ufrags and proves the guest's password; every other stranger is dropped unanswered.

| a check that proves itself comes from | what happens |
|---|---|
| an unknown source, registration fresh | a path of its own, `sources_per_peer` at most |
| an unknown source, and the path that carries media is silent | it takes that path over: the agent follows no other |
| a known source, and the path that carries media is dead, or silent since that source came | the same |
| a known source, with another peer's ufrags | it leaves its path and becomes a source of that peer |
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from transom_wire.control import RegisterPeer
from transom_wire.rate import Bucket
from transom_wire.stun import BindingRequest, StunError, is_binding_request, parse_binding_request

Source = tuple[Any, ...]
"""`(host, port)` of IPv4 or `(host, port, flow, scope)` of IPv6."""

DROP = -1
CHECK = -2
LAST_STUN_BYTE = 3
"""RFC 7983: a first byte of 0..3 is STUN; DTLS, RTP and RTCP begin at 20 and above."""


@dataclass(frozen=True, slots=True)
class DoorLimits:
    """Thresholds of one machine's door; seconds, packets and bytes."""

    registration_s: float = 30.0
    """A registration admits additional sources for this long; later ones can only replace a silent one."""
    sources_per_peer: int = 4
    """Browsers check from each network interface; more at once is not a viewer."""
    peers: int = 64
    """Registrations held at once (as many as a Snapshot lists); the oldest gives way."""
    takeover_silence_s: float = 1.0
    """A media path silent for longer is taken over by a new source: the viewer changed its address."""
    move_silence_s: float = 3.0
    """A media path silent for longer is taken over by any other source of the peer that still checks.
    Browsers check the pair they use at least each 2.5 s, so this is never a live one."""
    source_idle_s: float = 60.0
    """A source silent for longer is forgotten. Browsers check their spare pairs each 25 s."""
    packets_per_s: int = 8_000
    bytes_per_s: int = 6 * 2**20
    """To all viewers together, and as many at once: four of them at 12 Mbit/s, and no more of a tunnel."""
    viewer_packets_per_s: int = 1_500
    viewer_bytes_per_s: int = 2 * 2**20
    """From one viewer, and twice as many at once: so nobody who floods takes the room of another, or of the picture.
    A page that types, points, speaks and reports sends some three hundred; a clipboard goes at this rate."""
    replays: int = 4_096
    """Transactions remembered, so that a check seen once teaches no second source."""


@dataclass(frozen=True, slots=True)
class Connect:
    """Join inner socket `inner` to the agent's `port`, and throw away what it had queued."""

    inner: int
    port: int


@dataclass(frozen=True, slots=True)
class Park:
    """Let inner socket `inner` go, so that nobody inside can send to it."""

    inner: int


@dataclass(frozen=True, slots=True)
class Relay:
    """Send the datagram under judgement to the guest by `inner`."""

    inner: int


Command = Connect | Park | Relay


@dataclass(slots=True)
class _Path:
    inner: int
    source: Source
    peer: _Peer
    since: float
    heard: float
    media: float = 0.0
    """When the guest last sent something other than STUN this way; 0 for never."""


@dataclass(slots=True)
class _Peer:
    pair: RegisterPeer
    since: float
    allowance: _Allowance
    paths: list[_Path] = field(default_factory=list)


class _Allowance:
    """Packets, and the bytes in them."""

    def __init__(self, packets: float, size: float, now: float, seconds: float) -> None:
        """So many of each a second, and those of so many seconds at once."""
        self._packets = Bucket(packets, packets * seconds, now)
        self._bytes = Bucket(size, size * seconds, now)

    def take(self, size: int, now: float) -> bool:
        return self._packets.take(1, now) and self._bytes.take(size, now)


class DoorTable:
    """The door's memory. `now` is any clock in seconds that does not go back."""

    def __init__(self, inner_ports: Collection[int], limits: DoorLimits | None = None) -> None:
        self.limits = limits or DoorLimits()
        self.dropped: Counter[str] = Counter()
        self.takeovers = self.packets_in = self.packets_out = self.bytes_in = self.bytes_out = 0
        self._own_ports = frozenset(inner_ports)
        self._free = list(range(len(inner_ports)))
        self._by_inner: list[_Path | None] = [None] * len(inner_ports)
        self._by_source: dict[Source, _Path] = {}
        self._peers: dict[str, _Peer] = {}
        self._by_pair: dict[tuple[str, str], _Peer] = {}
        self._seen: OrderedDict[bytes, None] = OrderedDict()
        self._outward = _Allowance(self.limits.packets_per_s, self.limits.bytes_per_s, 0.0, 1.0)

    @property
    def peers(self) -> tuple[str, ...]:
        """Names of the registered peers, oldest first."""
        return tuple(self._peers)

    @property
    def sources(self) -> int:
        """How many sources are known now."""
        return len(self._by_source)

    def source_of(self, peer: str) -> tuple[Source, ...]:
        """Where `peer` is heard from, oldest path first."""
        found = self._peers.get(peer)
        return tuple(path.source for path in found.paths) if found else ()

    def register(self, pair: RegisterPeer, now: float) -> list[Command]:
        """Admit a peer's sources from now on. The same peer again renews it; with another agent it starts anew.

        The port comes from the guest: one of the door's own would join two viewers, and is refused.
        """
        if pair.agent_port in self._own_ports:
            self.dropped["own_port"] += 1
            return []
        commands: list[Command] = []
        known = self._peers.get(pair.peer)
        if known is not None and _same_agent(known.pair, pair):
            self._forget_pair(known)
            known.pair, known.since = pair, now
            self._by_pair[_key(pair)] = known
            return commands
        commands += self.release(pair.peer)
        if len(self._peers) >= self.limits.peers:
            commands += self.release(next(iter(self._peers)))
        limits = self.limits
        allowance = _Allowance(limits.viewer_packets_per_s, limits.viewer_bytes_per_s, now, 2.0)
        self._peers[pair.peer] = self._by_pair[_key(pair)] = _Peer(pair, now, allowance)
        return commands

    def release(self, peer: str) -> list[Command]:
        """Forget a peer and its sources; unknown is fine."""
        found = self._peers.pop(peer, None)
        if found is None:
            return []
        self._forget_pair(found)
        return [self._close(path) for path in tuple(found.paths)]

    def expire(self, now: float) -> list[Command]:
        """Forget sources that have been silent for too long; the peer stays until it is released."""
        oldest = now - self.limits.source_idle_s
        return [self._close(path) for path in tuple(self._by_source.values()) if path.heard < oldest]

    def arrived(self, source: Source, datagram: bytes, now: float) -> int:
        """The inner socket for a datagram from outside; DROP; or CHECK, which asks for `check`."""
        path = self._by_source.get(source)
        if path is None or not datagram or (datagram[0] == 0 and is_binding_request(datagram)):
            return CHECK
        if not path.peer.allowance.take(len(datagram), now):
            self.dropped["viewer_rate"] += 1
            return DROP
        path.heard = now
        self.packets_in += 1
        self.bytes_in += len(datagram)
        return path.inner

    def answered(self, inner: int, datagram: bytes, now: float) -> Source | None:
        """Where a datagram goes that came out of `inner`; None drops it."""
        path = self._by_inner[inner]
        if path is None or not datagram:
            self.dropped["unheld"] += 1
            return None
        if not self._outward.take(len(datagram), now):
            self.dropped["rate"] += 1
            return None
        if datagram[0] > LAST_STUN_BYTE:
            path.media = now
        self.packets_out += 1
        self.bytes_out += len(datagram)
        return path.source

    def check(self, source: Source, datagram: bytes, now: float) -> list[Command]:
        """Judge a datagram that is a check or comes from a stranger. A drop is counted and gives no command."""
        if not is_binding_request(datagram):
            return self._drop("stranger")
        try:
            request = parse_binding_request(datagram)
        except StunError:
            return self._drop("malformed")
        peer = self._by_pair.get((request.guest_ufrag, request.viewer_ufrag))
        if peer is None:
            return self._drop("user")
        if not request.proves(peer.pair.guest_password):
            return self._drop("integrity")
        if not peer.allowance.take(len(datagram), now):
            return self._drop("viewer_rate")
        commands = self._admit(source, request, peer, now)
        if isinstance(commands, str):
            return self._drop(commands)
        self._remember(request.transaction)
        path = self._by_source[source]
        path.heard = now
        self.packets_in += 1
        self.bytes_in += len(datagram)
        return [*commands, Relay(path.inner)]

    def _admit(self, source: Source, request: BindingRequest, peer: _Peer, now: float) -> list[Command] | str:
        """Commands that make `source` one of the peer's, or why it may not be."""
        path = self._by_source.get(source)
        carrier = max(peer.paths, key=lambda each: each.media, default=None)
        carrier = carrier if carrier is not None and carrier.media else None
        if path is not None and path.peer is peer:
            return self._take_over(carrier, source, now) if carrier and self._left(carrier, path, now) else []
        if request.transaction in self._seen:
            return "replayed"
        if carrier and self._silent(carrier, now, self.limits.takeover_silence_s):
            return self._take_over(carrier, source, now)
        silent = [each for each in peer.paths if self._silent(each, now, self.limits.takeover_silence_s)]
        quietest = min(silent, key=lambda each: each.heard, default=None)
        fresh = now - peer.since <= self.limits.registration_s
        if fresh and len(peer.paths) < self.limits.sources_per_peer and (self._free or path is not None):
            return self._open(source, peer, now)
        if quietest is not None:
            return self._take_over(quietest, source, now)
        if not fresh:
            return "late"
        return "sources" if self._free else "full"

    def _open(self, source: Source, peer: _Peer, now: float) -> list[Command]:
        former = self._by_source.get(source)
        commands: list[Command] = [self._close(former)] if former is not None else []
        inner = self._free.pop(0)
        path = _Path(inner, source, peer, now, now)
        self._by_inner[inner] = self._by_source[source] = path
        peer.paths.append(path)
        return [*commands, Connect(inner, peer.pair.agent_port)]

    def _take_over(self, path: _Path, source: Source, now: float) -> list[Command]:
        """Give `path` to `source`: the agent inside sees the same address and port as before."""
        former = self._by_source.get(source)
        if former is path:
            return []
        commands: list[Command] = [self._close(former)] if former is not None else []
        del self._by_source[path.source]
        path.source, path.since = source, now
        self._by_source[source] = path
        self.takeovers += 1
        return commands

    def _close(self, path: _Path) -> Park:
        path.peer.paths.remove(path)
        del self._by_source[path.source]
        self._by_inner[path.inner] = None
        self._free.append(path.inner)
        return Park(path.inner)

    def _left(self, carrier: _Path, path: _Path, now: float) -> bool:
        """True when the viewer is no longer at the carrier's source but at that of `path`."""
        since_it_came = carrier.heard <= path.since
        limits = self.limits
        return self._silent(
            carrier, now, limits.takeover_silence_s if since_it_came else limits.move_silence_s
        )

    def _silent(self, path: _Path, now: float, longer_than: float) -> bool:
        return now - path.heard > longer_than

    def _forget_pair(self, peer: _Peer) -> None:
        if self._by_pair.get(_key(peer.pair)) is peer:
            del self._by_pair[_key(peer.pair)]

    def _remember(self, transaction: bytes) -> None:
        self._seen[transaction] = None
        if len(self._seen) > self.limits.replays:
            self._seen.popitem(last=False)

    def _drop(self, reason: str) -> list[Command]:
        self.dropped[reason] += 1
        return []


def _key(pair: RegisterPeer) -> tuple[str, str]:
    return pair.guest_ufrag, pair.viewer_ufrag


def _same_agent(one: RegisterPeer, other: RegisterPeer) -> bool:
    return (one.guest_ufrag, one.guest_password, one.agent_port) == (
        other.guest_ufrag,
        other.guest_password,
        other.agent_port,
    )
