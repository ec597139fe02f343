"""The stand-in's hands: QEMU, emulating everything, given the same kernel, initramfs, drives and TAP."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import dataclasses
import json
import os
import shlex
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.support.firecracker_standin.qmp import Qmp
from tests.support.firecracker_standin.rules import Config
from transom_keeper.vm.arguments import TRANSLATION_MIB

MACHINE = "microvm,pit=on,pic=on,rtc=on,isa-serial=on"
_LAST_BUS = 20
"""The guest finds what is on a later bus first."""
PR_SET_PDEATHSIG = 1
ADDED = "mitigations=off nokaslr tsc=reliable"
"""What emulation needs in the kernel's command line, as the real one adds words of its own."""


def arguments(config: Config, tsc_khz: int, incoming: bool) -> Iterator[str]:
    """QEMU's arguments for `config`. Buses are named: the guest numbers its disks by them."""
    source = config.boot_source or {}
    words = [_word(each) for each in source.get("boot_args", "").split()]
    yield from (
        "-M",
        MACHINE,
        "-accel",
        f"tcg,thread=multi,tb-size={TRANSLATION_MIB}",
        "-cpu",
        "Nehalem,arat=on",
        "-nodefaults",
        "-no-user-config",
    )
    yield from ("-smp", str(config.machine["vcpu_count"]), "-m", f"{config.machine['mem_size_mib']}M")
    yield from ("-kernel", source["kernel_image_path"])
    if "initrd_path" in source:
        yield from ("-initrd", source["initrd_path"])
    yield from ("-append", " ".join([*words, ADDED, f"tsc_early_khz={tsc_khz}"]))
    yield from ("-display", "none", "-no-reboot", "-S", "-global", "virtio-mmio.force-legacy=false")
    yield from ("-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console")
    for number, drive in enumerate(config.drives.values()):
        read_only = "on" if drive["is_read_only"] else "off"
        name = drive["drive_id"]
        yield from (
            "-drive",
            f"id={name},file={drive['path_on_host']},format=raw,if=none,readonly={read_only}",
        )
        yield from ("-device", f"virtio-blk-device,drive={name},bus=virtio-mmio-bus.{_LAST_BUS - number}")
    for number, card in enumerate(config.interfaces.values(), len(config.drives)):
        name = card["iface_id"]
        yield from ("-netdev", f"tap,id={name},ifname={card['host_dev_name']},script=no,downscript=no")
        yield "-device"
        yield f"virtio-net-device,netdev={name},mac={card['guest_mac']},bus=virtio-mmio-bus.{_LAST_BUS - number}"
    if config.entropy is not None:
        yield from ("-device", "virtio-rng-device,bus=virtio-mmio-bus.0")
    if incoming:
        yield from ("-incoming", "defer")


def _word(word: str) -> str:
    """QEMU's microvm has no keyboard controller to reboot by; clocks of KVM it has none."""
    return {"reboot=k": "reboot=t", "clocksource=kvm-clock": ""}.get(word, word)


class Emulator:
    """A Hypervisor of rules.py."""

    def __init__(self, tsc_khz: int) -> None:
        self._tsc_khz = tsc_khz
        self._qmp: Qmp | None = None
        self.process: asyncio.subprocess.Process | None = None
        self.ended = asyncio.Event()

    async def start(self, config: Config) -> None:
        """Boot."""
        await self._spawn(config, incoming=False)
        await self.resume()

    async def pause(self) -> None:
        """Stop the processors."""
        await self._ask("stop")

    async def resume(self) -> None:
        """Let them run."""
        await self._ask("cont")

    async def save(self, config: Config, state: Path, memory: Path) -> None:
        """The configuration goes to `state`, all that QEMU saves to `memory`."""
        with _opened(memory, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as descriptor:
            await self._ask("migrate-set-parameters", **{"max-bandwidth": 2**40})
            await self._ask("getfd", descriptor=descriptor, fdname="memory")
            await self._ask("migrate", uri="fd:memory")
            await asyncio.to_thread(self._connected.migrated)
        state.write_text(json.dumps(dataclasses.asdict(config)))

    async def load(self, config: Config, memory: Path) -> None:
        """Become the machine that was saved, paused."""
        with _opened(memory, os.O_RDONLY) as descriptor:
            await self._spawn(config, incoming=True)
            await self._ask("getfd", descriptor=descriptor, fdname="memory")
            await self._ask("migrate-incoming", uri="fd:memory")
            await asyncio.to_thread(self._connected.migrated)

    async def kill(self) -> None:
        """End the guest with the process, as the real one's does."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    @property
    def _connected(self) -> Qmp:
        if self._qmp is None:
            raise ConnectionResetError("the emulator does not run")
        return self._qmp

    async def _ask(self, command: str, *, descriptor: int | None = None, **arguments: object) -> None:
        await asyncio.to_thread(self._connected.ask, command, descriptor=descriptor, **arguments)

    async def _spawn(self, config: Config, *, incoming: bool) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            control = f"socket,id=control,fd={theirs.fileno()}"
            told = [*arguments(config, self._tsc_khz, incoming), "-chardev", control, "-mon"]
            self.process = await asyncio.create_subprocess_exec(
                "/usr/bin/qemu-system-x86_64",
                *told,
                "chardev=control,mode=control",
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                preexec_fn=_dying_with(os.getpid()),
            )
        self._watch = asyncio.ensure_future(self._until_the_end(self.process))
        try:
            self._qmp = await asyncio.to_thread(Qmp, ours)
        except (OSError, ValueError) as error:
            raise OSError(f"the emulator did not start: {shlex.join(told)}") from error

    async def _until_the_end(self, process: asyncio.subprocess.Process) -> None:
        await process.wait()
        self.ended.set()


@contextlib.contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _dying_with(parent: int) -> Callable[[], None]:
    """The real one's guest is its own process, and ends with it however that ends."""

    def arm() -> None:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return arm
