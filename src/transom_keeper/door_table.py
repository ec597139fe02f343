"""Who may pass the door: datagrams and registrations in, commands out. Pure: no socket, no clock.

A source is learned, and gets one of the `door_paths`, only from a STUN check that names a registered pair of
ufrags and proves the guest's password; every other stranger is dropped unanswered.

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
from dataclasses import dataclass

from transom_keeper.door_limits import Allowance, DoorLimits
from transom_keeper.door_paths import Connect, DoorPaths, DoorPeer, Park, Path, Source
from transom_wire.control import RegisterPeer
from transom_wire.stun import BindingRequest, StunError, is_binding_request, parse_binding_request

DROP = -1
CHECK = -2
LAST_STUN_BYTE = 3
"""RFC 7983: a first byte of 0..3 is STUN; DTLS, RTP and RTCP begin at 20 and above."""


@dataclass(frozen=True, slots=True)
class Relay:
    """Send the datagram under judgement to the guest by `inner`."""

    inner: int


Command = Connect | Park | Relay


class DoorTable:
    """The door's memory. `now` is any clock in seconds that does not go back."""

    def __init__(self, inner_ports: Collection[int], limits: DoorLimits | None = None) -> None:
        self.limits = limits or DoorLimits()
        self.dropped: Counter[str] = Counter()
        self.packets_in = self.packets_out = self.bytes_in = self.bytes_out = 0
        self._own_ports = frozenset(inner_ports)
        self._paths = DoorPaths(len(inner_ports))
        self._peers: dict[str, DoorPeer] = {}
        self._by_pair: dict[tuple[str, str], DoorPeer] = {}
        self._seen: OrderedDict[bytes, None] = OrderedDict()
        self._outward = Allowance(self.limits.packets_per_s, self.limits.bytes_per_s, 0.0, 1.0)

    @property
    def peers(self) -> tuple[str, ...]:
        """Names of the registered peers, oldest first."""
        return tuple(self._peers)

    @property
    def takeovers(self) -> int:
        """How often a path went over to another source."""
        return self._paths.takeovers

    @property
    def sources(self) -> int:
        """How many sources are known now."""
        return len(self._paths.by_source)

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
        allowance = Allowance(limits.viewer_packets_per_s, limits.viewer_bytes_per_s, now, 2.0)
        self._peers[pair.peer] = self._by_pair[_key(pair)] = DoorPeer(pair, now, allowance)
        return commands

    def release(self, peer: str) -> list[Command]:
        """Forget a peer and its sources; unknown is fine."""
        found = self._peers.pop(peer, None)
        if found is None:
            return []
        self._forget_pair(found)
        return [self._paths.close(path) for path in tuple(found.paths)]

    def expire(self, now: float) -> list[Command]:
        """Forget sources that have been silent for too long; the peer stays until it is released."""
        oldest = now - self.limits.source_idle_s
        silent = [path for path in self._paths.by_source.values() if path.heard < oldest]
        return [self._paths.close(path) for path in silent]

    def arrived(self, source: Source, datagram: bytes, now: float) -> int:
        """The inner socket for a datagram from outside; DROP; or CHECK, which asks for `check`."""
        path = self._paths.by_source.get(source)
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
        path = self._paths.by_inner[inner]
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
        path = self._paths.by_source[source]
        path.heard = now
        self.packets_in += 1
        self.bytes_in += len(datagram)
        return [*commands, Relay(path.inner)]

    def _admit(
        self, source: Source, request: BindingRequest, peer: DoorPeer, now: float
    ) -> list[Connect | Park] | str:
        """Commands that make `source` one of the peer's, or why it may not be."""
        paths, limits = self._paths, self.limits
        path, carrier = paths.by_source.get(source), peer.carrier
        if path is not None and path.peer is peer:
            return paths.take_over(carrier, source, now) if carrier and self._left(carrier, path, now) else []
        if request.transaction in self._seen:
            return "replayed"
        if carrier and carrier.silent(now, limits.takeover_silence_s):
            return paths.take_over(carrier, source, now)
        silent = [each for each in peer.paths if each.silent(now, limits.takeover_silence_s)]
        quietest = min(silent, key=lambda each: each.heard, default=None)
        fresh = now - peer.since <= limits.registration_s
        if fresh and len(peer.paths) < limits.sources_per_peer and (paths.free or path is not None):
            return paths.open(source, peer, now)
        if quietest is not None:
            return paths.take_over(quietest, source, now)
        if not fresh:
            return "late"
        return "sources" if paths.free else "full"

    def _left(self, carrier: Path, path: Path, now: float) -> bool:
        """True when the viewer is no longer at the carrier's source but at that of `path`."""
        since_it_came = carrier.heard <= path.since
        limits = self.limits
        return carrier.silent(now, limits.takeover_silence_s if since_it_came else limits.move_silence_s)

    def _forget_pair(self, peer: DoorPeer) -> None:
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
