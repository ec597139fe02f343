"""What a keeper or a controller may ask of the root helper, over its unix socket (SOCK_SEQPACKET).

One request and one answer a message; descriptors travel beside them (SCM_RIGHTS) in the order that each
message names. No request carries a path, a command or a name that the helper would use as it is: files
come as descriptors, and everything else is an id, a number or an enum. The helper knows its caller by
SO_PEERCRED only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from transom_wire.codec import Many, Range, Text
from transom_wire.fields import Id, Line
from transom_wire.keeper_config import Limits

HELPER_SOCKET = "/run/transom/helper.sock"
Tag = Annotated[str, Text(8, r"[0-9a-f]{8}")]
"""Names the controller's state folder: what belongs to whom on a shared host."""
Uid = Annotated[int, Range(1, 2**32 - 2)]


@dataclass(frozen=True, slots=True)
class MakeNetwork:
    """A network namespace with one TAP and the machine's sockets bound inside. Nothing names it: it is gone,
    with all in it, when the last descriptor of it closes, whoever dies first."""

    TYPE: ClassVar[str] = "make_network"
    machine: Id
    owner: Uid
    """Who may open the TAP by name (a jailed Firecracker)."""
    doors: Annotated[int, Range(1, 64)]
    open_tap: bool
    """True: the TAP comes as a descriptor (QEMU). False: it waits to be opened by name in the namespace."""


@dataclass(frozen=True, slots=True)
class Network:
    """Descriptors: the namespace, link listener, forwarder listener, `doors` UDP sockets, then the TAP if asked."""

    TYPE: ClassVar[str] = "network"


@dataclass(frozen=True, slots=True)
class MakeGroup:
    """Control groups with the machine's limits; the process of the descriptor (a pidfd) goes in."""

    TYPE: ClassVar[str] = "make_group"
    machine: Id
    tag: Tag
    limits: Limits


@dataclass(frozen=True, slots=True)
class Group:
    """Made, and joined. `warnings` name the limits that could not be had."""

    TYPE: ClassVar[str] = "group"
    warnings: Annotated[tuple[str, ...], Many(16), Text(500)]


@dataclass(frozen=True, slots=True)
class StartJail:
    """Start the configured firecracker under its jailer: a user, a chroot, a group and a namespace of its own.

    Descriptors: the network namespace, kernel, initramfs, rootfs, config drive, overlay (writable), console
    (its standard output and error: a pipe's write end), then, to restore or to save: snapshot state, snapshot
    memory (read-only to restore, writable to save). They appear in the jail under vm.JAIL_*.
    """

    TYPE: ClassVar[str] = "start_jail"
    machine: Id
    tag: Tag
    owner: Uid
    limits: Limits
    restore: bool
    save: bool = False
    """A snapshot will be saved: two writable files come along. Never with `restore`."""


@dataclass(frozen=True, slots=True)
class Jailed:
    """Runs. Descriptors: its pidfd, a connection to its API socket. `warnings` as in Group."""

    TYPE: ClassVar[str] = "jailed"
    warnings: Annotated[tuple[str, ...], Many(16), Text(500)] = ()


@dataclass(frozen=True, slots=True)
class Remove:
    """End and remove all that the helper has of this machine: jail, groups. Idempotent."""

    TYPE: ClassVar[str] = "remove"
    machine: Id
    tag: Tag


@dataclass(frozen=True, slots=True)
class Removed:
    """Nothing is left."""

    TYPE: ClassVar[str] = "removed"


@dataclass(frozen=True, slots=True)
class Survey:
    """Ask what the helper has for `tag`."""

    TYPE: ClassVar[str] = "survey"
    tag: Tag


@dataclass(frozen=True, slots=True)
class Found:
    """The machines of which the helper has something, and what the helper is."""

    TYPE: ClassVar[str] = "found"
    machines: Annotated[tuple[str, ...], Many(4096), Text(64)]
    version: Annotated[int, Range(0, 1000)] = 0
    """Its WIRE_VERSION."""
    jail: Line = ""
    """Why it starts no Firecracker; empty when it does."""
    controllers: Annotated[tuple[str, ...], Many(8), Text(32)] = ()
    """The limits that it can give a machine: memory, cpu, pids."""


@dataclass(frozen=True, slots=True)
class Denied:
    """Not done; `mend` is the command or act that helps."""

    TYPE: ClassVar[str] = "denied"
    reason: Line
    mend: Line = ""


TO_HELPER = (MakeNetwork, MakeGroup, StartJail, Remove, Survey)
FROM_HELPER = (Network, Group, Jailed, Removed, Found, Denied)
HelperRequest = MakeNetwork | MakeGroup | StartJail | Remove | Survey
HelperAnswer = Network | Group | Jailed | Removed | Found | Denied
