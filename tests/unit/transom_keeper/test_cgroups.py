"""Groups on a folder that looks like a host's: which files are written, what is said when one cannot be."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from transom_keeper import cgroups
from transom_keeper.cgroups import Base
from transom_wire.keeper_config import Limits

LIMITS = Limits(memory_bytes=2**30, cpu_millis=1500, pids=300)
V1_MOUNTS = """\
tmpfs /sys/fs/cgroup tmpfs rw 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,nosuid,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,name=systemd 0 0
broken
"""
V1_OWN = "5:cpu,cpuacct:/\n4:memory:/system.slice/transom.service\n1:name=systemd:/x\n"


def test_version_1_groups_are_made_in_our_own() -> None:
    assert cgroups.bases(V1_MOUNTS, V1_OWN) == [
        Base(Path("/sys/fs/cgroup/cpu,cpuacct/transom"), 1, ("cpu",)),
        Base(Path("/sys/fs/cgroup/memory/system.slice/transom.service/transom"), 1, ("memory",)),
    ]


def test_version_2_groups_are_made_beside_our_own() -> None:
    mounts = "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n"
    assert cgroups.bases(mounts, "0::/system.slice/transom.service\n") == [
        Base(Path("/sys/fs/cgroup/system.slice/transom"), 2, cgroups.CONTROLLERS)
    ]
    assert cgroups.bases(mounts, "0::/\n")[0].path == Path("/sys/fs/cgroup/transom")


@pytest.mark.parametrize("own", ["", "nonsense", "0::/../x", "4:memory:relative", "::::"])
def test_what_the_host_does_not_say_clearly_makes_no_base(own: str) -> None:
    assert cgroups.bases("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n" + V1_MOUNTS, own) == []


@pytest.mark.parametrize(
    ("controller", "version", "wanted"),
    [
        ("memory", 1, {"memory.limit_in_bytes": "1073741824", "memory.memsw.limit_in_bytes": "1073741824"}),
        ("memory", 2, {"memory.max": "1073741824", "memory.swap.max": "0"}),
        ("cpu", 1, {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "150000"}),
        ("cpu", 2, {"cpu.max": "150000 100000"}),
        ("pids", 1, {"pids.max": "300"}),
        ("pids", 2, {"pids.max": "300"}),
    ],
)
def test_what_a_controller_is_told(controller: str, version: int, wanted: dict[str, str]) -> None:
    assert {file: value for file, value, _ in cgroups.settings(LIMITS, controller, version)} == wanted


class Host:
    """A folder in place of a cgroup mount: `mkdir` below it fills in the files the kernel would."""

    def __init__(self, top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.top = top
        real = Path.mkdir

        def mkdir(path: Path, *args: object, **options: object) -> None:
            real(path, *args, **options)  # type: ignore[arg-type]
            self.fill(path)

        monkeypatch.setattr(Path, "mkdir", mkdir)
        self.fill(top)

    def fill(self, path: Path) -> None:
        for name in ("cgroup.procs", "cgroup.subtree_control"):
            (path / name).touch()
        (path / "cgroup.controllers").write_text("cpu memory pids\n")


def test_version_2_hands_controllers_down_and_sets_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(tmp_path / "own", monkeypatch) if (tmp_path / "own").mkdir() is None else None
    assert host is not None
    groups = cgroups.make("m-1", LIMITS, [Base(host.top / "transom", 2, cgroups.CONTROLLERS)])
    folder = host.top / "transom" / "m-1"
    assert groups.warnings == [] and groups.folders == [folder]
    assert (folder / "memory.max").read_text() == "1073741824"
    assert (folder / "pids.max").read_text() == "300"
    assert (host.top / "cgroup.subtree_control").read_text() == "+pids"
    groups.join()
    assert (folder / "cgroup.procs").read_text() == "0"
    groups.close()


def test_version_1_sets_what_it_can_and_warns_of_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "memory").mkdir()
    host = Host(tmp_path / "memory", monkeypatch)
    groups = cgroups.make("m-1", LIMITS, [Base(host.top / "transom", 1, ("memory",))])
    assert (host.top / "transom" / "m-1" / "memory.limit_in_bytes").read_text() == "1073741824"
    assert [each.split(":")[0] for each in groups.warnings] == ["no cpu limit", "no pids limit"]
    groups.close()


def test_a_host_without_groups_makes_a_machine_with_warnings(tmp_path: Path) -> None:
    groups = cgroups.make("m-1", LIMITS, [Base(tmp_path / "gone" / "transom", 2, cgroups.CONTROLLERS)])
    assert len(groups.warnings) == 3
    groups.join()
    assert cgroups.make("m-1", LIMITS, []).warnings[0].startswith("no memory limit: this host")


def test_the_last_machine_s_end_removes_the_group_around_it(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "transom" / name).mkdir(parents=True)
    assert cgroups.remove(tmp_path / "transom" / "a")
    assert (tmp_path / "transom").exists()
    assert cgroups.remove(tmp_path / "transom" / "b")
    assert not (tmp_path / "transom").exists()
    assert cgroups.remove(tmp_path / "transom" / "b")


def test_a_group_in_use_stays(tmp_path: Path) -> None:
    (tmp_path / "a" / "child").mkdir(parents=True)
    assert not cgroups.remove(tmp_path / "a")


def test_processes_of_a_group(tmp_path: Path) -> None:
    (tmp_path / "cgroup.procs").write_text("12\n345\n")
    assert cgroups.processes(tmp_path) == [12, 345]
    assert cgroups.processes(tmp_path / "gone") == []


def test_this_host_s_own_bases_can_be_read() -> None:
    assert all(base.path.is_absolute() and base.version in (1, 2) for base in cgroups.own_bases())
    assert all(set(cgroups.offers(base)) <= set(cgroups.CONTROLLERS) for base in cgroups.own_bases())
    assert os.path.exists("/proc/self/cgroup")


def test_a_number_that_has_left_the_group_is_another_process_and_lives(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        (tmp_path / "cgroup.procs").write_text(f"{os.getpid()}\n")
        cgroups.kill(tmp_path, child.pid)
        assert child.poll() is None
        (tmp_path / "cgroup.procs").write_text(f"{child.pid}\n")
        cgroups.kill(tmp_path, child.pid)
        assert child.wait(10) == -9
    cgroups.kill(tmp_path, child.pid)  # it is over
