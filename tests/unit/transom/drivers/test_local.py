from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import KINDS
from transom.drivers.firecracker.driver import FirecrackerDriver
from transom.drivers.local import host_of, local_driver, vm_options
from transom.drivers.namespace.driver import NamespaceDriver
from transom.drivers.qemu.driver import QemuDriver
from transom.drivers.virtual import VirtualDriver
from transom.images.store import ImageStore
from transom.model.machine import DRIVERS as names
from transom.model.machine import VM_DRIVERS
from transom.settings import Settings

DRIVERS = {"namespace": NamespaceDriver, "qemu": QemuDriver, "firecracker": FirecrackerDriver}


def settings(folder: Path, **changes: Any) -> Settings:
    return Settings(state=folder / "state", images_dir=folder / "images", **changes)


def test_each_driver_with_a_name_is_built_and_asked_the_contract() -> None:
    assert tuple(DRIVERS) == names == tuple(KINDS)
    assert tuple(name for name, made in DRIVERS.items() if made.flags.own_kernel) == VM_DRIVERS


@pytest.mark.parametrize("name", DRIVERS)
def test_the_settings_choose(tmp_path: Path, name: str) -> None:
    chosen = settings(tmp_path, driver=name)
    made = local_driver(chosen, ImageStore(chosen.images_dir), tmp_path)
    assert type(made) is DRIVERS[name] and made.name == name
    assert made.flags.own_kernel == (name != "namespace")


def test_what_the_settings_say_of_machines_arrives(tmp_path: Path) -> None:
    chosen = settings(
        tmp_path, vm_cpus=3, memory_mib=512, disk_mib=256, program="terminal", accelerator="tcg", width=800
    )
    options = vm_options(chosen, Path("/usr/bin/vmm"))
    assert (options.cpus, options.desktop, options.accelerator) == (3, "terminal", "tcg")
    assert options.limits.memory_bytes == 2**29 and options.limits.disk_bytes == 2**28
    assert options.size == (800, 720) and options.state == chosen.state
    host = host_of(chosen, tmp_path)
    assert host.folder == chosen.machines and host.door_ports == (41000, 41999)


@pytest.mark.parametrize("name", VM_DRIVERS)
def test_what_came_of_clones_is_told_with_the_driver_s_name(tmp_path: Path, name: str) -> None:
    heard: list[tuple[str, str]] = []
    chosen = settings(tmp_path, driver=name)
    made = local_driver(
        chosen,
        ImageStore(chosen.images_dir),
        tmp_path,
        lambda driver, outcome: heard.append((driver, outcome)),
    )
    assert isinstance(made, VirtualDriver)
    made.restores.told("booted")
    assert heard == [(name, "booted")]


async def test_a_driver_whose_machines_were_never_made_finds_none(tmp_path: Path) -> None:
    """Nothing is there yet: no folder, no helper."""
    for name in DRIVERS:
        chosen = settings(tmp_path, driver=name, helper_socket=tmp_path / "nobody")
        assert await local_driver(chosen, ImageStore(chosen.images_dir), tmp_path).observe() == {}
