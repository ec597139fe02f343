"""A jailed Firecracker as a machine: what its API is told, and how it ends. The jail is a `sleep`."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.keeper_config import config
from tests.unit.transom_keeper.firecracker.peer import Agreeing, Peer, answer, over
from transom_keeper.arrivals import MachineSockets
from transom_keeper.firecracker import machine as firecracker
from transom_keeper.firecracker.leash import Leash
from transom_keeper.firecracker.machine import FirecrackerMachine
from transom_keeper.firecracker.parts import SAVED_MEMORY, SAVED_STATE, Parts
from transom_keeper.helper import Jail, MachineNetwork
from transom_keeper.log import BoundedFile, GuestOutput
from transom_keeper.machine import LaunchError
from transom_keeper.vm import snapshot
from transom_keeper.vm.files import Files
from transom_wire.vm import CONFIG_BYTES, CONFIG_MAGIC, VmConfig

TOKEN = "t" * 32
VM = VmConfig(vmm="/f", accelerator="kvm", kernel="/k", initramfs="/i", rootfs="/r", cpus=2)


class Writing(Agreeing):
    """Writes what a real one would, when it is asked to save."""

    def reply(self, line: str) -> bytes | None:
        if line == "PUT /snapshot/create" and self.refused != line:
            Path(SAVED_STATE).write_text("state")
            Path(SAVED_MEMORY).write_text("memory")
        return super().reply(line)


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    made = subprocess.Popen(["/bin/sleep", "600"])
    yield made
    made.kill()
    made.wait()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The machine's own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@asynccontextmanager
async def made(
    process: subprocess.Popen[bytes], peer: Peer, vm: VmConfig = VM, saved_overlay: bytes | None = None
) -> AsyncIterator[tuple[FirecrackerMachine, int]]:
    """The machine, and the write end of its console."""
    async with over(peer) as api:
        console, printed = os.pipe()
        parts = _parts(process, api, console, saved_overlay)
        output = GuestOutput(BoundedFile(Path("guest.log")))
        made = FirecrackerMachine(config(vm=vm, driver="firecracker"), vm, parts, output)
        made.watch()
        yield made, printed
        await made.kill()
        os.close(printed)


def _parts(
    process: subprocess.Popen[bytes], api: socket.socket, console: int, saved_overlay: bytes | None
) -> Parts:
    undo = ExitStack()

    def file(content: bytes = b"") -> int:
        opened = undo.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        opened.write(content)
        opened.flush()
        return opened.fileno()

    undo.callback(os.close, console)
    saved = None if saved_overlay is None else file(saved_overlay)
    files = Files(kernel=-1, initramfs=-1, rootfs=-1, overlay=file(), saved_overlay=saved)
    sockets = MachineSockets(socket.socket(), socket.socket(), [])
    network = MachineNetwork(os.open("/dev/null", os.O_RDONLY), sockets, None)
    undo.callback(network.close)
    jail = Jail(os.pidfd_open(process.pid), api)
    undo.callback(jail.close)
    guard = subprocess.Popen(["/bin/sleep", "600"])
    undo.callback(guard.wait)
    undo.callback(guard.kill)
    leash = Leash(os.open("/dev/null", os.O_RDONLY), guard.pid, os.pidfd_open(guard.pid))
    undo.callback(os.close, leash.pidfd)
    undo.callback(os.close, leash.end)
    return Parts(files, network, jail, leash, file(bytes(CONFIG_BYTES)), console, undo)


async def test_a_boot_writes_the_config_drive_and_starts(process: subprocess.Popen[bytes]) -> None:
    peer = Agreeing()
    async with made(process, peer) as (machine, _):
        await machine.begin(TOKEN)
        drive = os.pread(machine.parts.config, CONFIG_BYTES + 1, 0)
        assert len(drive) == CONFIG_BYTES and drive.startswith(CONFIG_MAGIC)
        told = json.loads(drive[len(CONFIG_MAGIC) :].rstrip(b"\0"))
        assert (told["boot_token"], told["emulated"]) == (TOKEN, False)
        assert [line for line, _ in peer.heard][-1] == "PUT /actions"
        assert TOKEN.encode() not in b"".join(body for _, body in peer.heard)


@pytest.mark.parametrize(
    ("reason", "said"), [("", ()), ("no room", ("booted, for its restore failed: no room",))]
)
async def test_one_that_should_have_been_restored_says_so(
    process: subprocess.Popen[bytes], reason: str, said: tuple[str, ...]
) -> None:
    async with made(process, Agreeing(), replace(VM, booted_for=reason)) as (machine, _):
        assert machine.warnings() == said


async def test_a_refusal_comes_with_the_consoles_last_words(process: subprocess.Popen[bytes]) -> None:
    async with made(process, Agreeing(refused="PUT /boot-source")) as (machine, printed):
        os.write(printed, b"Firecracker panicked\n")
        with pytest.raises(
            LaunchError, match=r"does not start: Firecracker refused PUT /boot-source .* not today"
        ):
            await machine.begin(TOKEN)
    assert "Firecracker panicked" in Path("guest.log").read_text()


async def test_a_restore_is_the_first_that_is_asked_and_done_when_the_guest_dials(
    process: subprocess.Popen[bytes],
) -> None:
    peer = Agreeing()
    async with made(process, peer, replace(VM, snapshot="/s"), b"what was written") as (machine, _):
        beginning = asyncio.ensure_future(machine.begin(TOKEN))
        done, _ = await asyncio.wait({beginning}, timeout=0.2)
        assert not done
        machine.heard()
        await beginning
        assert [line for line, _ in peer.heard] == ["GET /version", "PUT /snapshot/load"]
        assert os.pread(machine.parts.files.overlay, 100, 0) == b"what was written"


async def test_a_restored_guest_that_is_silent_is_one_that_did_not_start(
    process: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(firecracker.HEARD_SECONDS, "kvm", 0.05)
    async with made(process, Agreeing(), replace(VM, snapshot="/s"), b"") as (machine, _):
        with pytest.raises(LaunchError, match="the restored guest said nothing"):
            await machine.begin(TOKEN)


async def test_a_restored_guest_that_ends_is_not_waited_for(process: subprocess.Popen[bytes]) -> None:
    async with made(process, Agreeing(), replace(VM, snapshot="/s"), b"") as (machine, _):
        beginning = asyncio.ensure_future(machine.begin(TOKEN))
        process.kill()
        with pytest.raises(LaunchError, match="ended as it was restored"):
            await asyncio.wait_for(beginning, 5)


async def test_it_is_saved_whole_and_to_be_read_by_every_clone(
    process: subprocess.Popen[bytes], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(firecracker, "SETTLE_SECONDS", 0)
    peer = Writing()
    async with made(process, peer) as (machine, _):
        await machine.begin(TOKEN)
        os.pwrite(machine.parts.files.overlay, b"written", 0)
        await machine.save(TOKEN, folder / "saved")
    assert [line for line, _ in peer.heard][-2:] == ["PATCH /vm", "PUT /snapshot/create"]
    saved = folder / "saved"
    assert snapshot.read_note(saved).boot_token == TOKEN
    assert {each.name: each.read_text() for each in saved.iterdir() if each.name != snapshot.NOTE} == {
        "state": "state",
        "memory": "memory",
        "overlay": "written",
    }
    assert saved.stat().st_mode & 0o777 == 0o700
    assert (saved / "memory").stat().st_mode & 0o777 == 0o444


async def test_what_could_not_be_saved_leaves_nothing(
    process: subprocess.Popen[bytes], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(firecracker, "SETTLE_SECONDS", 0)
    async with made(process, Writing(refused="PUT /snapshot/create")) as (machine, _):
        await machine.begin(TOKEN)
        with pytest.raises(LaunchError, match="not today"):
            await machine.save(TOKEN, folder / "saved")
    assert not list(folder.glob("saved*"))


async def test_its_end_is_seen_with_its_last_words(process: subprocess.Popen[bytes]) -> None:
    async with made(process, Agreeing()) as (machine, printed):
        await machine.begin(TOKEN)
        waiting = asyncio.ensure_future(machine.wait())
        os.write(printed, b"Kernel panic - not syncing\n")
        await asyncio.sleep(0.1)
        process.kill()
        assert await asyncio.wait_for(waiting, 10) == "the virtual machine ended: Kernel panic - not syncing"


async def test_a_machine_whose_leash_is_cut_is_ended(process: subprocess.Popen[bytes]) -> None:
    async with made(process, Agreeing()) as (machine, _):
        await machine.begin(TOKEN)
        os.kill(machine.parts.leash.child, signal.SIGKILL)
        assert "ended" in await asyncio.wait_for(machine.wait(), 10)
        assert process.wait(10) < 0


async def test_a_kill_before_the_beginning_ends_the_jail_too(process: subprocess.Popen[bytes]) -> None:
    async with made(process, Agreeing()) as (machine, _):
        await machine.kill()
        await machine.kill()
        assert process.wait(10) < 0


async def test_a_console_that_is_flooded_is_bounded_and_never_blocks(
    process: subprocess.Popen[bytes],
) -> None:
    async with made(process, Agreeing()) as (machine, printed):
        await machine.begin(TOKEN)
        flood = b"x" * 65536
        for _ in range(64):
            await asyncio.to_thread(os.write, printed, flood)
        assert Path("guest.log").stat().st_size < 200 * 1024


async def test_an_old_firecracker_runs_no_machine(process: subprocess.Popen[bytes]) -> None:
    async with made(process, Peer([answer(200, {"firecracker_version": "1.15.0"})])) as (machine, _):
        with pytest.raises(LaunchError, match="known holes"):
            await machine.begin(TOKEN)


async def test_limits_that_its_jail_did_not_get_are_the_machine_s_to_say(
    process: subprocess.Popen[bytes],
) -> None:
    async with made(process, Agreeing()) as (machine, _):
        assert machine.warnings() == ()
        machine.parts.jail = replace(machine.parts.jail, warnings=("no memory limit: none",))
        assert machine.warnings() == ("no memory limit: none",)
