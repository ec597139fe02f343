"""What a host's facts mean, as a table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from transom.drivers.facts import Facts, Kvm, RootHelper, Swap, Wanted
from transom.drivers.host import MIB, judge
from transom.model.finding import Standing

OK, NOTE, WARNING, PROBLEM = Standing.OK, Standing.NOTE, Standing.WARNING, Standing.PROBLEM
GOOD = Facts(
    kernel="6.12.5",
    architecture="x86_64",
    programs={
        "bwrap": "bubblewrap 0.8.0",
        "nft": "nftables v1.0.6",
        "qemu": "QEMU 9.0",
        "firecracker": "v1.16.0",
    },
    kvm=Kvm(True),
    tun=True,
    vhost=(),
    sysctls={"user.max_user_namespaces": "65536"},
    cgroup_version=2,
    controllers=("memory", "cpu", "pids"),
    ksm="0",
    smt_control="off",
    smt_active="0",
    vulnerable=(),
    swaps=(),
    memory_bytes=64 * 1024 * MIB,
    available_bytes=32 * 1024 * MIB,
    clock_synchronized=True,
    door="",
    door_is_own=True,
    helper=RootHelper(version=2, controllers=("memory", "cpu", "pids")),
    uid=0,
)
SANDBOXES = Wanted("namespace", 2048 * MIB, 20, "192.0.2.1", 2)
MACHINES = replace(SANDBOXES, driver="qemu")
JAILS = replace(SANDBOXES, driver="firecracker")


@pytest.mark.parametrize("wanted", [SANDBOXES, MACHINES, JAILS])
def test_a_good_host_is_all_well(wanted: Wanted) -> None:
    found = judge(GOOD, wanted)
    assert {each.standing for each in found} == {OK}
    assert not any(each.mend for each in found)


CASES: list[tuple[dict[str, Any], str, tuple[Standing, Standing]]] = [
    # what is changed, the subject it shows in, its standing where sandboxes are made and where machines are
    ({"kernel": "5.10.0-30-amd64"}, "kernel", (WARNING, WARNING)),
    ({"kernel": "4.19.0"}, "kernel", (WARNING, WARNING)),
    ({"vulnerable": ("mds", "retbleed")}, "processor", (WARNING, WARNING)),
    ({"available_bytes": 1024 * MIB}, "memory", (WARNING, WARNING)),
    ({"memory_bytes": 8 * 1024 * MIB, "available_bytes": 4096 * MIB}, "memory", (NOTE, NOTE)),
    ({"cgroup_version": 0, "controllers": ()}, "control groups", (WARNING, WARNING)),
    ({"controllers": ("memory", "pids")}, "control groups", (WARNING, WARNING)),
    ({"clock_synchronized": False}, "clock", (WARNING, WARNING)),
    ({"door": "no free UDP port in 1-2"}, "door", (PROBLEM, PROBLEM)),
    ({"door_is_own": False}, "door", (NOTE, NOTE)),
    ({"ksm": "1"}, "ksm", (WARNING, WARNING)),
    ({"smt_active": "1", "smt_control": "on"}, "smt", (NOTE, WARNING)),
    ({"swaps": (Swap("/dev/sda2", False), Swap("/dev/zram0", True))}, "swap", (WARNING, WARNING)),
    ({"sysctls": {"user.max_user_namespaces": "0"}}, "user.max_user_namespaces", (NOTE, NOTE)),
    ({"kvm": Kvm(False)}, "kvm", (NOTE, WARNING)),
    ({"kvm": Kvm(True, "Permission denied")}, "kvm", (NOTE, WARNING)),
    ({"kvm": Kvm(True, pvm=True, nested=True)}, "kvm", (NOTE, WARNING)),
    ({"kvm": Kvm(True, nested=True)}, "kvm", (NOTE, NOTE)),
    ({"tun": False}, "tun", (NOTE, PROBLEM)),
    ({"programs": {"bwrap": "0.8"}}, "nftables", (NOTE, PROBLEM)),
    ({"helper": RootHelper(version=1)}, "root helper", (NOTE, PROBLEM)),
    ({"helper": RootHelper(version=2, jail="no firecracker")}, "jail", (NOTE, NOTE)),
    ({"uid": 1000}, "users", (NOTE, WARNING)),
]


@pytest.mark.parametrize(
    ("changed", "subject", "standings"), CASES, ids=[f"{case[1]}-{n}" for n, case in enumerate(CASES)]
)
def test_what_is_missing_or_unsafe_is_named_with_its_mend(
    changed: dict[str, Any], subject: str, standings: tuple[Standing, Standing]
) -> None:
    for wanted, standing in zip((SANDBOXES, MACHINES), standings, strict=True):
        found = [each for each in judge(replace(GOOD, **changed), wanted) if each.standing is not OK]
        assert [(each.subject, each.standing) for each in found] == [(subject, standing)]
        assert found[0].mend
        assert found[0].group in ("host", "namespace", "qemu", "firecracker")


def test_jails_leak_as_other_machines_do() -> None:
    leaky = replace(GOOD, ksm="1", smt_active="1", swaps=(Swap("/dev/sda2", False),))
    said = {each.subject: each for each in judge(leaky, JAILS)}
    for subject in ("ksm", "smt", "swap"):
        assert said[subject].standing is WARNING and said[subject].mend


@pytest.mark.parametrize("wanted", [MACHINES, JAILS])
def test_where_the_helper_makes_the_groups_its_own_count(wanted: Wanted) -> None:
    """Jails are always its; QEMU's are where the controller is not root."""
    uid = 0 if wanted is JAILS else 1000
    weak = replace(GOOD, uid=uid, helper=replace(GOOD.helper, controllers=("cpu",)))
    said = {each.subject: each for each in judge(weak, wanted)}["control groups"]
    assert (said.standing, "memory, pids" in said.what, "Delegate" in said.mend) == (WARNING, True, True)
    strong = replace(GOOD, uid=uid, controllers=())
    assert {each.subject: each for each in judge(strong, wanted)}["control groups"].standing is OK
    older = replace(weak, helper=RootHelper(version=1))
    assert "control groups" not in {each.subject for each in judge(older, wanted)}


def test_no_helper_is_for_the_drivers_to_say() -> None:
    found = judge(replace(GOOD, helper=RootHelper("nobody listens")), MACHINES)
    assert not [each for each in found if each.subject in ("root helper", "jail")]


def test_a_door_for_this_host_only_says_so() -> None:
    (found,) = [each for each in judge(GOOD, replace(SANDBOXES, door_address="127.0.0.1")) if each.mend]
    assert (found.subject, found.standing) == ("door", NOTE)


def test_a_kernel_that_does_not_say_is_not_blamed() -> None:
    silent = replace(
        GOOD,
        ksm="",
        smt_control="",
        smt_active="",
        clock_synchronized=None,
        kernel="odd",
        programs=dict(GOOD.programs),
    )
    assert {each.standing for each in judge(silent, SANDBOXES)} == {OK}


def test_only_unencrypted_swap_is_named() -> None:
    mixed = replace(GOOD, swaps=(Swap("/dev/sda2", False), Swap("/dev/dm-1", True)))
    (found,) = [each for each in judge(mixed, SANDBOXES) if each.subject == "swap"]
    assert "/dev/sda2" in found.what and "dm-1" not in found.what


def test_vhost_devices_are_nobody_s_here() -> None:
    found = judge(replace(GOOD, vhost=("/dev/vhost-vsock",)), MACHINES)
    assert [each.standing for each in found if each.subject == "vhost"] == [OK]
