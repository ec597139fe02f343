"""Machines as bubblewrap sandboxes on the controller's own host, each under a keeper of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from transom.drivers import channel
from transom.drivers.namespace import probe, remains
from transom.model.errors import DriverError, Unavailable
from transom.model.ids import is_id
from transom.model.machine import DriverFlags, MachineSpec, MachineState, Probe
from transom.model.ports import KeeperChannel
from transom_wire.codec import WireError, decode, encode
from transom_wire.control import KeeperConfig
from transom_wire.framing import pack

UID_BASE = 1_900_000_000
"""Plus a session's slot: users of nobody, in a range that neither systemd nor subuid allocations hand out."""
SLOTS = 2000
"""Slots are below the greatest `sessions_max`: so many users may be a machine's."""
REPORT_BYTES = 64 * 1024


class Images(Protocol):
    """Where golden roots are."""

    def root(self, digest: str) -> Path: ...


@dataclass(frozen=True, slots=True)
class NamespaceDeadlines:
    """Seconds."""

    create: float = 30.0
    status: float = 5.0
    grace: float = 5.0
    """From the keeper's SIGTERM to everybody's SIGKILL."""
    destroy: float = 15.0
    groups: float = 5.0
    channel: channel.ChannelDeadlines = field(default_factory=channel.ChannelDeadlines)


