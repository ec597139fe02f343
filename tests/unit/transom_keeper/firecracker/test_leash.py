"""A machine ends when its keeper does, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from transom_keeper.firecracker.leash import Leash

UID = 1_900_000_777 if os.geteuid() == 0 else None
KEEPER = """
import os, sys, time
from transom_keeper.firecracker.leash import hold
hold(os.pidfd_open(int(sys.argv[1])), int(sys.argv[2]) if sys.argv[2] else None)
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
def machine() -> Iterator[subprocess.Popen[bytes]]:
    """A process of the user that machines run as."""
    process = subprocess.Popen(["/bin/sleep", "600"], user=UID, group=UID)
    yield process
    process.kill()
    process.wait()


def test_what_it_holds_ends_when_it_lets_go(machine: subprocess.Popen[bytes]) -> None:
    # in a process of its own: a fork wants a parent with one thread
    program = KEEPER.replace("hold(os", "leash = hold(os").replace("time.sleep(600)", "leash.let_go()")
    done = subprocess.run(told(program, machine), capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "held\n"
    assert machine.wait(10) == -signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGALRM])
def test_what_it_holds_ends_with_the_keeper(machine: subprocess.Popen[bytes], number: signal.Signals) -> None:
    keeper = subprocess.Popen(told(KEEPER, machine), stdout=subprocess.PIPE)
    assert keeper.stdout is not None
    with keeper:
        assert keeper.stdout.readline() == b"held\n"
        assert machine.poll() is None
        keeper.send_signal(number)
        assert machine.wait(10) == -signal.SIGKILL


def test_its_child_ends_with_the_machine(machine: subprocess.Popen[bytes]) -> None:
    keeper = subprocess.Popen(told(KEEPER, machine), stdout=subprocess.PIPE)
    assert keeper.stdout is not None
    with keeper:
        keeper.stdout.readline()
        machine.kill()
        machine.wait()
        children = f"/proc/{keeper.pid}/task/{keeper.pid}/children"
        assert until_only_zombies(children)
        keeper.kill()


def test_letting_go_twice_is_letting_go_once() -> None:
    reader, writer = os.pipe()
    leash = Leash(writer, child=2**22)
    leash.let_go()
    leash.let_go()
    assert os.read(reader, 1) == b""
    os.close(reader)


def told(program: str, machine: subprocess.Popen[bytes]) -> list[str]:
    return [sys.executable, "-c", program, str(machine.pid), "" if UID is None else str(UID)]


def until_only_zombies(children: str) -> bool:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with open(children) as file:
            pids = file.read().split()
        if all(state(pid) == "Z" for pid in pids):
            return True
        time.sleep(0.02)
    return False


def state(pid: str) -> str:
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0]
