"""The driver that the settings choose, for machines on the controller's own host."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from transom.drivers.keepers import Host
from transom.drivers.namespace.driver import NamespaceDriver
from transom.model.errors import DriverError
from transom.model.ports import Driver
from transom.settings import Settings


class Images(Protocol):
    """Where golden images are, by digest."""

    def current(self) -> str | None: ...
    def root(self, digest: str) -> Path: ...
    def folder_of(self, digest: str) -> Path: ...
    def initramfs_with(self, digest: str, guest: Path, cache: Path) -> Path: ...


def host_of(settings: Settings, guest_source: Path) -> Host:
    """This host as the settings describe it; `guest_source` is the staged guest code."""
    return Host(
        settings.machines,
        guest_source,
        settings.door_address,
        (settings.door_port_low, settings.door_port_high),
        uid_base=settings.uid_base,
    )


def local_driver(settings: Settings, images: Images, guest_source: Path) -> Driver:
    """The driver called `settings.driver`. Raises DriverError."""
    host = host_of(settings, guest_source)
    match settings.driver:
        case "namespace":
            return NamespaceDriver(host, images, current_image=images.current)
        case other:
            raise DriverError(f"there is no driver {other}")
