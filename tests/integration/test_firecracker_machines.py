"""Jailed machines that really run, and what is left of them when something around them is killed.

Their guests only begin to boot here: what a guest does is in the contract suite, for every driver.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.machine_lab import Lab, stage_standin, state_folder, until
from tests.support.vm_lab import VmGround, ground
from transom.drivers.firecracker.driver import FirecrackerDriver
from transom.model.machine import MachineState
from transom_keeper.sandbox import tag_of
from transom_keeper.vm import snapshot
from transom_keeper.vm.snapshot import NewSnapshot

pytestmark = pytest.mark.vm


@pytest.fixture(scope="module")
def firecrackers() -> Iterator[VmGround]:
    """A root helper that starts them, and the golden image."""
    folder = state_folder()
    try:
        with ground("firecracker", stage_standin(folder)) as made:
            yield made
    finally:
        shutil.rmtree(folder)


@pytest.fixture
async def lab(firecrackers: VmGround) -> AsyncIterator[Lab]:
    """A driver with a folder of its own; whatever a test leaves running is ended."""
    made = firecrackers.lab()
    yield made
    await made.close()


def jailed(lab: Lab, machine: str) -> list[str]:
    """What runs in the machine's jail: its Firecracker, and whatever else is in that's process namespace."""
    name = f"--id={tag_of(lab.folder / 'any')}-{machine.replace('_', '-')}".encode()
    spaces = {pid: space for pid in living() if (space := read_link(f"/proc/{pid}/ns/pid"))}
    inside = {spaces[pid] for pid in spaces if name in words(pid)}
    return [pid for pid, space in spaces.items() if space in inside]


def living() -> list[str]:
    return [entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def words(pid: str) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def read_link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def known_to_helper(ground: VmGround, lab: Lab) -> tuple[str, ...]:
    return ground.helper.client().survey(tag_of(lab.folder / "any")).machines


async def test_a_machine_is_a_jail_that_leaves_nothing(firecrackers: VmGround, lab: Lab) -> None:
    spec = lab.spec()
    await lab.driver.create(spec)
    processes = jailed(lab, spec.machine)
    assert processes
    for pid in processes:
        assert not os.path.samefile(f"/proc/{pid}/root/", "/")
        assert os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/self/ns/net")
    assert known_to_helper(firecrackers, lab) == (spec.machine,)
    assert (await lab.driver.observe())[spec.machine] is MachineState.RUNNING
    await lab.driver.destroy(spec.machine, keep_folder=False)
    assert jailed(lab, spec.machine) == []
    assert known_to_helper(firecrackers, lab) == () and lab.remains(spec.machine) == []
    assert list((firecrackers.helper.base / "firecracker").iterdir()) == []


@pytest.mark.parametrize("with_helper", [True, False])
async def test_it_ends_with_its_keeper_whether_a_helper_lives_or_not(
    firecrackers: VmGround, lab: Lab, with_helper: bool
) -> None:
    spec = lab.spec()
    await lab.driver.create(spec)
    assert jailed(lab, spec.machine)
    if not with_helper:
        firecrackers.helper.kill()
    os.kill(lab.keeper(spec.machine), signal.SIGKILL)
    try:
        await until(lambda: not jailed(lab, spec.machine), "the jailed machine lives on")
    finally:
        if not with_helper:
            firecrackers.helper.start()
    assert (await lab.driver.observe())[spec.machine] is MachineState.GONE
    await lab.driver.destroy(spec.machine, keep_folder=True)
    assert known_to_helper(firecrackers, lab) == () and lab.processes(spec.machine) == []
    assert (lab.folder / spec.machine / "guest.log").stat().st_size > 0


async def test_a_machine_killed_from_outside_is_seen_and_said(lab: Lab) -> None:
    spec = lab.spec()
    await lab.driver.create(spec)
    for pid in jailed(lab, spec.machine):
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    await until(lambda: lab.dead(spec.machine), "the keeper does not see the end")
    channel = await lab.driver.attach(spec.machine)
    assert (channel.snapshot.state, channel.snapshot.exit_reason[:25]) == (
        "exited",
        "the virtual machine ended",
    )
    await channel.close()


async def test_a_broken_snapshot_is_not_written_to_and_the_machine_is_booted(
    lab: Lab, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spec, driver = lab.spec(warm=True), lab.driver
    assert isinstance(driver, FirecrackerDriver)
    folder = broken_snapshot(driver, driver._key(spec), tmp_path)
    before = digests(folder)
    await driver.create(spec)
    assert "is booted, for its restore failed" in caplog.text
    assert "Failed to restore from snapshot" in caplog.text
    assert (await driver.observe())[spec.machine] is MachineState.RUNNING
    assert digests(folder) == before
    shutil.rmtree(folder)


async def test_a_machine_with_more_processors_than_firecracker_has_is_refused_in_words(
    firecrackers: VmGround, lab: Lab
) -> None:
    spec, driver = lab.spec(), lab.driver
    assert isinstance(driver, FirecrackerDriver)
    driver._options = replace(driver._options, cpus=33)
    with pytest.raises(Exception, match="no machine has that size"):
        await driver.create(spec)
    assert known_to_helper(firecrackers, lab) == () and jailed(lab, spec.machine) == []
    await driver.destroy(spec.machine, keep_folder=False)
    assert lab.remains(spec.machine) == []


def broken_snapshot(driver: FirecrackerDriver, key: str, work: Path) -> Path:
    new = NewSnapshot(work / "made")
    for name in (snapshot.STATE, snapshot.MEMORY, snapshot.OVERLAY):
        with os.fdopen(new.create(name), "wb") as file:
            file.write(b"not what was saved")
            os.fchmod(file.fileno(), 0o444)
    new.finish("t" * 32)
    driver._snapshots.adopt(work / "made", key, "sha256-none")
    found = driver._snapshots.find(key)
    assert found is not None
    return found[0]


def digests(folder: Path) -> dict[str, str]:
    return {each.name: hashlib.sha256(each.read_bytes()).hexdigest() for each in sorted(folder.iterdir())}
