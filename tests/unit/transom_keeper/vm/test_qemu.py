"""What a QEMU machine decides: restored or booted, and when to give a restore up. No VMM runs."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.keeper_config import config
from transom_keeper.arrivals import MachineSockets
from transom_keeper.cgroups import Groups
from transom_keeper.helper import MachineNetwork
from transom_keeper.log import BoundedFile, GuestOutput
from transom_keeper.machine import LaunchError
from transom_keeper.vm import qemu, snapshot
from transom_keeper.vm.arguments import Shape
from transom_keeper.vm.files import open_files
from transom_keeper.vm.overlay import make_overlay, used
from transom_keeper.vm.qemu import QemuMachine
from transom_keeper.vm.qmp import QmpError
from transom_keeper.vm.vmm import Home
from transom_wire.vm import VmConfig

SIZE = 2**20


class FakeMonitor:
    def __init__(self, vmm: FakeVmm) -> None:
        self.vmm = vmm
        self.asked: list[str] = []

    async def ask(self, name: str, **arguments: object) -> dict[str, object]:
        self.asked.append(name)
        return {}

    async def load(self, descriptor: int) -> None:
        if self.vmm.bad:
            raise QmpError("bad section")

    async def save(self, descriptor: int) -> None:
        if self.vmm.bad:
            raise QmpError("disk full")
        os.write(descriptor, b"memory")


@dataclass
class FakeVmm:
    """As start_vmm gives one."""

    shape: Shape
    bad: bool = False
    ended: asyncio.Future[int] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def __post_init__(self) -> None:
        self.monitor = FakeMonitor(self)
        self.inside = self

    async def wait(self) -> int:
        return await asyncio.shield(self.ended)

    async def kill(self) -> None:
        if not self.ended.done():
            self.ended.set_result(-9)


@dataclass
class Scene:
    machine: QemuMachine
    folder: Path
    started: list[FakeVmm] = field(default_factory=list)
    bad: Callable[[int], bool] = lambda number: False
    refuse: bool = False

    async def start(self, home: Home, shape: Shape) -> Any:
        if self.refuse:
            raise LaunchError("the virtual machine does not start")
        self.started.append(FakeVmm(shape, self.bad(len(self.started))))
        return self.started[-1]


def network() -> MachineNetwork:
    link, forwarder = socket.socket(), socket.socket()
    namespace, tap = (os.open("/dev/null", os.O_RDONLY) for _ in range(2))
    return MachineNetwork(namespace, MachineSockets(link, forwarder, []), tap)


@pytest.fixture
async def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    for name in ("kernel", "initramfs", "rootfs"):
        (tmp_path / name).touch()
    saved = snapshot.NewSnapshot(tmp_path / "saved")
    for name in (snapshot.STATE, snapshot.OVERLAY):
        descriptor = saved.create(name)
        os.write(descriptor, b"saved" * 1000)
        os.ftruncate(descriptor, SIZE)
        os.close(descriptor)
    saved.finish("t" * 32)
    parts = [str(tmp_path / name) for name in ("kernel", "initramfs", "rootfs")]
    vm = VmConfig("/usr/bin/q", "tcg", *parts, cpus=2, snapshot=str(tmp_path / "saved"))
    home = Home("bwrap", "name", vm.vmm, Groups(), GuestOutput(BoundedFile(tmp_path / "guest.log")))
    files = open_files(vm, make_overlay(tmp_path, SIZE))
    made = Scene(QemuMachine(config(vm=vm, session=None), vm, home, network(), files), tmp_path)
    monkeypatch.setattr(qemu, "start_vmm", made.start)
    monkeypatch.setattr(qemu, "measure_khz", lambda: 2_700_000)
    monkeypatch.setattr(qemu, "HEARD_SECONDS", {"tcg": 0.2})
    monkeypatch.setattr(qemu, "SETTLE_SECONDS", 0.0)
    yield made
    await made.machine.kill()
    made.machine.sockets.close()


async def test_a_restored_machine_that_is_heard_of_goes_on(scene: Scene) -> None:
    await scene.machine.begin("t" * 32)
    assert [each.shape.state is not None for each in scene.started] == [True]
    assert os.pread(scene.machine.files.overlay, 5, 0) == b"saved"
    waiting = asyncio.ensure_future(scene.machine.wait())
    scene.machine.heard()
    await asyncio.sleep(0.4)
    assert not waiting.done() and len(scene.started) == 1
    scene.started[0].ended.set_result(0)
    assert "status 0" in await waiting
    assert scene.machine.warnings() == ()


async def test_a_state_that_cannot_be_read_becomes_a_boot_on_an_empty_disk(scene: Scene) -> None:
    scene.bad = lambda number: number == 0
    await scene.machine.begin("t" * 32)
    assert [each.shape.state is not None for each in scene.started] == [True, False]
    assert scene.started[0].ended.done()
    assert used(scene.machine.files.overlay) == 0
    assert "bad section" in scene.machine.warnings()[0]


@pytest.mark.parametrize("name", [snapshot.STATE, snapshot.OVERLAY])
def test_a_snapshot_that_is_gone_by_now_is_no_hindrance_to_a_boot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for each in ("kernel", "initramfs", "rootfs", "saved"):
        (tmp_path / each).mkdir() if each == "saved" else (tmp_path / each).touch()
    (tmp_path / "saved" / name).touch()
    monkeypatch.chdir(tmp_path)
    parts = [str(tmp_path / each) for each in ("kernel", "initramfs", "rootfs")]
    vm = VmConfig("/usr/bin/q", "tcg", *parts, cpus=2, snapshot=str(tmp_path / "saved"))
    before = os.listdir("/proc/self/fd")
    files, warnings = qemu._open(config(vm=vm, session=None), vm)
    assert files.state is None and len(warnings) == 1 and warnings[0].startswith("booted")
    files.close()
    assert len(os.listdir("/proc/self/fd")) == len(before)


async def test_a_restored_guest_that_says_nothing_is_booted(scene: Scene) -> None:
    await scene.machine.begin("t" * 32)
    waiting = asyncio.ensure_future(scene.machine.wait())
    async with asyncio.timeout(10):
        while len(scene.started) < 2:
            await asyncio.sleep(0.01)
    assert not waiting.done() and scene.started[1].shape.state is None
    assert used(scene.machine.files.overlay) == 0
    scene.started[1].ended.set_result(-9)
    assert await waiting == "killed by signal 9"


async def test_a_restored_vmm_that_ends_before_its_guest_was_heard_of_is_booted(scene: Scene) -> None:
    await scene.machine.begin("t" * 32)
    waiting = asyncio.ensure_future(scene.machine.wait())
    scene.started[0].ended.set_result(1)
    async with asyncio.timeout(10):
        while len(scene.started) < 2:
            await asyncio.sleep(0.01)
    await scene.machine.kill()
    assert "signal 9" in await waiting


async def test_a_machine_that_is_killed_while_it_is_waited_for_is_not_booted(scene: Scene) -> None:
    await scene.machine.begin("t" * 32)
    waiting = asyncio.ensure_future(scene.machine.wait())
    await asyncio.sleep(0)
    await scene.machine.kill()
    assert "signal 9" in await waiting
    assert len(scene.started) == 1


async def test_one_that_can_be_neither_restored_nor_booted_says_so(scene: Scene) -> None:
    scene.refuse = True
    with pytest.raises(LaunchError, match="does not start"):
        await scene.machine.begin("t" * 32)


async def test_the_snapshot_that_it_came_from_cannot_be_written(scene: Scene) -> None:
    for descriptor in (scene.machine.files.state, scene.machine.files.saved_overlay):
        assert descriptor is not None
        with pytest.raises(OSError):
            os.write(descriptor, b"x")


async def test_a_save_is_whole_or_leaves_nothing(scene: Scene) -> None:
    await scene.machine.begin("t" * 32)
    await scene.machine.save("u" * 32, scene.folder / "new")
    assert scene.started[0].monitor.asked == ["stop"]
    assert snapshot.read_note(scene.folder / "new").boot_token == "u" * 32
    assert (scene.folder / "new" / snapshot.STATE).read_bytes() == b"memory"
    assert (scene.folder / "new" / snapshot.OVERLAY).stat().st_size == SIZE
    scene.started[0].bad = True
    with pytest.raises(LaunchError, match="disk full"):
        await scene.machine.save("u" * 32, scene.folder / "other")
    assert not list(scene.folder.glob("other*"))


async def test_killing_lets_go_of_the_network_but_not_of_what_others_listen_on(scene: Scene) -> None:
    reader, writer = os.pipe()
    os.dup2(writer, scene.machine.network.namespace)
    os.close(writer)
    await scene.machine.begin("t" * 32)
    await scene.machine.kill()
    assert os.read(reader, 1) == b"", "nobody holds the namespace any more"
    os.close(reader)
    assert scene.machine.sockets.link.fileno() >= 0


def test_no_helper_no_machine(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    output = GuestOutput(BoundedFile(tmp_path / "guest.log"))
    with pytest.raises(LaunchError, match="root helper"):
        qemu.prepare(scene.machine.config, "0" * 8, Groups(), output)
    wanted = replace(scene.machine.config, helper=str(tmp_path / "nobody"))
    with pytest.raises(LaunchError, match="no network") as refused:
        qemu.prepare(wanted, "0" * 8, Groups(), output)
    assert refused.value.mend
