"""What a keeper is told of a Firecracker machine, and what happens when a clone does not wake up. No keeper starts."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.support.keeper_snapshot import snapshot
from transom.drivers import channel, elsewhere
from transom.drivers.firecracker.driver import FirecrackerDriver
from transom.drivers.keeper_host import Host
from transom.drivers.restores import MOST_MADE_ANEW
from transom.drivers.snapshots import BAD
from transom.drivers.virtual import VmOptions
from transom.model.errors import DriverError
from transom.model.ids import new_id
from transom.model.machine import MachineSpec
from transom_keeper.vm.snapshot import BOOTED, NewSnapshot
from transom_wire.control import Snapshot
from transom_wire.exit import NO_ROUTE
from transom_wire.helper import Found
from transom_wire.keeper_config import KeeperConfig, Limits

LIMITS = Limits(memory_bytes=2**30, cpu_millis=1000, pids=256)
PARTS = ("vmlinux", "initramfs.cpio", "rootfs.squashfs")
TOKEN = "t" * 32


@dataclass
class FakeImages:
    """One image, whose initramfs is complete."""

    folder: Path

    def part(self, digest: str, name: str) -> Path:
        if digest != "sha256-one" or not (self.folder / name).exists():
            raise LookupError(f"there is no {name}")
        return self.folder / name

    def guest_code(self, digest: str, guest: Path) -> Path:
        return guest

    def initramfs_with(self, digest: str, guest: Path, cache: Path) -> Path:
        return cache / "whole.initramfs"


@dataclass
class FakeHelper:
    """Knows machines, and forgets them when told."""

    machines: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)

    def __call__(self, path: str) -> FakeHelper:
        return self

    def survey(self, tag: str) -> Found:
        return Found(tuple(self.machines))

    def remove(self, machine: str, tag: str) -> None:
        self.removed.append(machine)


class Driver(FirecrackerDriver):
    """Starts nothing; remembers what each keeper was told, and fails as a test wants."""

    told: list[KeeperConfig]
    fails: Callable[[KeeperConfig], bool]

    async def _start(self, config: KeeperConfig) -> None:
        self.told.append(config)
        if self.fails(config):
            raise DriverError("the keeper did not start")


@pytest.fixture
def helper(monkeypatch: pytest.MonkeyPatch) -> FakeHelper:
    fake = FakeHelper()
    monkeypatch.setattr(elsewhere, "Helper", fake)
    return fake


@pytest.fixture
def options(tmp_path: Path) -> VmOptions:
    program = tmp_path / "firecracker"
    program.write_text("#!/bin/sh\necho Firecracker v1.16.1\n")
    program.chmod(0o755)
    return VmOptions(
        program=program,
        helper=Path("/helper.sock"),
        state=tmp_path / "state",
        limits=LIMITS,
        size=(640, 480),
    )


@pytest.fixture
def driver(tmp_path: Path, options: VmOptions, helper: FakeHelper) -> Driver:
    return a_driver(tmp_path, options)


def a_driver(tmp_path: Path, options: VmOptions) -> Driver:
    image, guest = tmp_path / "image", tmp_path / "guest"
    for folder in (image, guest):
        folder.mkdir(exist_ok=True)
    for name in PARTS:
        (image / name).touch()
    host = Host(tmp_path / "machines", guest, "127.0.0.1", (42000, 42999))
    made = Driver(host, FakeImages(image), options, lambda: "sha256-one")
    made.told, made.fails = [], lambda config: False
    return made


def spec(session: str | None = "ses_" + "a" * 20, **changes: object) -> MachineSpec:
    made = MachineSpec(
        machine=new_id("mch"),
        session=session,
        slot=3,
        image="sha256-one",
        width=640,
        height=480,
        start_url="about:blank",
        exit=NO_ROUTE,
        deadline=2**45,
        limits=LIMITS,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def save(driver: Driver, wanted: MachineSpec) -> Path:
    """A snapshot that fits `wanted`."""
    folder = driver._folder.parent / "saved"
    new = NewSnapshot(folder)
    new.finish(TOKEN)
    driver._snapshots.adopt(folder, driver._key(wanted), driver._made_of(wanted.image))
    return folder


async def test_a_keeper_is_told_the_image_s_parts_and_the_helper(driver: Driver, tmp_path: Path) -> None:
    await driver.create(spec())
    (config,) = driver.told
    assert (config.driver, config.helper, config.image_root) == (
        "firecracker",
        "/helper.sock",
        str(tmp_path / "image"),
    )
    assert config.vm is not None
    assert (config.vm.accelerator, config.vm.cpus) == ("kvm", 2)
    assert config.vm.kernel == str(tmp_path / "image/vmlinux")
    assert config.vm.initramfs == str(tmp_path / "state/guest/whole.initramfs")
    assert config.vm.snapshot is None and config.vm.save_snapshot is None
    assert (config.uid is None) == (os.geteuid() != 0)


async def test_a_warm_machine_is_a_clone_where_there_is_a_snapshot(driver: Driver) -> None:
    warm = spec(None)
    save(driver, warm)
    await driver.create(warm)
    (config,) = driver.told
    assert config.vm is not None and config.vm.snapshot is not None
    assert config.boot_token == TOKEN
    await driver.create(spec())
    assert driver.told[1].vm is not None and driver.told[1].vm.snapshot is None


async def test_a_clone_that_does_not_wake_up_is_booted(driver: Driver) -> None:
    warm = spec(None)
    save(driver, warm)
    driver.fails = lambda config: config.vm is not None and config.vm.snapshot is not None
    await driver.create(warm)
    assert [each.vm is not None and each.vm.snapshot is None for each in driver.told] == [False, True]
    assert driver.told[1].boot_token is None


@dataclass
class Channel:
    """To a keeper whose warm machine is parked."""

    snapshot: Snapshot


@pytest.fixture
def parked(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], Awaitable[MachineSpec]]:
    """Makes a warm machine, whose clone wakes up or does not, and sees it parked."""

    async def make(wakes: bool) -> MachineSpec:
        driver.fails = lambda config: not wakes and config.vm is not None and config.vm.snapshot is not None
        await driver.create(warm := spec(None))
        vm = driver.told[-1].vm
        assert vm is not None
        cold = (f"{BOOTED}restore failed: {vm.booted_for}",) if vm.booted_for else ()

        async def attached(*_: object) -> Channel:
            return Channel(snapshot(machine=warm.machine, stages={"parked": "2"}, warnings=cold))

        monkeypatch.setattr(channel, "attach", attached)
        await driver.attach(warm.machine)
        return warm

    return make


@pytest.fixture
def saves(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Machines that are to be saved are, at once."""

    async def saved(machine: str) -> None:
        driver._saving[machine].parent.mkdir(exist_ok=True)
        NewSnapshot(driver._saving[machine]).finish(new_id("tok").ljust(32, "x"))

    monkeypatch.setattr(driver, "_saved", saved)