class NamespaceDriver:
    """A Driver. `folder` holds a folder for each machine; see `drivers/contract.py` for the promises."""

    name = "namespace"
    flags = DriverFlags(warm=True)

    def __init__(
        self,
        folder: Path,
        images: Images,
        guest_source: Path,
        door_address: str,
        door_ports: tuple[int, int],
        uid_base: int = UID_BASE,
        python: str = sys.executable,
        deadlines: NamespaceDeadlines | None = None,
        current_image: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._folder = folder.absolute()
        self._images, self._guest_source = images, guest_source.absolute()
        self._door_address, self._door_ports = door_address, door_ports
        self._uid_base, self._python = uid_base, python
        self._uids = range(uid_base, uid_base + SLOTS)
        self._deadlines = deadlines or NamespaceDeadlines()
        self._current_image = current_image
        self._locks: dict[str, asyncio.Lock] = {}

    async def probe(self) -> Probe:
        """Say whether this host can; with a current image, whether a sandbox's user can read that too."""
        digest = self._current_image()
        wanted = [self._guest_source]
        if digest is not None:
            with suppress(DriverError):
                wanted.append(self._root(digest))
        return probe.judge(await asyncio.to_thread(probe.gather, self._uid(0), tuple(wanted)))

    async def prepare(self, image: str) -> None:
        """Nothing is faster than a sandbox's start: there is nothing to save."""

    async def create(self, spec: MachineSpec) -> None:
        """Make the machine; return once its keeper answers. Raises DriverError."""
        folder = self._place(spec.machine)
        async with self._lock(spec.machine):
            if await asyncio.to_thread(remains.starting, self._folder, spec.machine, self._uids):
                await self._wait_for(spec.machine, folder)
                return
            if (folder / remains.EXIT_NOTE).exists():
                raise DriverError("this machine has run and ended")
            await self._remove(spec.machine, keep_folder=False)
            config = self._config(spec, folder)
            await asyncio.to_thread(self._make_folder, folder)
            try:
                await self._start(config)
            except DriverError:
                await self._remove(spec.machine, keep_folder=False)
                raise

    async def observe(self) -> Mapping[str, MachineState]:
        """Every machine of this folder that anything is left of."""
        return await asyncio.to_thread(self._observe)

    async def attach(self, machine: str) -> KeeperChannel:
        """Become the machine's controller. Raises Unavailable."""
        return await channel.attach(self._known(machine), self._deadlines.channel)

    async def open_stream(self, machine: str, kind: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A raw byte stream to the machine's `kind`. Raises Unavailable."""
        return await channel.open_stream(self._known(machine), kind, self._deadlines.channel)

    async def destroy(self, machine: str, *, keep_folder: bool) -> None:
        """End the machine, remove what it left. Raises DriverError when something will not go."""
        self._place(machine)
        async with self._lock(machine):
            await self._remove(machine, keep_folder=keep_folder)
        self._locks.pop(machine, None)

    async def purge(self, machine: str) -> None:
        """Remove a kept folder. Raises DriverError."""
        await self.destroy(machine, keep_folder=False)

    def _place(self, machine: str) -> Path:
        if not is_id(machine, "mch"):
            raise DriverError("that is not a machine's id")
        return self._folder / machine

    def _known(self, machine: str) -> Path:
        if not is_id(machine, "mch"):
            raise Unavailable("there is no such machine")
        return self._folder / machine

    def _lock(self, machine: str) -> asyncio.Lock:
        return self._locks.setdefault(machine, asyncio.Lock())

    def _uid(self, slot: int) -> int | None:
        return self._uid_base + slot if os.geteuid() == 0 else None

    def _root(self, digest: str) -> Path:
        try:
            return self._images.root(digest).absolute()
        except (OSError, LookupError, ValueError) as error:
            raise DriverError(f"the image cannot be read: {error}", mend="transom image build") from error

    def _config(self, spec: MachineSpec, folder: Path) -> KeeperConfig:
        low, high = self._door_ports
        config = KeeperConfig(
            machine=spec.machine,
            session=spec.session,
            folder=str(folder),
            driver=self.name,
            image_root=str(self._root(spec.image)),
            guest_source=str(self._guest_source),
            uid=self._uid(spec.slot),
            width=spec.width,
            height=spec.height,
            start_url=spec.start_url,
            exit=spec.exit,
            door_address=self._door_address,
            door_port_low=low,
            door_port_high=high,
            deadline=spec.deadline,
            limits=spec.limits,
            program=spec.program,
        )
        try:
            return decode(encode(config), (KeeperConfig,))
        except WireError as error:
            raise DriverError(f"such a machine cannot be made: {error}") from error

    def _make_folder(self, folder: Path) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._folder.chmod(0o711)
            remains.note_bases(self._folder)
            folder.mkdir(mode=0o700)
        except OSError as error:
            raise DriverError(
                f"no folder for the machine: {error}", mend=f"make room in {self._folder}, or its owner you"
            ) from error

    async def _start(self, config: KeeperConfig) -> None:
        """Start a keeper and read its one line. Raises DriverError."""
        told = ("-m", "transom_keeper", "--machine", config.machine, "--folder", config.folder)
        process = await asyncio.create_subprocess_exec(
            self._python,
            *told,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_environment(),
            cwd="/",
            limit=REPORT_BYTES,
        )
        try:
            async with asyncio.timeout(self._deadlines.create):
                said, complaint = await process.communicate(pack(encode(config)))
        except TimeoutError as error:
            raise DriverError("the keeper did not answer in time", mend=_look(config.folder)) from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        report = _report(said)
        if "ready" not in report:
            reason = (
                report.get("error") or complaint.decode(errors="replace").strip()[-500:] or "it just ended"
            )
            raise DriverError(
                f"the keeper did not start: {reason}", mend=report.get("mend") or "transom doctor"
            )

    async def _wait_for(self, machine: str, folder: Path) -> None:
        """A keeper lives here: another call made it, or is making it. Raises DriverError."""
        try:
            async with asyncio.timeout(self._deadlines.create):
                while await asyncio.to_thread(remains.starting, self._folder, machine, self._uids):
                    with suppress(Unavailable):
                        snapshot = await channel.status(folder, self._deadlines.channel)
                        if snapshot.state == "exited":
                            raise DriverError(f"this machine has run and ended: {snapshot.exit_reason}")
                        return
                    await asyncio.sleep(0.05)
        except TimeoutError as error:
            raise DriverError("the machine's keeper hangs", mend=_look(str(folder))) from error
        raise DriverError("the machine's keeper ended as it started", mend=_look(str(folder)))

    def _observe(self) -> dict[str, MachineState]:
        found = dict.fromkeys(remains.machines(self._folder), MachineState.GONE)
        found |= {each.machine: MachineState.GONE for each in remains.processes(self._folder, self._uids)}
        found |= {machine: MachineState.GONE for machine, _ in remains.groups(self._folder)}
        for machine in found:
            if remains.running(self._folder / machine):
                found[machine] = MachineState.RUNNING
        return found

    async def _remove(self, machine: str, *, keep_folder: bool) -> None:
        await asyncio.to_thread(self._remove_now, machine, keep_folder)

    def _remove_now(self, machine: str, keep_folder: bool) -> None:
        folder, deadlines = self._folder / machine, self._deadlines
        if not remains.end_processes(self._folder, machine, deadlines.grace, deadlines.destroy, self._uids):
            raise DriverError("a process of the machine does not end", mend=f"ps ax | grep {machine}")
        if not remains.end_groups(self._folder, machine, deadlines.groups):
            raise DriverError("a control group of the machine does not go", mend=f"ps ax | grep {machine}")
        try:
            if keep_folder:
                remains.close_folder(folder)
            else:
                remains.remove_folder(folder)
        except OSError as error:
            raise DriverError(f"the machine's folder does not go: {error}", mend=f"rm -r {folder}") from error


def _environment() -> dict[str, str]:
    """A keeper gets nothing of the controller's environment but where programs and modules are."""
    return {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "VIRTUAL_ENV") if name in os.environ}


def _report(said: bytes) -> dict[str, Any]:
    try:
        report = json.loads(said)
    except ValueError:
        return {}
    return report if isinstance(report, dict) else {}


def _look(folder: str) -> str:
    return f"see {folder}/keeper.log"
