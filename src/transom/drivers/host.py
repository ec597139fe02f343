"""What a host's facts mean for machines on it, whichever driver makes them. Pure: `host_facts` gathers.

A driver's own probe says whether it can work. Here is what no probe asks: what makes machines leak, swap, starve
or be told the wrong time. What only virtual machines mind is a note where sandboxes are made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from transom.drivers.facts import Facts, Kvm, Wanted
from transom.model.finding import Finding, Standing
from transom.model.machine import VM_DRIVERS
from transom_keeper.cgroups import CONTROLLERS

MIB = 2**20
OLDEST_KERNEL = (5, 14)
"""SO_NETNS_COOKIE, by which a keeper sees that a machine's sockets are of its own network."""
CLOCK_MEND = "enable time synchronization: timedatectl set-ntp true"
_VERSION = re.compile(r"(\d+)\.(\d+)")
_USERNS = {
    "kernel.apparmor_restrict_unprivileged_userns": ("1", "0"),
    "kernel.unprivileged_userns_clone": ("0", "1"),
    "user.max_user_namespaces": ("0", "65536"),
}
"""Setting -> (the value that forbids, the value that mends)."""


def judge(facts: Facts, wanted: Wanted) -> list[Finding]:
    """All that is worth saying, the host's first."""
    return [
        *_kernel(facts),
        *_memory(facts, wanted),
        *_groups(facts, wanted),
        *_users(facts, wanted),
        *_clock(facts),
        *_door(facts, wanted),
        *_leaks(facts, wanted),
        *_namespaces(facts),
        *_virtual(facts, wanted),
        *_helper(facts, wanted),
    ]


def _host(subject: str, standing: Standing, what: str, mend: str = "") -> Finding:
    return Finding(subject, standing, what, mend, "host")


def _kernel(facts: Facts) -> Iterator[Finding]:
    said = f"Linux {facts.kernel} on {facts.architecture}"
    found = _VERSION.match(facts.kernel)
    if found is not None and (int(found[1]), int(found[2])) < OLDEST_KERNEL:
        oldest = ".".join(map(str, OLDEST_KERNEL))
        what = f"{said}: it cannot tell whose network a socket is of"
        yield _host("kernel", Standing.WARNING, what, f"use Linux {oldest} or later")
    else:
        yield _host("kernel", Standing.OK, said)
    if facts.vulnerable:
        what = f"the processor has open holes: {', '.join(facts.vulnerable)}"
        yield _host(
            "processor", Standing.WARNING, what, "update kernel and microcode, without mitigations=off"
        )


def _memory(facts: Facts, wanted: Wanted) -> Iterator[Finding]:
    total, free = facts.memory_bytes // MIB, facts.available_bytes // MIB
    said = f"{free} of {total} MiB are free"
    one = wanted.memory_bytes // MIB
    if facts.available_bytes < wanted.memory_bytes:
        what = f"{said}, and one machine may take {one}"
        yield _host("memory", Standing.WARNING, what, "end something, or set TRANSOM_MEMORY_MIB")
    elif facts.memory_bytes < wanted.memory_bytes * wanted.machines:
        what = f"{said}: not enough for {wanted.machines} machines that fill their {one} each"
        yield _host("memory", Standing.NOTE, what, "set TRANSOM_SESSIONS_MAX and TRANSOM_POOL_MAX")
    else:
        yield _host("memory", Standing.OK, f"{said}: enough for {wanted.machines} machines")


def _groups(facts: Facts, wanted: Wanted) -> Iterator[Finding]:
    if wanted.virtual and (wanted.driver == "firecracker" or facts.uid != 0):
        yield from _groups_of_helper(facts, wanted)
        return
    missing = [each for each in CONTROLLERS if each not in facts.controllers]
    if facts.cgroup_version == 0:
        what = "no control groups: a machine can use the host up"
        yield _host("control groups", Standing.WARNING, what, "mount cgroup2 at /sys/fs/cgroup")
    elif missing:
        what = f"version {facts.cgroup_version}, and not to be had: {', '.join(missing)}"
        mend = "run the controller as a service with Delegate=yes, or as root"
        yield _host("control groups", Standing.WARNING, what, mend)
    else:
        what = f"version {facts.cgroup_version}, with {', '.join(facts.controllers)}"
        yield _host("control groups", Standing.OK, what)


def _groups_of_helper(facts: Facts, wanted: Wanted) -> Iterator[Finding]:
    """Where it makes the machines' groups, the controller's own do not matter. Without one, or of another version,
    there is another finding."""
    helper = facts.helper
    missing = [each for each in CONTROLLERS if each not in helper.controllers]
    if helper.reason or helper.version != wanted.wire_version:
        return
    if missing:
        what = f"the root helper makes the machines', and cannot limit: {', '.join(missing)}"
        mend = "start the helper by deploy/transom-helper.service (Delegate=yes)"
        yield _host("control groups", Standing.WARNING, what, mend)
    else:
        yield _host("control groups", Standing.OK, f"the root helper's, with {', '.join(helper.controllers)}")


def _users(facts: Facts, wanted: Wanted) -> Iterator[Finding]:
    if facts.uid == 0:
        yield _host("users", Standing.OK, "each machine has a user of its own")
        return
    standing = Standing.WARNING if wanted.virtual else Standing.NOTE
    what = f"all machines run as the controller's user ({facts.uid}): one that breaks out has what that has"
    mend = "run the controller as root: each machine is then a user of its own (TRANSOM_UID_BASE)"
    yield _host("users", standing, what, mend)


def _clock(facts: Facts) -> Iterator[Finding]:
    if facts.clock_synchronized:
        yield _host("clock", Standing.OK, "is synchronized")
    elif facts.clock_synchronized is False:
        what = "is not synchronized: certificates and sign-ins fail when it drifts"
        yield _host("clock", Standing.WARNING, what, CLOCK_MEND)


