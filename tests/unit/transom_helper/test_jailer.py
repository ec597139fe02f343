"""What the jailer is told, and which firecracker may run."""

from __future__ import annotations

import itertools
import subprocess
from pathlib import Path

import pytest

from tests.support.firecracker_standin import install
from tests.support.helper_lab import LIMITS, TAG
from transom_helper import jailer
from transom_helper.refusal import Refusal
from transom_wire.helper import StartJail

BASE = Path("/srv/jails")


def request(**changes: bool) -> StartJail:
    return StartJail("mch_a", TAG, 5000, LIMITS, changes.pop("restore", False), **changes)


def told(wanted: StartJail) -> list[str]:
    return jailer.arguments(Path("/j/jailer"), Path("/f/firecracker"), BASE, "an-id", wanted, "/proc/1/fd/3")


def test_the_whole_command() -> None:
    command = told(request())
    assert command[:3] == ["/j/jailer", "--id", "an-id"]
    own, passed_on = command[: command.index("--")], command[command.index("--") + 1 :]
    assert passed_on == ["--api-sock", "/run/firecracker.socket"]
    options = dict(itertools.pairwise(own))
    assert options["--uid"] == options["--gid"] == "5000"
    assert options["--netns"] == "/proc/1/fd/3"
    assert "--new-pid-ns" in own
    assert f"fsize={LIMITS.disk_bytes}" in own
    assert not {"--daemonize", "--enable-pci", "--no-seccomp"} & set(command)


def test_a_snapshot_s_file_may_be_as_large_as_the_memory() -> None:
    limits = [word for word in told(request(save=True)) if word.startswith("fsize=")]
    assert int(limits[0].removeprefix("fsize=")) >= LIMITS.memory_bytes


def test_a_stand_in_as_strict_as_the_jailer_takes_the_command(tmp_path: Path) -> None:
    _, standin = install(tmp_path, 2_000_000)
    command = [str(standin), *told(request())[1:]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "exec file" in done.stderr  # everything else was taken
    done = subprocess.run([*command[:1], "--enable-pci", *command[1:]], capture_output=True, check=False)
    assert done.returncode != 0


@pytest.mark.parametrize("machine", ["mch-a", "x" * 60])
def test_names_the_jailer_would_not_take(machine: str) -> None:
    with pytest.raises(Refusal):
        jailer.jail_id(TAG, machine)


def test_two_machines_have_two_jails() -> None:
    ids = [jailer.jail_id(tag, name) for tag in (TAG, "ffffffff") for name in ("mch_a", "mch_b", "mcha")]
    assert len(set(ids)) == 6
    assert all(len(id) <= jailer.LONGEST_ID and "_" not in id for id in ids)


def test_the_gate_opens_by_a_line_and_not_by_an_end() -> None:
    command = jailer.gated(["/bin/sh", "-c", "echo through; cat"])
    assert (
        subprocess.run(command, input=b"\nnot for it", capture_output=True, check=True).stdout == b"through\n"
    )
    assert subprocess.run(command, input=b"", capture_output=True, check=False).stdout == b""


@pytest.fixture
def programs(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("firecracker", "jailer"):
        (tmp_path / name).touch(0o755)
        (tmp_path / name).chmod(0o755)
    return tmp_path / "firecracker", tmp_path / "jailer"


@pytest.mark.parametrize(
    ("firecracker", "jail", "reason"),
    [
        ("Firecracker v1.16.0", "Jailer v1.16.0", ""),
        ("Firecracker v1.14.4", "Jailer v1.14.4", ""),
        ("Firecracker v1.14.3", "Jailer v1.14.3", "known holes"),
        ("Firecracker v1.15.0", "Jailer v1.15.0", "known holes"),
        ("Firecracker v1.7.0", "Jailer v1.7.0", "known holes"),
        ("hello", "Jailer v1.16.0", "unknown version"),
        ("Firecracker v1.16.0", "Jailer v1.16.1", "two versions"),
        ("Firecracker v1.16.0", "", "two versions"),
    ],
)
def test_versions(programs: tuple[Path, Path], firecracker: str, jail: str, reason: str) -> None:
    said = dict(zip(programs, (firecracker, jail), strict=True))
    found = jailer.fit(*programs, said.__getitem__)
    assert (found is None) if not reason else (found is not None and reason in found.reason and found.mend)


def test_a_program_that_others_may_write_is_refused(programs: tuple[Path, Path], tmp_path: Path) -> None:
    programs[1].chmod(0o775)
    found = jailer.fit(*programs, lambda _: "v1.16.0")
    assert found is not None and str(programs[1]) in found.reason
    programs[1].chmod(0o755)
    tmp_path.chmod(0o777)
    found = jailer.fit(*programs, lambda _: "v1.16.0")
    assert found is not None and f"chmod go-w {tmp_path}" in found.mend


def test_a_program_that_does_not_say_its_version(programs: tuple[Path, Path]) -> None:
    def says(program: Path) -> str:
        raise Refusal("it does not run")

    found = jailer.fit(*programs, says)
    assert found is not None and found.reason == "it does not run"
