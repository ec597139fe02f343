"""A jail, started by the helper from descriptors with a strict stand-in for Firecracker and its jailer; and that
nothing of it is left, whoever was killed when."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from tests.support.firecracker_standin import install
from tests.support.helper_lab import (
    CALLER,
    LIMITS,
    OWNER,
    TAG,
    Failed,
    HelperLab,
    as_user,
    eventually,
    gone,
    helper,
    number_of,
)
from transom_helper import namespaces
from transom_helper.groups import ended
from transom_keeper.helper import HelperError, Jail, MachineNetwork
from transom_wire.helper import StartJail

pytestmark = pytest.mark.alone

MACHINE = "mch_jailed"
ROUNDS = 6


@dataclass
class Parts:
    """All that a jail is started from."""

    folder: Path
    network: MachineNetwork
    descriptors: list[int] = field(default_factory=list)
    console: bytes = b""

    def __post_init__(self) -> None:
        self.descriptors = [os.dup(self.network.namespace)]
        for name in ("kernel", "initramfs", "rootfs", "config"):
            (self.folder / name).write_text(f"the {name}")
            (self.folder / name).chmod(0o644)
            self.descriptors.append(os.open(self.folder / name, os.O_RDONLY))
        (self.folder / "overlay").write_text("the overlay")
        self.descriptors.append(os.open(self.folder / "overlay", os.O_RDWR))
        reader, writer = os.pipe()
        self.descriptors.append(writer)
        threading.Thread(target=self._read, args=(reader,), daemon=True).start()

    def _read(self, reader: int) -> None:
        with os.fdopen(reader, "rb", buffering=0) as stream:
            while more := stream.read(4096):
                self.console += more

    def close(self) -> None:
        for each in self.descriptors:
            os.close(each)
        self.network.close()


def unit_rights() -> tuple[str, ...]:
    """A command that leaves what the shipped unit leaves of root's rights."""
    unit = Path(__file__).parents[2] / "deploy" / "transom-helper.service"
    (line,) = [each for each in unit.read_text().splitlines() if each.startswith("CapabilityBoundingSet=")]
    rights = [f"+{name.removeprefix('CAP_').lower()}" for name in line.partition("=")[2].split()]
    return ("setpriv", "--no-new-privs", f"--bounding-set=-all,{','.join(rights)}", "--")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HelperLab]:
    programs = tmp_path_factory.mktemp("programs")
    firecracker, jailer = install(programs, 2_000_000)
    with helper("--firecracker", str(firecracker), "--jailer", str(jailer), prefix=unit_rights()) as running:
        yield running
        with contextlib.suppress(HelperError):
            running.client().remove(MACHINE, TAG)


@pytest.fixture
def parts(lab: HelperLab, tmp_path: Path) -> Iterator[Parts]:
    made = Parts(tmp_path, lab.client().network(MACHINE, OWNER, 3, open_tap=False))
    yield made
    lab.client().remove(MACHINE, TAG)
    made.close()


def request(machine: str = MACHINE) -> StartJail:
    return StartJail(machine, TAG, OWNER, LIMITS, restore=False)


def pid_of(jail: Jail) -> int:
    lines = Path(f"/proc/self/fdinfo/{jail.pidfd}").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("Pid:")))