async def test_a_snapshot_that_woke_nothing_up_twice_is_set_aside_and_made_anew(
    driver: Driver, parked: Callable[[bool], Awaitable[MachineSpec]], saves: None
) -> None:
    heard: list[str] = []
    driver.restores.told = heard.append
    await driver.prepare("sha256-one")
    key = driver._key(spec(None))
    bad = driver._snapshots.find(key)
    for wakes in (False, True, False):
        await parked(wakes)
        await driver.prepare("sha256-one")
        assert driver._snapshots.find(key) == bad
    await parked(False)
    assert driver._snapshots.find(key) is None
    assert (driver._snapshots._folder / f"{BAD}{key}").is_dir()
    await parked(False)
    assert heard == ["booted", "restored", "booted", "booted"], "the last was no clone"
    await driver.prepare("sha256-one")
    assert driver._snapshots.find(key) not in (None, bad)
    await parked(True)
    assert heard[-1] == "restored"


async def test_clones_that_are_given_up_before_they_park_count_against_their_snapshot(
    driver: Driver, saves: None
) -> None:
    await driver.prepare("sha256-one")
    for _ in range(2):
        assert driver._snapshots.find(driver._key(spec(None))) is not None
        await driver.create(warm := spec(None))
        await driver.destroy(warm.machine, keep_folder=True)
    assert driver._snapshots.find(driver._key(spec(None))) is None


