"""Machines as bubblewrap sandboxes on the controller's own host, each under a keeper of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from transom.drivers.keeper_host import Host
from transom.drivers.keepers import KeptDriver
from transom.drivers.namespace import probe
from transom.model.errors import DriverError, TransomError
from transom.model.machine import DriverFlags, MachineSpec, Probe
from transom_wire.keeper_config import KeeperConfig


class Images(Protocol):
    """Where golden roots are."""

    def root(self, digest: str) -> Path: ...
    def guest_code(self, digest: str, guest: Path) -> Path: ...


class NamespaceDriver(KeptDriver):
    """A Driver; see `drivers/contract.py` for the promises."""

    name = "namespace"
    flags = DriverFlags(warm=True)

    def __init__(
        self, host: Host, images: Images, current_image: Callable[[], str | None] = lambda: None
    ) -> None:
        super().__init__(host)
        self._images, self._current_image = images, current_image

    async def probe(self) -> Probe:
        """Say whether this host can; with a current image, whether a sandbox's user can read that too."""
        digest = self._current_image()
        wanted = [self._host.guest_source]
        if digest is not None:
            with suppress(DriverError):
                wanted.append(self._root(digest))
        return probe.judge(await asyncio.to_thread(probe.gather, self._host.uid(0), tuple(wanted)))

    async def prepare(self, image: str) -> None:
        """Compile the guest's code for it: nothing else is faster than a sandbox's start."""
        await asyncio.to_thread(self._guest, self._images, image)

    def _describe(self, spec: MachineSpec, config: KeeperConfig) -> KeeperConfig:
        guest = self._guest(self._images, spec.image)
        return replace(config, image_root=str(self._root(spec.image)), guest_source=str(guest))

    def _root(self, digest: str) -> Path:
        try:
            return self._images.root(digest).absolute()
        except (OSError, LookupError, ValueError, TransomError) as error:
            raise DriverError(
                f"the image cannot be read: {error}",
                mend=getattr(error, "mend", "") or "transom image build",
                stage="image",
            ) from error