def _door(facts: Facts, wanted: Wanted) -> Iterator[Finding]:
    address = wanted.door_address
    if facts.door:
        yield _host("door", Standing.PROBLEM, f"{address}: {facts.door}", "set TRANSOM_DOOR_ADDRESS")
    elif address in ("127.0.0.1", "::1"):
        mend = "for others, set TRANSOM_DOOR_ADDRESS to an address that they reach"
        yield _host("door", Standing.NOTE, f"{address}: WebRTC for viewers on this host only", mend)
    elif not facts.door_is_own:
        what = f"{address} is no address of this host: the door listens on all of them"
        yield _host("door", Standing.NOTE, what, "forward its UDP ports to this host")
    else:
        yield _host("door", Standing.OK, f"{address} can be used")


def _leaks(facts: Facts, wanted: Wanted) -> Iterator[Finding]:
    """What lets one machine learn of another, or a disk keep what a machine had in memory."""
    shared = Standing.WARNING if wanted.virtual else Standing.NOTE
    if facts.ksm not in ("", "0", "2"):
        what = "machines can tell what is in each other's memory: pages are merged (KSM)"
        yield _host("ksm", Standing.WARNING, what, "echo 2 > /sys/kernel/mm/ksm/run")
    elif facts.ksm:
        yield _host("ksm", Standing.OK, "no pages of machines are merged")
    if facts.smt_active == "1":
        what = "two machines may share a core, and its caches (SMT)"
        yield _host("smt", shared, what, "echo off > /sys/devices/system/cpu/smt/control, or boot with nosmt")
    elif facts.smt_control:
        yield _host("smt", Standing.OK, f"no two machines share a core at once (SMT {facts.smt_control})")
    open_ones = [each.name for each in facts.swaps if not each.safe]
    if open_ones:
        what = f"what machines have in memory may be written to disk: {', '.join(open_ones)}"
        yield _host("swap", Standing.WARNING, what, "swapoff -a, or encrypt it (crypttab, option swap)")
    else:
        words = "encrypted, or in memory" if facts.swaps else "none"
        yield _host("swap", Standing.OK, words)


def _namespaces(facts: Facts) -> Iterator[Finding]:
    """Restrictions of user namespaces: a note, because a profile may allow bubblewrap all the same."""
    said = facts.programs.get("bwrap")
    if said is not None:
        yield Finding("bubblewrap", Standing.OK, said, group="namespace")
    for name, (forbids, mends) in _USERNS.items():
        if facts.sysctls.get(name) == forbids:
            what = f"{name} is {forbids}: it restricts user namespaces"
            yield Finding(name, Standing.NOTE, what, f"sysctl -w {name}={mends}", "namespace")


def _virtual(facts: Facts, wanted: Wanted) -> Iterator[Finding]:
    for name in VM_DRIVERS:
        if (said := facts.programs.get(name)) is not None:
            yield Finding("version", Standing.OK, said, group=name)
    yield from _kvm(facts.kvm, wanted)
    needed = Standing.PROBLEM if wanted.virtual else Standing.NOTE
    if not facts.tun:
        yield Finding("tun", needed, "/dev/net/tun is not there", "modprobe tun", "qemu")
    if "nft" not in facts.programs:
        what = "nftables is not installed: no network for virtual machines"
        yield Finding("nftables", needed, what, "apt-get install nftables", "qemu")
    if "/dev/vhost-vsock" in facts.vhost and wanted.virtual:
        what = f"{', '.join(facts.vhost)} are there; no machine of ours is given any"
        yield Finding("vhost", Standing.OK, what, group="qemu")


def _kvm(kvm: Kvm, wanted: Wanted) -> Iterator[Finding]:
    # Firecracker's own probe calls it a problem where it is one; QEMU emulates.
    weaker = Standing.WARNING if wanted.virtual else Standing.NOTE
    if not kvm.present:
        mend = "switch virtualization on in the firmware, then modprobe kvm_intel or kvm_amd"
        yield Finding("kvm", weaker, "/dev/kvm is not there: virtual machines are emulated", mend, "qemu")
    elif kvm.error:
        mend = "usermod -aG kvm the controller's user, or see the kernel's log"
        yield Finding("kvm", weaker, f"/dev/kvm cannot be used: {kvm.error}", mend, "qemu")
    elif kvm.pvm:
        what = "/dev/kvm is PVM, nested without hardware: most kernels do not get through it"
        yield Finding("kvm", weaker, what, "use a host with hardware virtualization", "qemu")
    elif kvm.nested:
        what = "/dev/kvm works, and is nested: slower, and two kernels to break out of"
        yield Finding("kvm", Standing.NOTE, what, "use a host of your own for strangers", "qemu")
    else:
        yield Finding("kvm", Standing.OK, "/dev/kvm makes machines", group="qemu")


def _helper(facts: Facts, wanted: Wanted) -> Iterator[Finding]:
    helper = facts.helper
    if helper.reason:  # each driver that needs one says so
        return
    if helper.version != wanted.wire_version:
        what = f"it speaks version {helper.version}, this controller {wanted.wire_version}"
        standing = Standing.PROBLEM if wanted.virtual else Standing.NOTE
        yield Finding("root helper", standing, what, "systemctl restart transom-helper", "qemu")
    else:
        yield Finding("root helper", Standing.OK, "answers", group="qemu")
    if helper.jail and wanted.driver != "firecracker":
        mend = "start the helper with --firecracker and --jailer"
        yield Finding(
            "jail", Standing.NOTE, f"the root helper makes none: {helper.jail}", mend, "firecracker"
        )
