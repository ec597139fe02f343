"""The qemu driver without root: controller, keeper and VMM are one ordinary user's, and what needs more is the
root helper's, control groups among it."""

from __future__ import annotations

import asyncio
import os
import shutil
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.helper_lab import CALLER, HelperLab, as_user, eventually, helper
from tests.support.image import image_store
from tests.support.machine_lab import now_ms, stage_standin, state_folder
from tests.support.vm_lab import DEADLINES, LIMITS, QEMU
from transom.drivers import remains
from transom.drivers.keeper_host import Host
from transom.drivers.qemu.driver import QemuDriver
from transom.drivers.sweep import STAGED
from transom.drivers.virtual import VmOptions
from transom.model.ids import new_id
from transom.model.machine import MachineSpec, MachineState
from transom_keeper import cgroups
from transom_keeper.sandbox import tag_of
from transom_wire.control import MachineExited, StopMachine
from transom_wire.exit import NO_ROUTE

pytestmark = [pytest.mark.vm, pytest.mark.machine]
PATIENCE = 180.0
IMAGES = image_store()
"""Found while we are root: whoever asks later has another home."""
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def state() -> Iterator[Path]:
    """A state folder of the ordinary user's, with staged guest code."""
    folder = state_folder()
    stage_standin(folder)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, CALLER, CALLER)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def asked() -> Iterator[HelperLab]:
    with helper() as lab:
        yield lab


def driver(state: Path, asked: HelperLab) -> QemuDriver:
    staged = (STAGED.fullmatch(path.name) for path in (state / "guest").iterdir())
    (code,) = {found["code"] for found in staged if found}  # as staged, and compiled for the image
    guest = state / "guest" / code
    # whatever Python runs the tests, the host's own is one that everybody may run
    host = Host(
        state / "machines", guest, "127.0.0.1", (42000, 42999), python="/usr/bin/python3", deadlines=DEADLINES
    )
    options = VmOptions(QEMU, Path(asked.socket), state, LIMITS, (640, 480), "tcg", 2, "terminal")
    return QemuDriver(host, IMAGES, options)


def spec() -> MachineSpec:
    digest = IMAGES.current()
    assert digest is not None
    return MachineSpec(
        machine=new_id("mch"),
        session=new_id("ses"),
        slot=1,
        image=digest,
        width=640,
        height=480,
        start_url="about:blank",
        exit=NO_ROUTE,
        deadline=now_ms() + 600_000,
        limits=LIMITS,
    )


async def live(made: QemuDriver, wanted: MachineSpec) -> tuple[str, ...]:
    """From create to the guest's word; the warnings."""
    await made.create(wanted)
    async with asyncio.timeout(PATIENCE):
        while True:
            channel = await made.attach(wanted.machine)
            await channel.close()
            if "ready" in channel.snapshot.stages:
                return channel.snapshot.warnings
            await asyncio.sleep(0.2)


async def end(made: QemuDriver, machine: str) -> str:
    channel = await made.attach(machine)
    await channel.send(StopMachine(reason="enough"))
    reason = ""
    async for message in channel.messages():
        if isinstance(message, MachineExited):
            reason = message.reason
            break
    await channel.close()
    await made.destroy(machine, keep_folder=False)
    assert await made.observe() == {}
    return reason


def groups_of(machine: str, tag: str) -> list[Path]:
    found = [base.path / f"{machine}-{tag}" for base in cgroups.own_bases()]
    return [path for path in found if path.is_dir()]


def test_a_machine_lives_and_dies_without_root(
    state: Path, asked: HelperLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = sysconfig.get_path("purelib")
    monkeypatch.setenv("PYTHONPATH", f"{ROOT / 'src'}:{packages}")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    wanted, tag = spec(), tag_of(state / "machines" / "any")
    made = driver(state, asked)
    probe = as_user(CALLER, lambda: asyncio.run(made.probe()))
    assert probe.usable, probe.problems
    warnings = as_user(CALLER, lambda: asyncio.run(live(driver(state, asked), wanted)))
    found = list(remains.processes(state / "machines"))
    assert {os.stat(f"/proc/{each.pid}").st_uid for each in found if not each.keeper} == {CALLER}
    groups = groups_of(wanted.machine, tag)
    inside = {pid for path in groups for pid in cgroups.processes(path)}
    assert any(b"qemu" in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in inside), (groups, warnings)
    observed = as_user(CALLER, lambda: asyncio.run(_observe(driver(state, asked))))
    assert observed == {wanted.machine: MachineState.RUNNING}
    assert "enough" in as_user(CALLER, lambda: asyncio.run(end(driver(state, asked), wanted.machine)))
    assert eventually(lambda: not groups_of(wanted.machine, tag))
    assert not list((state / "machines").glob("mch_*"))


async def _observe(made: QemuDriver) -> dict[str, MachineState]:
    return dict(await made.observe())
