"""What the tests of one VMM share: a root helper, the golden image's parts, a folder for its snapshots."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.support import firecracker_lab
from tests.support.helper_lab import HelperLab, helper
from tests.support.image import GoldenImage, image_store
from tests.support.machine_lab import Lab, Making, state_folder
from transom.drivers.channel import ChannelDeadlines
from transom.drivers.firecracker.driver import FirecrackerDriver
from transom.drivers.keeper_host import UID_BASE, Host, KeeperDeadlines
from transom.drivers.qemu.driver import QemuDriver
from transom.drivers.virtual import VirtualDriver, VmOptions
from transom.images.store import ImageStore
from transom_wire.keeper_config import Limits

QEMU = Path("/usr/bin/qemu-system-x86_64")
LIMITS = Limits(memory_bytes=512 * 2**20, cpu_millis=2000, pids=512, disk_bytes=2**30)
DEADLINES = KeeperDeadlines(create=90.0, destroy=60.0, groups=30.0, channel=ChannelDeadlines(connect=30.0))
"""A restore under emulation, on a busy host, and the end of a VMM whose disk the host still writes; a keeper waits for
its turn there as well."""
PROGRAM = "terminal"
PATIENCE = 120.0
"""Seconds for what a guest must do: a boot under emulation takes ten, on a busy host forty."""


def current_digest() -> str:
    """The image that new sessions would use."""
    digest = image_store().current()
    assert digest is not None, "there is no golden image: transom image build"
    return digest


@dataclass
class VmGround:
    """Makes labs whose machines are clones of one snapshot, or cold where a test asks."""

    kind: str
    state: Path
    guest: Path
    helper: HelperLab
    images: ImageStore
    program: Path
    accelerator: str
    digest: str = field(default_factory=lambda: current_digest())
    """Of the image, whatever is built meanwhile."""
    python: str = sys.executable
    """Starts the keepers."""
    uid_base: int = UID_BASE
    """First of the users that the machines run as."""
    ports: tuple[int, int] = (42000, 42999)
    """Of their doors."""

    def __getstate__(self) -> dict[str, object]:
        """For another process: the helper goes on in this one."""
        return {**vars(self), "helper": replace(self.helper, process=None)}

    def driver(self, machines: Path, guest: Path | None = None) -> VirtualDriver:
        """A driver that knows nothing but its folders."""
        options = VmOptions(
            program=self.program,
            helper=Path(self.helper.socket),
            state=self.state,
            limits=LIMITS,
            size=(640, 480),
            accelerator=self.accelerator,
            desktop=PROGRAM,
        )
        host = Host(
            machines,
            guest or self.guest,
            "127.0.0.1",
            self.ports,
            uid_base=self.uid_base,
            python=self.python,
            deadlines=DEADLINES,
        )
        if self.kind == "qemu":
            return QemuDriver(host, self.images, options)
        return FirecrackerDriver(host, self.images, options)

    def lab(self) -> Lab:
        """A lab of its own folder."""
        making = Making(self.driver, LIMITS, PATIENCE, self.state / "snapshots", clones=True, program=PROGRAM)
        image = GoldenImage(self.digest, self.images.folder / self.digest / "root")
        return Lab(state_folder(), image, self.guest, making)

    def prepare(self) -> None:
        """Save the snapshot, which is one that the labs' machines are clones of: any other fits none, silently."""
        lab = self.lab()
        try:
            preparing = lab.driver.prepare(self.digest)
            with ThreadPoolExecutor(1) as elsewhere:  # a test's loop may run in this thread
                elsewhere.submit(asyncio.run, preparing).result()
            assert isinstance(lab.driver, VirtualDriver)
            assert lab.driver._snapshots.find(lab.driver._key(lab.spec(warm=True))) is not None
        finally:
            shutil.rmtree(lab.state)


@contextlib.contextmanager
def ground(kind: str, guest: Path) -> Iterator[VmGround]:
    """A ground for `qemu` or `firecracker`, whose machines run the staged code `guest`."""
    state = state_folder()
    try:
        if kind == "qemu":
            with helper() as asked:
                yield VmGround(kind, state, guest, asked, image_store(), QEMU, "tcg")
        else:
            chosen = firecracker_lab.programs(state / "vmm")
            with helper(*chosen.helper_arguments) as asked:
                program, accelerator = chosen.firecracker, chosen.accelerator
                yield VmGround(kind, state, guest, asked, image_store(), program, accelerator)
    finally:
        shutil.rmtree(state)
