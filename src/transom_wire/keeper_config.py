"""What a keeper is told as it starts: one machine, and what it may use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from transom_wire.codec import Many, Range, Text
from transom_wire.exit import ExitRoute
from transom_wire.fields import Address, Id, Milliseconds, PagePattern, Path, Port, Side, Token, Url
from transom_wire.vm import VmConfig


@dataclass(frozen=True, slots=True)
class Limits:
    """What one machine may use."""

    memory_bytes: Annotated[int, Range(64 * 2**20, 2**50)]
    cpu_millis: Annotated[int, Range(50, 10**6)]
    """Thousandths of a core."""
    pids: Annotated[int, Range(32, 10**6)]
    disk_bytes: Annotated[int, Range(64 * 2**20, 2**50)] = 8 * 2**30
    """What a machine may write over its read-only image."""


@dataclass(frozen=True, slots=True)
class KeeperConfig:
    """What a keeper is told on its standard input, once. No secret of the controller's is in it."""

    TYPE: ClassVar[str] = "keeper_config"
    machine: Id
    session: Id | None
    """None: a warm machine, which waits without identity for its Claim."""
    folder: Path
    """The machine's own folder: socket, log, exit note."""
    driver: Annotated[str, Text(16, "namespace|qemu|firecracker")]
    image_root: Path
    """The golden root as a folder; for a virtual machine the image's folder."""
    guest_source: Path
    """Folder that holds transom_guest and transom_wire; mounted read-only."""
    uid: Annotated[int, Range(0, 2**32 - 2)] | None
    """When the keeper starts as root: the user it becomes before anything of the guest runs."""
    width: Side
    height: Side
    start_url: Url
    exit: ExitRoute
    door_address: Address
    """Address of this host that viewers reach, told to them as the door's candidate and bound."""
    door_port_low: Port
    door_port_high: Port
    deadline: Milliseconds
    """Unix time in milliseconds after which the keeper ends the machine, controller or not."""
    limits: Limits
    program: Annotated[str, Text(16, "browser|terminal")] = "browser"
    """What the desktop starts with, and whose first window makes it ready."""
    signin_pages: Annotated[tuple[PagePattern, ...], Many(64)] | None = None
    """Told to the guest where sessions may be recorded: pages to sign in at, besides those that it knows."""
    vm: VmConfig | None = None
    """Set for the drivers that make virtual machines."""
    helper: Path | None = None
    """The root helper's socket; None where none is needed."""
    boot_token: Token | None = None
    """The one-use token that a restored snapshot's guest holds; None: the keeper makes one."""