def ask_version(api: socket.socket) -> bytes:
    api.setblocking(True)
    api.settimeout(10)
    api.send(b"GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return api.recv(1000)


def test_a_jail_holds_what_it_was_given_and_nothing_else(lab: HelperLab, parts: Parts) -> None:
    jail = lab.client().start_jail(request(), parts.descriptors)
    assert b"firecracker_version" in ask_version(jail.api)
    inside = Path(f"/proc/{pid_of(jail)}")
    root = inside / "root"
    for name in ("kernel", "initramfs", "rootfs", "config", "overlay"):
        assert (root / name).read_text() == f"the {name}"
    mounts = {
        line.split()[4]: line.split()[5].split(",")
        for line in (inside / "mountinfo").read_text().splitlines()
    }
    for name in ("kernel", "initramfs", "rootfs", "config"):
        assert {"ro", "nosuid", "nodev", "noexec"} <= set(mounts[f"/{name}"])
    assert "rw" in mounts["/overlay"]
    status = dict(
        line.split(":\t", 1) for line in (inside / "status").read_text().splitlines() if ":\t" in line
    )
    assert status["Uid"].split() == status["Gid"].split() == [str(OWNER)] * 4
    assert status["Groups"].strip() == ""
    assert status["NSpid"].split()[-1] == "1"
    assert os.stat(inside / "ns/net").st_ino == os.fstat(parts.network.namespace).st_ino
    assert "Max core file size        1" in (inside / "limits").read_text().replace("1 ", "1", 1)
    assert not any(place.startswith(str(lab.base)) for place in Path("/proc/self/mounts").read_text().split())
    assert parts.console == b""
    jail.close()


def test_the_overlay_is_handed_to_the_jail_s_user(lab: HelperLab, parts: Parts) -> None:
    lab.client().start_jail(request(), parts.descriptors).close()
    assert os.fstat(parts.descriptors[5]).st_uid == OWNER


def test_removal_ends_and_removes_all_of_it(lab: HelperLab, parts: Parts) -> None:
    jail = lab.client().start_jail(request(), parts.descriptors)
    assert lab.client().survey(TAG).machines == (MACHINE,)
    lab.client().remove(MACHINE, TAG)
    lab.client().remove(MACHINE, TAG)
    assert ended(jail.pidfd)
    jail.close()
    assert left_of(lab) == []


def left_of(lab: HelperLab) -> list[str]:
    """Files, processes, groups and mounts of any jail."""
    found = [str(path) for path in lab.base.glob("*/*")]
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if entry.isdigit() and f"{TAG}-mch-" in Path(f"/proc/{entry}/cmdline").read_text():
                found.append(f"process {entry}")
    for line in Path("/proc/self/mounts").read_text().splitlines():
        place, kind = line.split()[1:3]
        if str(lab.base) in place:
            found.append(place)
        if kind.startswith("cgroup"):
            # os.walk bears it that groups of others go meanwhile
            names = (f"{folder}/{name}" for folder, below, _ in os.walk(place) for name in below)
            found += [name for name in names if re.search(rf"/mch_[^/]*-{TAG}$", name)]
    return found


def test_one_machine_has_one_jail(lab: HelperLab, parts: Parts) -> None:
    jail = lab.client().start_jail(request(), parts.descriptors)
    with pytest.raises(HelperError, match="has a jail"):
        lab.client().start_jail(request(), parts.descriptors)
    assert b"firecracker_version" in ask_version(jail.api)
    jail.close()


def test_a_jail_gets_a_network_that_was_made_for_its_caller_and_no_other(
    lab: HelperLab, parts: Parts
) -> None:
    """Not a container's that root made and that everybody may open, nor another user's."""
    foreign = new_network()
    try:
        for namespace, caller in ((foreign, 0), (foreign, CALLER), (parts.network.namespace, CALLER)):
            given = [namespace, *parts.descriptors[1:]]
            os.fchown(given[5], caller, caller)
            with pytest.raises((HelperError, Failed), match="none that was made for this user"):
                start = partial(lab.client().start_jail, request("mch_foreign"), given)
                _ = start() if caller == 0 else as_user(caller, start)
    finally:
        os.close(foreign)
    assert lab.client().survey(TAG).machines == ()

    def own() -> bool:
        network = lab.client().network("mch_own", OWNER, 3, open_tap=False)
        jail = lab.client().start_jail(request("mch_own"), [network.namespace, *parts.descriptors[1:]])
        return not ended(jail.pidfd)

    os.fchown(parts.descriptors[5], CALLER, CALLER)
    try:
        assert as_user(CALLER, own)
    finally:
        lab.client().remove("mch_own", TAG)


def new_network() -> int:
    """One that root made, as container runtimes do."""

    def make() -> int:
        namespaces.unshare(namespaces.CLONE_NEWNET)
        return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    return namespaces.apart(make)


def test_a_jailer_that_fails_leaves_nothing_and_its_words_are_kept(
    lab: HelperLab, parts: Parts, tmp_path: Path
) -> None:
    with helper(*broken(tmp_path, "echo 'no such luck' >&2; exit 3")) as other:
        with pytest.raises(HelperError, match="failed with 3") as failed:
            other.client().start_jail(request("mch_broken"), parts.descriptors)
        assert "console log" in failed.value.mend
        assert eventually(lambda: b"no such luck" in parts.console)
        assert left_of(other) == []


def test_a_firecracker_that_ends_at_once_leaves_nothing(lab: HelperLab, parts: Parts, tmp_path: Path) -> None:
    with helper(*broken(tmp_path, "exit 0")) as other:
        with pytest.raises(HelperError, match="ended as it started"):
            other.client().start_jail(request("mch_broken"), parts.descriptors)
        assert left_of(other) == []


def broken(folder: Path, does: str) -> list[str]:
    """Options for a jailer that does this instead."""
    firecracker, jailer = install(folder, 2_000_000)
    jailer.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "Jailer v1.16.1" && exit 0\n{does}\n')
    return ["--firecracker", str(firecracker), "--jailer", str(jailer)]


def test_a_snapshot_s_files_are_read_only_to_restore(lab: HelperLab, parts: Parts) -> None:
    for name in ("state", "memory"):
        (parts.folder / name).write_text(name)
        os.chown(parts.folder / name, OWNER, OWNER)
        (parts.folder / name).chmod(0o400)
        parts.descriptors.append(os.open(parts.folder / name, os.O_RDONLY))
    wanted = StartJail(MACHINE, TAG, OWNER, LIMITS, restore=True)
    jail = lab.client().start_jail(wanted, parts.descriptors)
    root = Path(f"/proc/{pid_of(jail)}/root")
    assert (root / "memory").read_text() == "memory"
    with pytest.raises(OSError, match="Read-only"):
        (root / "state").write_text("changed")
    jail.close()


def test_a_later_helper_removes_what_an_earlier_one_made(lab: HelperLab, parts: Parts) -> None:
    jail = lab.client().start_jail(request(), parts.descriptors)
    lab.kill()
    assert b"firecracker_version" in ask_version(jail.api)  # the machine does not notice
    lab.start()
    assert lab.client().survey(TAG).machines == (MACHINE,)
    lab.client().remove(MACHINE, TAG)
    assert ended(jail.pidfd)
    jail.close()
    assert left_of(lab) == []


def test_an_upgrade_s_helper_and_one_without_firecracker_remove_what_was_made(
    lab: HelperLab, parts: Parts, tmp_path: Path
) -> None:
    """Releases name their program after their version, and a link says which is meant."""
    link, jailer = install(tmp_path, 2_000_000)
    releases = [tmp_path / f"firecracker-v1.{number}.1-x86_64" for number in (16, 17)]
    for each in releases:
        shutil.copy(link, each)
    link.unlink()
    link.symlink_to(releases[0])
    with helper("--firecracker", str(link), "--jailer", str(jailer)) as other:
        for upgrade in (True, False):
            jail = other.client().start_jail(request("mch_older"), parts.descriptors)
            assert list(other.base.glob("firecracker-v1.1?.1-x86_64/*"))
            other.kill()
            if upgrade:
                link.unlink()
                link.symlink_to(releases[1])
            else:
                other.arguments = ()
            other.start()
            other.client().remove("mch_older", TAG)
            assert ended(jail.pidfd)
            jail.close()
            assert left_of(other) == []


def test_killed_at_any_moment_it_leaves_what_the_next_one_removes(lab: HelperLab, tmp_path: Path) -> None:
    chance, numbers, started = random.Random(5), [], 0
    for each in range(ROUNDS):
        folder = tmp_path / str(each)
        folder.mkdir()
        parts = Parts(folder, lab.client().network(MACHINE, OWNER, 3, open_tap=False))
        numbers.append(number_of(parts.network.namespace))
        killer = threading.Timer(chance.uniform(0.0, 0.25), lab.kill)
        killer.start()
        with contextlib.suppress(HelperError):
            lab.client().start_jail(request(), parts.descriptors).close()
            started += 1
        killer.join()
        lab.start()
        # the gate of a command that was held back sees its end and goes
        assert eventually(lambda: removed(lab))
        parts.close()
    assert gone(numbers)
    assert started < ROUNDS


def removed(lab: HelperLab) -> bool:
    lab.client().remove(MACHINE, TAG)
    time.sleep(0.05)
    return left_of(lab) == []
