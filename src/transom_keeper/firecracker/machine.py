"""A machine as a jailed Firecracker: booted, or restored; its API is told everything over one connection."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
from dataclasses import dataclass, field
from pathlib import Path

from transom_keeper import confined
from transom_keeper.arrivals import MachineSockets
from transom_keeper.firecracker import bodies
from transom_keeper.firecracker.api import Api, ApiError
from transom_keeper.firecracker.parts import SAVED_MEMORY, SAVED_STATE, Parts, gather
from transom_keeper.firecracker.schema import SchemaError
from transom_keeper.log import GuestOutput
from transom_keeper.machine import Launcher, LaunchError
from transom_keeper.vm import snapshot
from transom_keeper.vm.config_drive import describe, encode_drive
from transom_keeper.vm.overlay import copy_sparse
from transom_wire.keeper_config import KeeperConfig
from transom_wire.vm import GUEST, VmConfig

HEARD_SECONDS = {"kvm": 10.0, "tcg": 25.0}
"""A restored guest dials within a second; emulated on a busy host, within ten."""
SETTLE_SECONDS = 0.3
"""Between the guest's last word on the link and its stop: its kernel has done with those connections."""
KILL_SECONDS = 5.0
READ_SECONDS = 1.0
"""For what it printed last, once it has ended."""


@dataclass(slots=True)
class FirecrackerMachine:
    """A Machine. A restore that fails is one that did not start: a jail loads a snapshot only when fresh, and
    another takes rights that the keeper has given up by then. Whoever asked for the machine boots one instead."""

    config: KeeperConfig
    vm: VmConfig
    parts: Parts
    output: GuestOutput
    agent_address: str = GUEST
    _api: Api | None = None
    _reading: asyncio.Task[None] | None = None
    _ended: asyncio.Event = field(default_factory=asyncio.Event)
    _heard: asyncio.Event = field(default_factory=asyncio.Event)
    _killed: bool = False

    @property
    def sockets(self) -> MachineSockets:
        """The ways in and out."""
        return self.parts.network.sockets

    async def begin(self, token: str) -> None:
        """Boot the machine, or restore it and wait until its guest has dialled. Raises LaunchError."""
        try:
            await self._listen()
            self._api = api = await Api.over(self.parts.jail.api)
            if self.vm.snapshot is not None:
                await self._restore(api)
            else:
                drive = encode_drive(describe(self.config, token, secrets.token_hex(16)))
                os.pwrite(self.parts.config, drive, 0)
                await api.tell(*bodies.boot(self.vm.cpus, self.config.limits.memory_bytes))
        except (ApiError, SchemaError, OSError, ValueError) as error:
            raise LaunchError(f"the virtual machine does not start: {self._because(error)}") from error

    def heard(self) -> None:
        """The guest lives: a restore has worked."""
        self._heard.set()

    def name(self, machine_id: str) -> None:
        """Its own root does."""

    async def wait(self) -> str:
        """Wait for the end; the words for it."""
        await self._ended.wait()
        if self._reading is not None:
            await asyncio.wait({self._reading}, timeout=READ_SECONDS)
        return "the virtual machine ended" + (f": {self.output.last}" if self.output.last else "")

    async def kill(self) -> None:
        """End every process of the machine, and let go of its network; they are gone when this returns."""
        if self._killed:
            return
        self._killed = True
        self._cut()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(KILL_SECONDS):
                await self._ended.wait()
        if self._reading is not None:
            self._reading.cancel()
        if self._api is not None:
            await self._api.close()
        self.parts.close()

    async def save(self, token: str, folder: Path) -> None:
        """Stop the machine and write it to `folder`. Raises LaunchError."""
        assert self._api is not None
        await asyncio.sleep(SETTLE_SECONDS)
        try:
            new = snapshot.NewSnapshot(folder)
        except OSError as error:
            raise LaunchError(f"no folder for the snapshot: {error}") from error
        try:
            await self._api.tell(bodies.pause(), bodies.save())
            new.take(snapshot.STATE, Path(SAVED_STATE))
            new.take(snapshot.MEMORY, Path(SAVED_MEMORY))
            with os.fdopen(new.create(snapshot.OVERLAY), "wb") as overlay:
                await asyncio.to_thread(copy_sparse, self.parts.files.overlay, overlay.fileno())
            await asyncio.to_thread(new.finish, token)
        except (ApiError, SchemaError, OSError) as error:
            raise LaunchError(self._because(error)) from error
        finally:
            new.discard()

    def outside(self) -> int | None:
        """The helper's process started the jail."""
        return self.parts.jail.pidfd

    def warnings(self) -> tuple[str, ...]:
        """Limits that the root helper could not give its jail, and whether it was booted and should not have been."""
        reason = self.vm.booted_for
        return (
            *self.parts.jail.warnings,
            *((f"{snapshot.BOOTED}restore failed: {reason}",) if reason else ()),
        )

    async def _restore(self, api: Api) -> None:
        assert self.parts.files.saved_overlay is not None
        await asyncio.to_thread(copy_sparse, self.parts.files.saved_overlay, self.parts.files.overlay)
        await api.tell(bodies.load(api.version))
        seconds = HEARD_SECONDS[self.vm.accelerator]
        waits = [asyncio.ensure_future(each.wait()) for each in (self._heard, self._ended)]
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for each in waits:
            each.cancel()
        if self._ended.is_set():
            raise ApiError("it ended as it was restored")
        if not self._heard.is_set():
            raise ApiError(f"the restored guest said nothing in {seconds:.0f} s")

    def watch(self) -> None:
        """See its end, from now on; and end it when nothing else would end it with its keeper."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self.parts.jail.pidfd, self._end)
        loop.add_reader(self.parts.leash.pidfd, self._cut)

    def _end(self) -> None:
        asyncio.get_running_loop().remove_reader(self.parts.jail.pidfd)
        self._ended.set()

    def _cut(self) -> None:
        asyncio.get_running_loop().remove_reader(self.parts.leash.pidfd)
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(self.parts.jail.pidfd, signal.SIGKILL)

    async def _listen(self) -> None:
        """Read what it prints."""
        reader = asyncio.StreamReader(limit=confined.LINE_BYTES)
        pipe = os.fdopen(os.dup(self.parts.console), "rb", buffering=0)
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        self._reading = asyncio.ensure_future(confined.read_lines(reader, self.output))

    def _because(self, error: Exception) -> str:
        """The error, and the last words of its console when there were any."""
        return f"{error}: {self.output.last}" if self.output.last else str(error)


def prepare(config: KeeperConfig, tag: str, output: GuestOutput) -> Launcher:
    """Get and open all that wants rights. Raises LaunchError, OSError."""
    if config.vm is None or config.helper is None:
        raise LaunchError("a virtual machine needs its own settings, and the root helper")
    machine = FirecrackerMachine(config, config.vm, gather(config, config.vm, tag), output)

    async def launch() -> FirecrackerMachine:
        machine.watch()
        return machine

    return launch
