"""What a jailed machine is made of: what the root helper is given, and that nothing stays open or lies about."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.keeper_config import config
from transom_keeper.arrivals import MachineSockets
from transom_keeper.firecracker import parts
from transom_keeper.firecracker.leash import Leash
from transom_keeper.helper import HelperError, Jail, MachineNetwork
from transom_keeper.machine import LaunchError
from transom_keeper.vm import snapshot
from transom_wire.helper import StartJail
from transom_wire.vm import CONFIG_BYTES, VmConfig

OWNER = os.geteuid()
IMAGE = ("kernel", "initramfs", "rootfs")


@dataclass
class FakeHelper:
    """Makes a network of nothing and a jail of `sleep`; remembers what a jail was given."""

    refuses: str = ""
    request: StartJail | None = None
    content: list[bytes] = field(default_factory=list)
    writable: list[bool] = field(default_factory=list)
    modes: list[int] = field(default_factory=list)
    links: list[int] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None

    def __call__(self, path: str) -> FakeHelper:
        assert path == "/helper.sock"
        return self

    def network(self, machine: str, owner: int, doors: int, *, open_tap: bool) -> MachineNetwork:
        if self.refuses == "network":
            raise HelperError("no network today", "ask again")
        assert (owner, doors, open_tap) == (OWNER, 4, False) or doors > 0
        link, forwarder, door = (socket.socket() for _ in range(3))
        sockets = MachineSockets(link, forwarder, [door])
        return MachineNetwork(os.open("/dev/null", os.O_RDONLY), sockets, None)

    def start_jail(self, request: StartJail, descriptors: list[int]) -> Jail:
        if self.refuses == "jail":
            raise HelperError("no jail today", "install firecracker")
        self.request = request
        for each in descriptors:
            flags = fcntl.fcntl(each, fcntl.F_GETFL)
            self.writable.append(flags & os.O_ACCMODE != os.O_RDONLY)
            self.modes.append(os.fstat(each).st_mode & 0o777)
            self.links.append(os.fstat(each).st_nlink)
            self.content.append(b"" if self.writable[-1] else os.pread(each, 20, 0))
        self.process = subprocess.Popen(["/bin/sleep", "600"])
        ours, theirs = socket.socketpair()
        ours.close()
        return Jail(os.pidfd_open(self.process.pid), theirs, ("no memory limit: none",))


@pytest.fixture
def helper(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHelper]:
    fake = FakeHelper()
    monkeypatch.setattr(parts, "Helper", fake)
    monkeypatch.setattr(parts, "hold", lambda pidfd, uid, name: a_leash())
    yield fake
    if fake.process is not None:
        fake.process.kill()
        fake.process.wait()


def a_leash() -> Leash:
    """That holds nothing."""
    return Leash(os.open("/dev/null", os.O_RDONLY), 2**22, os.pidfd_open(os.getpid()))


@pytest.fixture
def vm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> VmConfig:
    """The parts of an image; the machine's own folder is the current one."""
    image, folder = tmp_path / "image", tmp_path / "machine"
    image.mkdir()
    folder.mkdir()
    for name in IMAGE:
        (image / name).write_text(name)
    monkeypatch.chdir(folder)
    paths = {name: str(image / name) for name in IMAGE}
    return VmConfig(vmm="/firecracker", accelerator="kvm", cpus=2, **paths)


def gathered(vm: VmConfig) -> parts.Parts:
    return parts.gather(config(driver="firecracker", helper="/helper.sock", vm=vm), vm, "0123abcd")


def opened() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_a_jail_gets_its_files_in_their_order(helper: FakeHelper, vm: VmConfig) -> None:
    gathered(vm).close()
    assert [each.rstrip(b"\0") for each in helper.content] == [
        b"",
        b"kernel",
        b"initramfs",
        b"rootfs",
        b"",
        b"",
        b"",
    ]
    assert helper.writable == [False] * 5 + [True, True]
    assert helper.request is not None
    assert (helper.request.restore, helper.request.save) == (False, False)
    assert helper.request.limits.memory_bytes > config().limits.memory_bytes


def test_limits_that_the_jail_did_not_get_are_in_the_log(
    helper: FakeHelper, vm: VmConfig, caplog: pytest.LogCaptureFixture
) -> None:
    gathered(vm).close()
    assert [each.message for each in caplog.records if each.levelname == "WARNING"] == [
        "no memory limit: none"
    ]


def test_its_own_disks_have_a_name_only_until_the_jail_has_them(helper: FakeHelper, vm: VmConfig) -> None:
    made = gathered(vm)
    assert helper.links[4:6] == [1, 1] and helper.modes[4:6] == [0o600, 0o600]
    assert os.listdir(".") == []
    assert os.fstat(made.config).st_size == CONFIG_BYTES
    assert os.fstat(made.files.overlay).st_size == config().limits.disk_bytes
    made.close()


def test_a_restored_one_gets_what_was_saved_to_read(helper: FakeHelper, vm: VmConfig, tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    folder.mkdir()
    for name in (snapshot.STATE, snapshot.MEMORY, snapshot.OVERLAY):
        (folder / name).write_text(name)
    made = gathered(replace(vm, snapshot=str(folder)))
    assert helper.content[-2:] == [b"state", b"memory"]
    assert helper.writable[-2:] == [False, False]
    assert helper.request is not None and helper.request.restore
    made.close()


def test_one_to_save_gets_two_files_to_write(helper: FakeHelper, vm: VmConfig) -> None:
    gathered(replace(vm, save_snapshot="/anywhere")).close()
    assert helper.writable[-2:] == [True, True]
    assert sorted(os.listdir(".")) == [parts.SAVED_MEMORY, parts.SAVED_STATE]
    assert helper.request is not None and helper.request.save


def test_letting_go_ends_the_jail_and_closes_everything(helper: FakeHelper, vm: VmConfig) -> None:
    before = opened()
    made = gathered(vm)
    made.close()
    made.close()
    assert made.network.sockets.link.fileno() >= 0
    made.network.sockets.close()
    assert helper.process is not None and helper.process.wait(10) < 0
    assert opened() == before


@pytest.mark.parametrize("refuses", ["network", "jail"])
def test_a_refusal_of_the_helpers_leaves_nothing(helper: FakeHelper, vm: VmConfig, refuses: str) -> None:
    helper.refuses = refuses
    before = opened()
    with pytest.raises(LaunchError, match=f"no {refuses} today") as caught:
        gathered(vm)
    assert caught.value.mend
    assert opened() == before and os.listdir(".") == []


@pytest.mark.parametrize("missing", [*IMAGE, "snapshot"])
def test_a_file_that_is_not_there_leaves_nothing(helper: FakeHelper, vm: VmConfig, missing: str) -> None:
    changes: dict[str, Any] = {missing: "/no/such/file"}
    before = opened()
    with pytest.raises(OSError, match="No such file"):
        gathered(replace(vm, **changes))
    assert opened() == before and os.listdir(".") == []
    assert helper.request is None
