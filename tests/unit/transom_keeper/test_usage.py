from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.forwarding import PATIENCE_S
from transom_keeper.usage import UsageMeter, UsageReports, below
from transom_wire.codec import Message, decode, encode
from transom_wire.control import Usage


def group(path: Path, **files: str) -> Path:
    path.mkdir()
    for name, text in {"cgroup_procs": "1\n", **files}.items():
        (path / name.replace("_", ".", 1)).write_text(text)
    return path


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A /proc in which this process has no children."""
    (tmp_path / "proc").mkdir()
    return tmp_path / "proc"


@pytest.fixture
def child() -> Iterator[int]:
    code = "import sys; list(range(10**6)); print('up', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as made:
        assert made.stdout is not None
        made.stdout.readline()
        yield made.pid
        made.kill()


def test_version_2_groups(tmp_path: Path, empty: Path) -> None:
    one = group(
        tmp_path / "g",
        memory_current="5000000\n",
        cpu_stat="usage_usec 1234567\nuser_usec 1\n",
        pids_current="7\n",
    )
    told = UsageMeter([one], tmp_path, empty).measure()
    assert told == {"memory_bytes": "5000000", "cpu_ms": "1234", "pids": "7"}


def test_version_1_groups(tmp_path: Path, empty: Path) -> None:
    parts = [
        group(tmp_path / "memory", memory_usage_in_bytes="5\n"),
        group(tmp_path / "cpu", cpuacct_usage="7000000000\n"),
        group(tmp_path / "pids", pids_current="3\n"),
    ]

    told = UsageMeter(parts, tmp_path, empty).measure()
    assert told == {"memory_bytes": "5", "cpu_ms": "7000", "pids": "3"}


@pytest.mark.parametrize("text", ["", "max\n", "-\n", "usage_usec\n", "\x00"])
def test_what_cannot_be_read_is_left_out(tmp_path: Path, empty: Path, text: str) -> None:
    one = group(tmp_path / "g", memory_current=text, cpu_stat=text, pids_current=text)
    assert UsageMeter([one, tmp_path / "gone"], tmp_path, empty).measure() == {"cpu_ms": "0"}


def test_without_groups_the_processes_are_counted(tmp_path: Path, child: int) -> None:
    assert child in below(os.getpid())
    told = UsageMeter([], tmp_path).measure()
    assert int(told["memory_bytes"]) > 2**20 and int(told["pids"]) >= 1
    assert int(told["cpu_ms"]) >= 0


def test_a_machine_that_another_started_is_counted_too(tmp_path: Path) -> None:
    """A jail's first process is the root helper's child: the keeper has only its pidfd."""
    meter = UsageMeter([], tmp_path)
    inner = "list(range(10**6)); print('up', flush=True); import sys; sys.stdin.read()"
    code = f"import subprocess, sys; subprocess.run(['setsid', '--fork', sys.executable, '-c', {inner!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as starter:
        assert starter.stdout is not None and starter.stdin is not None
        starter.stdout.readline()
        starter.wait()
        stranger = next(pid for pid in _all_pids() if pid not in below(os.getpid()) and _says(pid, inner))
        meter.outside = os.pidfd_open(stranger)
        told = meter.measure()
        starter.stdin.close()
    os.close(meter.outside)
    assert int(told["pids"]) >= 1 and int(told["memory_bytes"]) > 0


def _all_pids() -> list[int]:
    return [int(each) for each in os.listdir("/proc") if each.isdigit()]


def _says(pid: int, text: str) -> bool:
    try:
        return text.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def test_time_never_runs_back(tmp_path: Path, empty: Path) -> None:
    one = group(tmp_path / "g", memory_current="1\n", cpu_stat="usage_usec 9000000\n", pids_current="1\n")
    meter = UsageMeter([one], tmp_path, empty)
    meter.measure()
    (one / "cpu.stat").write_text("usage_usec 1000\n")
    assert meter.measure()["cpu_ms"] == "9000"
    (one / "cgroup.procs").write_text("")
    assert meter.measure() == {"cpu_ms": "9000"}


def test_an_overlay_counts_by_what_it_holds(tmp_path: Path, empty: Path) -> None:
    overlay = tmp_path / "overlay.raw"
    with overlay.open("wb") as file:
        file.truncate(2**30)
        file.seek(2**20)
        file.write(b"x" * 8192)
    held = int(UsageMeter([], tmp_path, empty).measure()["disk_bytes"])
    assert 8192 <= held < 2**20


class Heard:
    def __init__(self, attached: bool = True) -> None:
        self.attached = attached
        self.messages: list[Message] = []

    def deliver(self, message: Message) -> None:
        self.messages.append(message)


class Counting:
    def sums(self) -> Mapping[str, str]:
        return {"bytes_up": "5", **{f"failed_{number}": "1" for number in range(100)}}


class Door:
    def sums(self) -> Mapping[str, str]:
        return {"dropped": "9", "flooded": "7"}


def test_a_report_is_one_the_controller_can_read(tmp_path: Path) -> None:
    heard = Heard()
    UsageReports(UsageMeter([], tmp_path), Counting, lambda: heard, Door).tell()
    (told,) = heard.messages
    assert isinstance(told, Usage) and decode(encode(told), (Usage,)) == told
    assert len(told.numbers) == 64 and told.numbers["exit_bytes_up"] == "5" and told.at > 0
    assert (told.numbers["door_dropped"], told.numbers["door_flooded"]) == ("9", "7")


async def test_reports_come_while_somebody_listens_and_only_then(tmp_path: Path) -> None:
    heard = Heard(attached=False)
    reports = UsageReports(UsageMeter([], tmp_path), lambda: None, lambda: heard)
    reports.every_s = 0.01
    running = asyncio.ensure_future(reports.run(None))
    await asyncio.sleep(0.05)
    assert not heard.messages
    heard.attached = True
    async with asyncio.timeout(PATIENCE_S):
        while len(heard.messages) < 3:
            await asyncio.sleep(0.01)
    running.cancel()
    UsageReports(UsageMeter([], tmp_path), lambda: None, lambda: None).tell()
