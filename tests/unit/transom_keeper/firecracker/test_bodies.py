"""What Firecracker is told, and that nothing of a user's is in it."""

from __future__ import annotations

import json

import pytest

from transom_keeper.firecracker import bodies
from transom_keeper.firecracker.version import Version
from transom_wire import vm


def test_a_boot_configures_everything_and_then_starts() -> None:
    told = bodies.boot(2, 1536 * bodies.MIB)
    assert [(each.method, each.path) for each in told] == [
        ("PUT", "/machine-config"),
        ("PUT", "/boot-source"),
        ("PUT", "/drives/rootfs"),
        ("PUT", "/drives/config"),
        ("PUT", "/drives/overlay"),
        ("PUT", "/network-interfaces/eth0"),
        ("PUT", "/entropy"),
        ("PUT", "/actions"),
    ]
    assert told[0].body == {
        "vcpu_count": 2,
        "mem_size_mib": 1536,
        "smt": False,
        "track_dirty_pages": False,
    }
    assert told[-1].body == {"action_type": "InstanceStart"}


@pytest.mark.parametrize(("cpus", "memory"), [(0, 2**30), (33, 2**30), (1, 0), (1, -5), (1, 1000)])
def test_a_size_that_is_none_is_refused(cpus: int, memory: int) -> None:
    with pytest.raises(ValueError, match="no machine has that size"):
        bodies.boot(cpus, memory)


def test_only_the_overlay_can_be_written_and_none_is_the_root_device() -> None:
    drives = [each.body for each in bodies.boot(1, 2**30) if each.path.startswith("/drives/")]
    assert {each["drive_id"]: each["is_read_only"] for each in drives} == {
        "rootfs": True,
        "config": True,
        "overlay": False,
    }
    assert not any(each["is_root_device"] for each in drives)
    assert all("rate_limiter" in each for each in drives)


def test_every_machine_has_the_same_network_card() -> None:
    body = bodies.interface().body
    assert (body["host_dev_name"], body["guest_mac"]) == (vm.TAP, vm.GUEST_MAC)


def test_paths_are_the_jails_own_and_sizes_all_that_differs() -> None:
    one, other = (json.dumps([each.body for each in bodies.boot(*size)]) for size in ((1, 2**30), (4, 2**31)))
    assert one.replace('"vcpu_count": 1, "mem_size_mib": 1024', "") == other.replace(
        '"vcpu_count": 4, "mem_size_mib": 2048', ""
    )
    jail = {vm.JAIL_KERNEL, vm.JAIL_INITRAMFS, vm.JAIL_ROOTFS, vm.JAIL_CONFIG, vm.JAIL_OVERLAY}
    told = bodies.boot(1, 2**30)
    paths = {
        value
        for each in told
        for name, value in each.body.items()
        if name.endswith(("_path", "_on_host")) and isinstance(value, str)
    }
    assert paths == jail


def test_the_command_line_never_loads_the_root_itself_nor_uses_pci() -> None:
    words = bodies.KERNEL_ARGUMENTS.split()
    assert "reboot=k" in words and "panic=1" in words and "clocksource=kvm-clock" in words
    assert not any(each.startswith(("root=", "pci", "nomodule", "init=")) for each in words)


def test_a_snapshot_is_loaded_on_the_jails_own_tap_with_the_time_where_the_version_can() -> None:
    old, new = bodies.load(Version(1, 15, 1)).body, bodies.load(Version(1, 16, 0)).body
    assert old["network_overrides"] == [{"iface_id": "eth0", "host_dev_name": vm.TAP}]
    assert old["resume_vm"] is True
    assert old["mem_backend"] == {"backend_type": "File", "backend_path": vm.JAIL_MEMORY}
    assert "clock_realtime" not in old and new["clock_realtime"] is True


def test_a_snapshot_is_saved_whole() -> None:
    assert bodies.save().body == {
        "snapshot_type": "Full",
        "snapshot_path": vm.JAIL_STATE,
        "mem_file_path": vm.JAIL_MEMORY,
    }
    assert (bodies.pause().body, bodies.resume().body) == ({"state": "Paused"}, {"state": "Resumed"})