async def test_where_no_snapshot_wakes_up_machines_are_booted(
    driver: Driver, parked: Callable[[bool], Awaitable[MachineSpec]], saves: None
) -> None:
    for _ in range(MOST_MADE_ANEW):
        await driver.prepare("sha256-one")
        await parked(False)
        await parked(False)
    with pytest.raises(DriverError, match="woke nothing up"):
        await driver.prepare("sha256-one")
    told = len(driver.told)
    await parked(False)
    assert len(driver.told) == told + 1


async def test_one_that_cannot_be_booted_either_is_an_error(driver: Driver, helper: FakeHelper) -> None:
    warm = spec(None)
    save(driver, warm)
    driver.fails = lambda config: True
    with pytest.raises(DriverError):
        await driver.create(warm)
    assert len(driver.told) == 2
    assert helper.removed.count(warm.machine) >= 2
    with pytest.raises(DriverError):
        await driver.create(spec())
    assert len(driver.told) == 3


async def test_a_snapshot_of_other_hardware_is_none(
    driver: Driver, tmp_path: Path, options: VmOptions
) -> None:
    warm = spec(None)
    save(driver, warm)
    bigger = replace(warm, machine=new_id("mch"), limits=replace(LIMITS, memory_bytes=2**31))
    await driver.create(bigger)
    options.program.write_text("#!/bin/sh\necho Firecracker v1.17.0\n")
    await a_driver(tmp_path, options).create(replace(warm, machine=new_id("mch")))
    assert all(each.vm is not None and each.vm.snapshot is None for each in driver.told)


def test_a_snapshot_is_of_one_program_and_of_one_guest_code(driver: Driver) -> None:
    browser, terminal = spec(session=None), spec(session=None, program="terminal")
    assert driver._key(browser) != driver._key(terminal)


async def test_snapshots_of_other_images_and_other_guest_code_are_swept(driver: Driver) -> None:
    wanted = spec(session=None)
    save(driver, wanted)
    await driver.sweep({wanted.image})
    assert driver._snapshots.find(driver._key(wanted)) is not None
    await driver.sweep({"sha256-another"})
    assert driver._snapshots.find(driver._key(wanted)) is None


async def test_what_the_helper_still_has_is_seen_and_removed(driver: Driver, helper: FakeHelper) -> None:
    left = new_id("mch")
    helper.machines.append(left)
    driver._folder.mkdir()
    assert left in await driver.observe()
    await driver.destroy(left, keep_folder=False)
    assert helper.removed == [left]


async def test_an_image_that_is_none_is_an_error_with_its_mend(driver: Driver) -> None:
    with pytest.raises(DriverError) as caught:
        await driver.create(spec(image="sha256-other"))
    assert caught.value.mend == "transom image build"
    assert driver.told == []


async def test_the_probe_names_what_the_image_lacks(driver: Driver, tmp_path: Path) -> None:
    (tmp_path / "image/rootfs.squashfs").unlink()
    found = await driver.probe()
    assert not found.usable
    assert any("no rootfs.squashfs" in each.what for each in found.problems)


async def test_a_stand_in_is_told_apart(tmp_path: Path, options: VmOptions, helper: FakeHelper) -> None:
    driver = a_driver(tmp_path, replace(options, accelerator="tcg"))
    await driver.create(spec())
    assert driver.told[0].vm is not None and driver.told[0].vm.accelerator == "tcg"
    assert not any("/dev/kvm" in each.what for each in (await driver.probe()).problems)
