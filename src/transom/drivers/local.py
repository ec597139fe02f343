"""The driver that the settings choose, for machines on the controller's own host."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

from transom.drivers.firecracker.driver import FirecrackerDriver
from transom.drivers.keeper_host import Host, KeeperDeadlines
from transom.drivers.namespace.driver import NamespaceDriver
from transom.drivers.qemu.driver import QemuDriver
from transom.drivers.virtual import VirtualDriver, VmOptions
from transom.model.errors import DriverError
from transom.model.ports import Driver
from transom.settings import Settings


class Images(Protocol):
    """Where golden images are, by digest."""

    def current(self) -> str | None: ...
    def root(self, digest: str) -> Path: ...
    def part(self, digest: str, name: str) -> Path: ...
    def initramfs_with(self, digest: str, guest: Path, cache: Path) -> Path: ...
    def guest_code(self, digest: str, guest: Path) -> Path: ...


def host_of(settings: Settings, guest_source: Path) -> Host:
    """This host as the settings describe it; `guest_source` is the staged guest code."""
    return Host(
        settings.machines,
        guest_source,
        settings.door_address,
        (settings.door_port_low, settings.door_port_high),
        helper=settings.helper_socket,
        uid_base=settings.uid_base,
        signin_pages=None if settings.recording == "off" else settings.recording_pages,
    )


def vm_options(settings: Settings, program: Path) -> VmOptions:
    """What the settings say of virtual machines that `program` runs."""
    return VmOptions(
        program=program,
        helper=settings.helper_socket,
        state=settings.state,
        limits=settings.limits,
        size=(settings.width, settings.height),
        accelerator=settings.accelerator,
        cpus=settings.vm_cpus,
        desktop=settings.program,
    )


VM_DEADLINES = KeeperDeadlines(create=60.0)
"""A clone that does not wake up is given up after 25 s, and then booted."""


def local_driver(
    settings: Settings,
    images: Images,
    guest_source: Path,
    restored: Callable[[str, str], None] = lambda driver, outcome: None,
) -> Driver:
    """The driver called `settings.driver`; `restored` hears what came of each clone. Raises DriverError."""
    host = host_of(settings, guest_source)
    if settings.driver == "namespace":
        return NamespaceDriver(host, images, current_image=images.current)
    host = replace(host, deadlines=VM_DEADLINES)
    made: VirtualDriver
    match settings.driver:
        case "qemu":
            made = QemuDriver(host, images, vm_options(settings, settings.qemu), images.current)
        case "firecracker":
            options = vm_options(settings, settings.firecracker)
            made = FirecrackerDriver(host, images, options, images.current)
        case other:
            raise DriverError(f"there is no driver {other}")
    made.restores.told = partial(restored, made.name)
    return made
