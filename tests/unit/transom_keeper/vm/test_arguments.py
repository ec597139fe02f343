from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_keeper.vm.arguments import (
    OVERHEAD_BYTES,
    Drives,
    Shape,
    confinement,
    kernel_arguments,
    vmm_arguments,
    vmm_limits,
)
from transom_wire.keeper_config import Limits
from transom_wire.vm import GUEST_MAC

DRIVES = Drives(kernel=10, initramfs=11, rootfs=12, config=13, overlay=14)
TCG = Shape("tcg", 2, 512 * 2**20, DRIVES, tap=15, tsc_khz=2_700_000)
KVM = Shape("kvm", 4, 2**30, DRIVES, tap=15)


def after(told: list[str], option: str) -> list[str]:
    """The values of an option that may come more than once."""
    return [value for name, value in itertools.pairwise(told) if name == option]


def test_files_are_descriptors_and_nothing_is_a_path_of_the_host() -> None:
    told = vmm_arguments(TCG, 16)
    assert after(told, "-kernel") == ["/proc/self/fd/10"] and after(told, "-initrd") == ["/proc/self/fd/11"]
    assert after(told, "-add-fd") == ["fd=12,set=1", "fd=13,set=2", "fd=14,set=3"]
    paths = [word for each in told for word in each.replace("=", ",").split(",") if word.startswith("/")]
    assert all(path.startswith(("/proc/self/fd/", "/dev/fdset/", "/init")) for path in paths)


def test_drives_come_in_their_order_and_only_the_overlay_is_writable() -> None:
    disks = after(vmm_arguments(TCG, 16), "-blockdev")
    assert [each.split(",")[1] for each in disks] == [
        "node-name=rootfs",
        "node-name=config",
        "node-name=overlay",
    ]
    assert ["read-only=on" in each for each in disks] == [True, True, False]
    assert all("file.locking=off" in each for each in disks)


def test_the_vmm_may_start_nothing_and_find_no_configuration() -> None:
    told = vmm_arguments(KVM, 16)
    (sandbox,) = after(told, "-sandbox")
    assert sandbox == "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
    assert {"-nodefaults", "-no-user-config", "-no-reboot"} <= set(told)


def test_the_one_network_is_the_tap_that_came_as_a_descriptor() -> None:
    told = vmm_arguments(TCG, 16)
    assert after(told, "-netdev") == ["tap,id=net,fd=15,vhost=off"]
    assert [each for each in after(told, "-device") if "net" in each] == [
        f"virtio-net-device,netdev=net,mac={GUEST_MAC}"
    ]


def test_emulation_is_told_the_host_s_counter_and_kvm_is_not() -> None:
    (line,) = after(vmm_arguments(TCG, 16), "-append")
    assert "tsc_early_khz=2700000 tsc=reliable" in line
    assert after(vmm_arguments(TCG, 16), "-cpu") == ["Nehalem-v1,arat=on"]
    assert "tsc" not in kernel_arguments(None)
    assert after(vmm_arguments(KVM, 16), "-cpu") == ["host"]
    assert after(vmm_arguments(KVM, 16), "-accel") == ["kvm"]


def test_one_that_is_restored_waits_to_be_told_where_from() -> None:
    restored = Shape("kvm", 4, 2**30, DRIVES, tap=15, state=17)
    assert after(vmm_arguments(restored, 16), "-incoming") == ["defer"]
    assert set(restored.descriptors) - set(KVM.descriptors) == {17}
    assert "-incoming" not in vmm_arguments(KVM, 16)


@given(
    st.sampled_from(["kvm", "tcg"]),
    st.integers(1, 64),
    st.integers(64 * 2**20, 2**40),
    st.lists(st.integers(3, 2**20), min_size=7, max_size=7, unique=True),
)
def test_every_number_gives_the_same_words(
    accelerator: str, cpus: int, memory: int, numbers: list[int]
) -> None:
    told = vmm_arguments(Shape(accelerator, cpus, memory, Drives(*numbers[:5]), tap=numbers[5]), numbers[6])
    assert after(told, "-m") == [f"{memory // 2**20}M"] and after(told, "-smp") == [str(cpus)]
    assert all("\0" not in word and "\n" not in word for word in told)


def test_around_the_vmm_there_is_nothing_of_the_host_but_its_programs() -> None:
    told = confinement(20, 21, 22, kvm=False)
    binds = [told[place + 1 : place + 3] for place, word in enumerate(told) if word.endswith("-bind")]
    assert binds == [["/usr", "/usr"]]
    assert "--unshare-all" in told and "--share-net" not in told and "--clearenv" in told
    assert after(told, "--remount-ro")[-1] == "/"
    assert after(told, "--seccomp") == ["20"] and after(told, "--block-fd") == ["22"]
    assert after(confinement(20, 21, None, kvm=True), "--dev-bind") == ["/dev/kvm"]
    assert "--block-fd" not in confinement(20, 21, None, kvm=True)


@pytest.mark.parametrize("accelerator", ["kvm", "tcg"])
def test_the_groups_leave_room_for_the_vmm_itself(accelerator: str) -> None:
    limits = Limits(memory_bytes=2**30, cpu_millis=1000, pids=32)
    around = vmm_limits(limits, accelerator)
    assert around.memory_bytes == 2**30 + OVERHEAD_BYTES[accelerator]
    assert around.pids >= 128 and around.cpu_millis == 1000
