"""The root helper, asked from outside: blocking, one connection a request, for use before a keeper drops rights."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from transom_keeper import packets
from transom_keeper.arrivals import ArrivalError, MachineSockets, check
from transom_wire.helper import (
    FROM_HELPER,
    Denied,
    Found,
    Group,
    HelperRequest,
    Jailed,
    MakeGroup,
    MakeNetwork,
    Network,
    Remove,
    Removed,
    StartJail,
    Survey,
)
from transom_wire.keeper_config import Limits
from transom_wire.vm import GATEWAY

SECONDS = 30.0
"""For one request, its answer included; the helper's own deadlines are shorter."""
FOUND_BYTES = 512 * 1024
"""The longest answer: Found with all the machines it may name."""
SOCKETS_BEFORE_DOORS = 2
NO_TAG = "00000000"
"""To ask what the helper can, and of no machine."""
AGAIN_SECONDS = 0.02
_START = "systemctl start transom-helper.socket"
A = TypeVar("A")


class HelperError(Exception):
    """The helper cannot be reached, or has said no; `mend` is the command or act that helps."""

    def __init__(self, reason: str, mend: str = "") -> None:
        super().__init__(reason)
        self.reason, self.mend = reason, mend


@dataclass(frozen=True, slots=True)
class MachineNetwork:
    """A machine's network; it is there for as long as one of these descriptors is open anywhere."""

    namespace: int
    sockets: MachineSockets
    """Bound inside, not blocking."""
    tap: int | None
    """The TAP, opened with IFF_TAP | IFF_NO_PI | IFF_VNET_HDR; None when it is to be opened by name."""

    def close(self) -> None:
        """Let go of all of it: the last one to do so ends the network."""
        self.sockets.close()
        self.leave()

    def leave(self) -> None:
        """Let go of all but the sockets, which somebody listens on and closes. Once."""
        packets.close([self.namespace] + ([] if self.tap is None else [self.tap]))


@dataclass(frozen=True, slots=True)
class Jail:
    """A started Firecracker: `pidfd` is its process, `api` a connection to its API (not blocking)."""

    pidfd: int
    api: socket.socket
    warnings: tuple[str, ...] = ()
    """Limits that could not be had."""

    def close(self) -> None:
        """Let go of both; the process lives on."""
        self.api.close()
        packets.close([self.pidfd])


@dataclass(frozen=True, slots=True)
class Helper:
    """The helper that listens at `path`. Every call raises HelperError, and nothing else of its own."""

    path: str
    seconds: float = SECONDS

    def network(self, machine: str, owner: int, doors: int, *, open_tap: bool) -> MachineNetwork:
        """Make a namespace with one TAP, which the user `owner` may open by name, and `doors` UDP sockets."""
        request = MakeNetwork(machine=machine, owner=owner, doors=doors, open_tap=open_tap)
        count = 1 + SOCKETS_BEFORE_DOORS + doors + open_tap
        _, got = self._ask(request, Network, count)
        try:
            return _network(got, open_tap)
        except (OSError, ArrivalError) as error:
            raise HelperError(f"the helper's sockets cannot be used: {error}") from error

    def group(self, machine: str, tag: str, limits: Limits, pidfd: int) -> tuple[str, ...]:
        """Put the process of `pidfd` into groups of the machine's own; the limits that could not be had."""
        return self._ask(MakeGroup(machine=machine, tag=tag, limits=limits), Group, 0, [pidfd])[0].warnings

    def start_jail(self, request: StartJail, descriptors: Sequence[int]) -> Jail:
        """Start Firecracker; `descriptors` as StartJail says, which stay the caller's."""
        answer, (pidfd, api) = self._ask(request, Jailed, 2, descriptors)
        try:
            connection = socket.socket(fileno=api)
            connection.setblocking(False)
        except OSError as error:
            packets.close([pidfd, api])
            raise HelperError("the helper's connection cannot be used") from error
        return Jail(pidfd, connection, answer.warnings)

    def remove(self, machine: str, tag: str) -> None:
        """End and remove what the helper has of the machine. Idempotent."""
        self._ask(Remove(machine=machine, tag=tag), Removed, 0)

    def survey(self, tag: str) -> Found:
        """The machines of `tag` of which the helper has something, and what the helper can."""
        return self._ask(Survey(tag=tag), Found, 0)[0]

    def _ask(
        self, request: HelperRequest, expected: type[A], count: int, descriptors: Sequence[int] = ()
    ) -> tuple[A, list[int]]:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
                peer.settimeout(self.seconds)
                self._connect(peer)
                packets.send(peer, request, descriptors)
                answer, got = packets.receive(peer, FROM_HELPER, FOUND_BYTES)
        except TimeoutError as error:
            raise HelperError("the root helper does not answer in time", _START) from error
        except (packets.Closed, ConnectionResetError, BrokenPipeError) as error:
            raise HelperError(
                "the root helper closed the connection: this user may not use it, or asks too much",
                f"add --allow-uid {os.geteuid()} to the helper's command",
            ) from error
        except (OSError, packets.PacketError) as error:
            raise HelperError(f"the root helper's answer is none: {error}") from error
        if isinstance(answer, expected) and len(got) == count:
            return answer, got
        packets.close(got)
        if isinstance(answer, Denied):
            raise HelperError(answer.reason, answer.mend)
        raise HelperError("the root helper answered something else than was asked", "update transom's helper")

    def _connect(self, peer: socket.socket) -> None:
        deadline = time.monotonic() + self.seconds
        while True:
            try:
                peer.connect(self.path)
                return
            except BlockingIOError as error:  # so many connect at once that the rest has to queue
                if time.monotonic() > deadline:
                    raise TimeoutError from error
                time.sleep(AGAIN_SECONDS)
            except (FileNotFoundError, ConnectionRefusedError) as error:
                raise HelperError(f"no root helper listens at {self.path}", _START) from error
            except PermissionError as error:
                raise HelperError(f"{self.path} may not be opened", f"chmod 666 {self.path}") from error


def _network(got: list[int], open_tap: bool) -> MachineNetwork:
    """The helper's descriptors in their order, each checked to be what it should. Closes them all when one is
    not. Raises ArrivalError, OSError."""
    with contextlib.ExitStack() as undo:
        undo.callback(packets.close, got)
        sockets = []
        for descriptor in got[1 : len(got) - open_tap]:
            sockets.append(socket.socket(fileno=descriptor))
            got.remove(descriptor)
            undo.callback(sockets[-1].close)
        checked = check(sockets, GATEWAY)
        undo.pop_all()
    return MachineNetwork(got[0], checked, got[1] if open_tap else None)
