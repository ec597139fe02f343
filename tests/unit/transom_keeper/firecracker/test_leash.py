"""A machine ends when its keeper does, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from transom_keeper.firecracker.leash import Leash

UID = 1_900_000_777 if os.geteuid() == 0 else None
KEEPER = """
import os, sys, time
from transom_keeper.firecracker.leash import hold
uid = int(sys.argv[2]) if sys.argv[2] else None
leash = hold(os.pidfd_open(int(sys.argv[1])), uid, "machine-of-mine")
print("held", flush=True)
sys.stdin.readline()
leash.let_go()
print("let go", flush=True)
time.sleep(600)
"""


@pytest.fixture
def machine() -> Iterator[subprocess.Popen[bytes]]:
    """A process of the user that machines run as."""
    process = subprocess.Popen(["/bin/sleep", "600"], user=UID, group=UID)
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def keeper(machine: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """A process of its own, because a fork wants a parent with one thread; it holds the machine."""
    told = [sys.executable, "-c", KEEPER, str(machine.pid), "" if UID is None else str(UID)]
    process = subprocess.Popen(told, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    try:
        assert process.stdout.readline() == b"held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_what_it_holds_ends_when_it_lets_go(
    machine: subprocess.Popen[bytes], keeper: subprocess.Popen[bytes]
) -> None:
    assert keeper.stdin is not None and keeper.stdout is not None
    keeper.stdin.write(b"\n")
    keeper.stdin.flush()
    assert keeper.stdout.readline() == b"let go\n"
    assert machine.wait(10) == -signal.SIGKILL
    assert children(keeper.pid) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGALRM])
def test_what_it_holds_ends_with_the_keeper(
    machine: subprocess.Popen[bytes], keeper: subprocess.Popen[bytes], number: signal.Signals
) -> None:
    assert machine.poll() is None
    keeper.send_signal(number)
    assert machine.wait(10) == -signal.SIGKILL


def test_its_child_is_the_machine_s_by_name_and_ends_with_it(
    machine: subprocess.Popen[bytes], keeper: subprocess.Popen[bytes]
) -> None:
    (child,) = children(keeper.pid)
    named = Path(f"/proc/{child}/cmdline")
    until(lambda: named.read_bytes().rstrip(b"\0") == b"machine-of-mine")
    assert Path(f"/proc/{keeper.pid}/cmdline").read_bytes().startswith(sys.executable.encode())
    machine.kill()
    machine.wait()
    until(lambda: state(child) == "Z")


def test_its_child_is_not_ended_by_what_asks_keepers_to_end(
    machine: subprocess.Popen[bytes], keeper: subprocess.Popen[bytes]
) -> None:
    """From its first moment: it may not have run yet."""
    (child,) = children(keeper.pid)
    os.kill(child, signal.SIGTERM)
    keeper.kill()
    assert machine.wait(10) == -signal.SIGKILL


def test_letting_go_twice_is_letting_go_once() -> None:
    reader, writer = os.pipe()
    leash = Leash(writer, child=2**22, pidfd=os.pidfd_open(os.getpid()))
    leash.let_go()
    leash.let_go()
    assert os.read(reader, 1) == b""
    os.close(reader)


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)
