"""The door: a UDP relay between viewers and the guest's ICE agent. It rewrites nothing inside datagrams.

Outside there is one public socket per keeper. Inside, in a network namespace without a route, there is a
pool of sockets that the guest's init bound and passed out; each serves one source at a time. The rules
are `door_table`'s; this module moves datagrams.

The pool belongs to one machine and closes with it. An inner socket that serves nobody is *parked*:
connected to its own address, so that the kernel refuses every sender inside.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial

from transom_keeper.door_limits import DoorLimits
from transom_keeper.door_paths import Connect, Park, Source
from transom_keeper.door_table import CHECK, Command, DoorTable, Relay
from transom_wire.control import RegisterPeer

BATCH = 64
"""Datagrams read from one socket per wake-up, so that a flood on one starves nobody."""
MAX_DATAGRAM = 2048
"""Bytes. Media stays under 1200; what fills this was longer, and is dropped."""
PUBLIC_BUFFER = 4 * 2**20
INNER_BUFFER = 2**20
"""Bytes of socket buffer: a key frame leaves the guest as one burst of some hundred datagrams."""
FLUSH_LIMIT = 4096
"""Datagrams thrown away at most when an inner socket is joined to an agent."""
EXPIRY_S = 5.0
"""Seconds between looks for silent sources."""


class Door:
    """One machine's door, relaying from construction to `close`.

    `public` is a bound UDP socket, IPv4 or IPv6; `inner` are UDP sockets bound inside the machine's network
    namespace, and `agent_address` is where the guest's ICE agent listens there. The door owns them all.
    Raises ValueError when a socket is not a bound datagram socket.
    """

    def __init__(
        self,
        public: socket.socket,
        inner: list[socket.socket],
        loop: asyncio.AbstractEventLoop,
        *,
        agent_address: str = "127.0.0.1",
        limits: DoorLimits | None = None,
    ) -> None:
        for each in (public, *inner):
            _require_bound_udp(each)
        self._public, self._inner, self._loop = public, inner, loop
        self._agent_address = agent_address
        self._homes = [each.getsockname() for each in inner]
        self._table = DoorTable([home[1] for home in self._homes], limits)
        self._errors: Counter[str] = Counter()
        self._closed = False
        _prepare(public, PUBLIC_BUFFER)
        for index, each in enumerate(inner):
            _prepare(each, INNER_BUFFER)
            self._park(index)
            loop.add_reader(each, partial(self._from_guest, index))
        loop.add_reader(public, self._from_viewers)
        self._timer = loop.call_later(EXPIRY_S, self._expire)

    def register(self, pair: RegisterPeer) -> None:
        """Let a viewer through: to be called before the guest's answer goes out. Repeating it renews it."""
        if not self._closed:
            self._do(self._table.register(pair, time.monotonic()))

    def release(self, peer: str) -> None:
        """Forget a peer and its sources at once; one that is not known is fine."""
        if not self._closed:
            self._do(self._table.release(peer))

    def peers(self) -> tuple[str, ...]:
        """Names of the registered peers, oldest first."""
        return self._table.peers

    def counters(self) -> dict[str, str]:
        """Decimal text by name: traffic, sources, and what was dropped by reason."""
        table = self._table
        numbers = {
            "sources": table.sources,
            "takeovers": table.takeovers,
            "packets_in": table.packets_in,
            "packets_out": table.packets_out,
            "bytes_in": table.bytes_in,
            "bytes_out": table.bytes_out,
        }
        numbers |= {f"dropped_{reason}": count for reason, count in (table.dropped + self._errors).items()}
        return {name: str(number) for name, number in numbers.items()}

    def sums(self) -> dict[str, str]:
        """Of those, packets dropped so far: all, and those of viewers who sent more than may be."""
        dropped = self._table.dropped + self._errors
        return {"dropped": str(dropped.total()), "flooded": str(dropped["viewer_rate"])}

    def close(self) -> None:
        """Stop relaying and close every socket. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._timer.cancel()
        for each in (self._public, *self._inner):
            self._loop.remove_reader(each)
            each.close()

    def _from_viewers(self) -> None:
        table, receive, now = self._table, self._public.recvfrom, time.monotonic()
        for _ in range(BATCH):
            try:
                datagram, source = receive(MAX_DATAGRAM)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self._errors["public_error"] += 1
                return
            if len(datagram) == MAX_DATAGRAM:
                self._errors["oversize"] += 1
                continue
            inner = table.arrived(source, datagram, now)
            if inner >= 0:
                self._to_guest(inner, datagram)
            elif inner == CHECK:
                self._do(table.check(source, datagram, now), datagram)

    def _from_guest(self, inner: int) -> None:
        table, receive, now = self._table, self._inner[inner].recv, time.monotonic()
        for _ in range(BATCH):
            try:
                datagram = receive(MAX_DATAGRAM)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                self._errors[_cause(error)] += 1
                return
            if len(datagram) == MAX_DATAGRAM:
                self._errors["oversize"] += 1
                continue
            source = table.answered(inner, datagram, now)
            if source is not None:
                self._to_viewer(source, datagram)

    def _to_guest(self, inner: int, datagram: bytes) -> None:
        try:
            self._inner[inner].send(datagram)
        except OSError as error:
            self._errors[_cause(error)] += 1

    def _to_viewer(self, source: Source, datagram: bytes) -> None:
        try:
            self._public.sendto(datagram, source)
        except BlockingIOError:
            self._errors["public_full"] += 1
        except OSError:
            self._errors["public_error"] += 1

    def _do(self, commands: Sequence[Command], datagram: bytes = b"") -> None:
        for command in commands:
            match command:
                case Connect(inner, port):
                    self._join(inner, port)
                case Park(inner):
                    self._park(inner)
                case Relay(inner):
                    self._to_guest(inner, datagram)

    def _join(self, inner: int, port: int) -> None:
        try:
            self._inner[inner].connect((self._agent_address, port))
        except OSError as error:
            self._errors[_cause(error)] += 1
        self._flush(inner)

    def _park(self, inner: int) -> None:
        """Not `connect(AF_UNSPEC)`: that lets everybody inside send, and gives an ephemeral port away."""
        try:
            self._inner[inner].connect(self._homes[inner])
        except OSError as error:
            self._errors[_cause(error)] += 1
        self._flush(inner)

    def _flush(self, inner: int) -> None:
        """Throw away what was queued before the kernel began to refuse other senders."""
        for _ in range(FLUSH_LIMIT):
            try:
                self._inner[inner].recv(MAX_DATAGRAM)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                continue

    def _expire(self) -> None:
        self._do(self._table.expire(time.monotonic()))
        self._timer = self._loop.call_later(EXPIRY_S, self._expire)


def _require_bound_udp(each: socket.socket) -> None:
    if each.type != socket.SOCK_DGRAM or each.family not in (socket.AF_INET, socket.AF_INET6):
        raise ValueError("the door takes UDP sockets only")
    if not each.getsockname()[1]:
        raise ValueError("the door takes bound sockets only")


def _prepare(each: socket.socket, size: int) -> None:
    each.setblocking(False)
    each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
    each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)


def _cause(error: OSError) -> str:
    """Why an inner socket refused: ECONNREFUSED is the agent's own socket gone."""
    if isinstance(error, ConnectionRefusedError):
        return "agent_gone"
    return "inner_full" if isinstance(error, BlockingIOError) else "inner_error"
