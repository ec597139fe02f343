"""Messages between the controller and one keeper, over the keeper's unix socket.

The first frame a client sends is Attach. `control` becomes the machine's one controller (the newest
wins, the older connection is closed); `stream` asks for one raw byte stream to a server in the
machine and, once answered by Attached, carries bytes without frames; `status` gets one Snapshot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from transom_wire.codec import Blob, Many, Range, Text
from transom_wire.exit import ExitName, ExitRoute
from transom_wire.fields import Address, Hostname, Id, Line, MachineId, Milliseconds, Port, Side, Url
from transom_wire.framing import MAX_FRAME

Ufrag = Annotated[str, Text(256, r"[A-Za-z0-9+/]{4,256}")]
Password = Annotated[str, Text(256, r"[A-Za-z0-9+/]{22,256}")]


@dataclass(frozen=True, slots=True)
class Attach:
    """First frame from a client."""

    TYPE: ClassVar[str] = "attach"
    version: Annotated[int, Range(1, 1000)]
    mode: Annotated[str, Text(16, "control|stream|status")]
    stream_kind: Annotated[str, Text(16, "vnc|view|files|record|channel")] | None = None


@dataclass(frozen=True, slots=True)
class Attached:
    """A stream is open; raw bytes follow in both directions."""

    TYPE: ClassVar[str] = "attached"


@dataclass(frozen=True, slots=True)
class Refused:
    """The client's request cannot be done; the connection closes."""

    TYPE: ClassVar[str] = "refused"
    reason: Line


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the keeper knows. First frame to a new controller, so that it can adopt the machine."""

    TYPE: ClassVar[str] = "snapshot"
    version: Annotated[int, Range(1, 1000)]
    machine: Id
    session: Id | None
    """None while a warm machine waits."""
    exit: ExitName | None
    """The exit its forwarder leaves by; None for none and direct."""
    state: Annotated[str, Text(16, "starting|running|exited")]
    exit_reason: Line
    started_at: Milliseconds
    deadline: Milliseconds
    door_address: Address
    door_port: Port
    stages: Annotated[dict[str, str], Many(16)]
    """Boot stages reached -> Unix milliseconds as text; `ready` among them once a browser has painted."""
    roles: Annotated[tuple[str, ...], Many(8)]
    """Link roles connected now."""
    width: Side
    height: Side
    warnings: Annotated[tuple[str, ...], Many(16), Text(500)]
    """Limits that could not be had, in words for the operator."""
    peers: Annotated[tuple[str, ...], Many(64)]
    """Peers registered with the door."""
    counters: Annotated[dict[str, str], Many(64)]
    """Door and forwarder counters, as decimal text."""


@dataclass(frozen=True, slots=True)
class FromGuest:
    """A guest's message, already checked against its role. `number` is acknowledged by Acknowledge."""

    TYPE: ClassVar[str] = "from_guest"
    number: Annotated[int, Range(1, 2**53)]
    role: Annotated[str, Text(16, "boot|webrtc|signin")]
    at: Milliseconds
    body: Annotated[bytes, Blob(MAX_FRAME * 3 // 4 - 1024)]


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Every message up to `number` is committed; the keeper may forget them."""

    TYPE: ClassVar[str] = "acknowledge"
    number: Annotated[int, Range(1, 2**53)]


@dataclass(frozen=True, slots=True)
class ToGuest:
    """A message for the guest's `role`. Dropped, and counted, when that role is not connected."""

    TYPE: ClassVar[str] = "to_guest"
    role: Annotated[str, Text(16, "boot|webrtc|signin")]
    body: Annotated[bytes, Blob(MAX_FRAME * 3 // 4 - 1024)]


@dataclass(frozen=True, slots=True)
class RoleChanged:
    """A link role connected or went away."""

    TYPE: ClassVar[str] = "role_changed"
    role: Annotated[str, Text(16, "boot|webrtc|signin")]
    connected: bool


@dataclass(frozen=True, slots=True)
class GuestMisbehaved:
    """The guest sent garbage or flooded, and that connection was closed."""

    TYPE: ClassVar[str] = "guest_misbehaved"
    role: Annotated[str, Text(16)]
    reason: Line


@dataclass(frozen=True, slots=True)
class ClaimAnswer:
    """The guest has taken its identity, or why it has not: that machine is of no use then."""

    TYPE: ClassVar[str] = "claim_answer"
    session: Id
    accepted: bool
    reason: Line = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """What the machine uses now, each five seconds while a controller listens, and once before the end.

    Decimal texts: memory_bytes, cpu_ms (since the start), pids, disk_bytes, and the counters of Snapshot
    that begin with `exit_` (bytes_up, bytes_down, connections, failed_*), which only ever rise, as door_dropped
    does, and of it door_flooded: packets that the door did not pass, those of viewers who sent too many.
    """

    TYPE: ClassVar[str] = "usage"
    at: Milliseconds
    numbers: Annotated[dict[str, str], Many(64)]


@dataclass(frozen=True, slots=True)
class MachineExited:
    """The machine is gone."""

    TYPE: ClassVar[str] = "machine_exited"
    reason: Line


@dataclass(frozen=True, slots=True)
class RegisterPeer:
    """Let a viewer through the door: sent before the answer goes out. Valid 30 s for new sources."""

    TYPE: ClassVar[str] = "register_peer"
    peer: Id
    guest_ufrag: Ufrag
    guest_password: Password
    viewer_ufrag: Ufrag
    agent_port: Port
    """Port of the guest's ICE agent on the machine's own address."""


@dataclass(frozen=True, slots=True)
class ReleasePeer:
    """The peer is over; its sources are forgotten."""

    TYPE: ClassVar[str] = "release_peer"
    peer: Id


@dataclass(frozen=True, slots=True)
class SetExit:
    """Leave by this route from now on. Tunnels of another exit end; the guest may dial again."""

    TYPE: ClassVar[str] = "set_exit"
    route: ExitRoute


@dataclass(frozen=True, slots=True)
class Claim:
    """Give a warm machine to a session: the guest gets an identity of its own, fresh random numbers and the
    time, and starts its program afresh. Answered by ClaimAnswer. The same claim twice is answered twice; a
    claim for another session is refused."""

    TYPE: ClassVar[str] = "claim"
    session: Id
    width: Side
    height: Side
    start_url: Url
    deadline: Milliseconds
    machine_id: MachineId
    hostname: Hostname
    seed: Annotated[bytes, Blob(64)]
    route: ExitRoute


@dataclass(frozen=True, slots=True)
class SetDeadline:
    """Move the deadline of last resort."""

    TYPE: ClassVar[str] = "set_deadline"
    deadline: Milliseconds


@dataclass(frozen=True, slots=True)
class StopMachine:
    """End the machine now; the keeper answers with MachineExited and ends itself."""

    TYPE: ClassVar[str] = "stop_machine"
    reason: Line


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """Either way, each ten seconds."""

    TYPE: ClassVar[str] = "keep_alive"


FROM_KEEPER = (
    Snapshot,
    Attached,
    Refused,
    FromGuest,
    RoleChanged,
    GuestMisbehaved,
    ClaimAnswer,
    Usage,
    MachineExited,
    KeepAlive,
)
TO_KEEPER = (
    Attach,
    Acknowledge,
    ToGuest,
    RegisterPeer,
    ReleasePeer,
    SetExit,
    Claim,
    SetDeadline,
    StopMachine,
    KeepAlive,
)
KeeperMessage = (
    Snapshot
    | Attached
    | Refused
    | FromGuest
    | RoleChanged
    | GuestMisbehaved
    | ClaimAnswer
    | Usage
    | MachineExited
    | KeepAlive
)
ControllerMessage = (
    Attach
    | Acknowledge
    | ToGuest
    | RegisterPeer
    | ReleasePeer
    | SetExit
    | Claim
    | SetDeadline
    | StopMachine
    | KeepAlive
)
