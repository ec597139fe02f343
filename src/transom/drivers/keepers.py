"""What every driver shares whose keepers run on the controller's own host: it starts, finds and ends them.

A machine has a folder of its own below `Host.folder`; its keeper holds that folder's lock, serves a socket in
it, and is its machine's parent. So a driver of this kind says only what a keeper is told.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from transom.drivers import channel, remains
from transom.drivers.elsewhere import Elsewhere
from transom.drivers.keeper_host import Host
from transom.drivers.sweep import sweep_guest
from transom.model.errors import DriverError, TransomError, Unavailable
from transom.model.ids import is_id
from transom.model.machine import DriverFlags, MachineSpec, MachineState
from transom.model.ports import KeeperChannel
from transom_keeper.sandbox import tag_of
from transom_wire.codec import WireError, decode, encode
from transom_wire.framing import pack
from transom_wire.keeper_config import KeeperConfig

log = logging.getLogger(__name__)
REPORT_BYTES = 64 * 1024


class GuestCode(Protocol):
    """Where the guest's code for an image comes from."""

    def guest_code(self, digest: str, guest: Path) -> Path: ...


class KeptDriver:
    """A Driver but for `probe`, `prepare` and what the keeper is told; see `drivers/contract.py`."""

    name: str
    flags: DriverFlags

    def __init__(self, host: Host) -> None:
        self._host = host
        self._folder = host.folder.absolute()
        self._at_helper = Elsewhere(host.helper, tag_of(self._folder / "any"))
        self._locks: dict[str, asyncio.Lock] = {}
        self._wanted: Counter[str] = Counter()

    def _describe(self, spec: MachineSpec, config: KeeperConfig) -> KeeperConfig:
        """`config` with what this driver's machines need besides. May block. Raises DriverError."""
        raise NotImplementedError

    async def sweep(self, images: Collection[str]) -> None:
        """Remove guest code of earlier versions, and what was made for images that are gone. Never raises."""
        source = self._host.guest_source
        gone = await asyncio.to_thread(sweep_guest, source.parent, source.name, images)
        if gone:
            log.info("removed what no machine needs: %s", " ".join(gone))

    async def create(self, spec: MachineSpec) -> None:
        """Make the machine; return once its keeper answers. Raises DriverError."""
        folder = self._place(spec.machine)
        async with self._alone(spec.machine):
            if await asyncio.to_thread(remains.starting, self._folder, spec.machine, self._host.uids):
                await self._wait_for(spec.machine, folder)
                return
            if (folder / remains.EXIT_NOTE).exists():
                raise DriverError("this machine has run and ended")
            await self._remove(spec.machine, keep_folder=False)
            config = await asyncio.to_thread(self._config, spec, folder)
            await asyncio.to_thread(self._make_folder, folder)
            try:
                await self._start(config)
            except DriverError:
                # its logs say why it failed; nothing keeps another call from beginning anew
                await self._remove(spec.machine, keep_folder=True)
                await asyncio.to_thread((folder / remains.EXIT_NOTE).unlink, missing_ok=True)
                raise

    async def observe(self) -> Mapping[str, MachineState]:
        """Every machine of this folder that anything is left of."""
        return await asyncio.to_thread(self._observe)

    async def attach(self, machine: str) -> KeeperChannel:
        """Become the machine's controller. Raises Unavailable."""
        return await channel.attach(self._known(machine), self._host.deadlines.channel)

    async def open_stream(self, machine: str, kind: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A raw byte stream to the machine's `kind`. Raises Unavailable."""
        return await channel.open_stream(self._known(machine), kind, self._host.deadlines.channel)

    async def destroy(self, machine: str, *, keep_folder: bool) -> None:
        """End the machine, remove what it left. Raises DriverError when something will not go."""
        self._place(machine)
        async with self._alone(machine):
            await self._remove(machine, keep_folder=keep_folder)

    async def purge(self, machine: str) -> None:
        """Remove a kept folder. Raises DriverError."""
        await self.destroy(machine, keep_folder=False)

    def _guest(self, images: GuestCode, digest: str) -> Path:
        """The guest's code for this image, compiled where that can be done. Blocking."""
        source = self._host.guest_source.absolute()
        try:
            return images.guest_code(digest, source)
        except (OSError, TransomError) as error:
            log.warning("the guest's code is compiled at each start: %s", error)
            return source

    def _place(self, machine: str) -> Path:
        if not is_id(machine, "mch"):
            raise DriverError("that is not a machine's id")
        return self._folder / machine

    def _known(self, machine: str) -> Path:
        if not is_id(machine, "mch"):
            raise Unavailable("there is no such machine")
        return self._folder / machine

    @asynccontextmanager
    async def _alone(self, machine: str) -> AsyncIterator[None]:
        """Nobody else acts on this machine meanwhile. Its lock is there for as long as anybody has it or waits."""
        self._wanted[machine] += 1
        try:
            async with self._locks.setdefault(machine, asyncio.Lock()):
                yield
        finally:
            self._wanted[machine] -= 1
            if not self._wanted[machine]:
                del self._wanted[machine], self._locks[machine]

    def _config(self, spec: MachineSpec, folder: Path) -> KeeperConfig:
        host = self._host
        low, high = host.door_ports
        config = KeeperConfig(
            machine=spec.machine,
            session=spec.session,
            folder=str(folder),
            driver=self.name,
            image_root="/",
            guest_source=str(host.guest_source.absolute()),
            uid=host.uid(spec.slot),
            width=spec.width,
            height=spec.height,
            start_url=spec.start_url,
            exit=spec.exit,
            door_address=host.door_address,
            door_port_low=low,
            door_port_high=high,
            deadline=spec.deadline,
            limits=spec.limits,
            program=spec.program,
            signin_pages=host.signin_pages,
        )
        try:
            return decode(encode(self._describe(spec, config)), (KeeperConfig,))
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
            self._host.python,
            *told,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_environment(),
            cwd="/",
            limit=REPORT_BYTES,
        )
        try:
            async with asyncio.timeout(self._host.deadlines.create):
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
            stage, mend = report.get("stage"), report.get("mend") or "transom doctor"
            raise DriverError(
                f"the keeper did not start: {reason}",
                mend=mend,
                stage=stage if stage in ("image", "network") else "boot",
            )

    async def _wait_for(self, machine: str, folder: Path) -> None:
        """A keeper lives here: another call made it, or is making it. Raises DriverError."""
        try:
            async with asyncio.timeout(self._host.deadlines.create):
                while await asyncio.to_thread(remains.starting, self._folder, machine, self._host.uids):
                    with suppress(Unavailable):
                        snapshot = await channel.status(folder, self._host.deadlines.channel)
                        if snapshot.state == "exited":
                            raise DriverError(f"this machine has run and ended: {snapshot.exit_reason}")
                        return
                    await asyncio.sleep(0.05)
        except TimeoutError as error:
            raise DriverError("the machine's keeper hangs", mend=_look(str(folder))) from error
        raise DriverError("the machine's keeper ended as it started", mend=_look(str(folder)))

    def _observe(self) -> dict[str, MachineState]:
        found = dict.fromkeys(remains.machines(self._folder), MachineState.GONE)
        found |= {
            each.machine: MachineState.GONE for each in remains.processes(self._folder, self._host.uids)
        }
        found |= {machine: MachineState.GONE for machine, _ in remains.groups(self._folder)}
        # where no machine was ever made, no helper is asked for in vain
        needed = self._needs_helper() and self._folder.is_dir()
        found |= dict.fromkeys(self._at_helper.machines(needed=needed), MachineState.GONE)
        for machine in found:
            if remains.running(self._folder / machine):
                found[machine] = MachineState.RUNNING
        return found

    def _needs_helper(self) -> bool:
        """Whether the root helper has a part of this driver's machines that nobody else sees."""
        return False

    async def _remove(self, machine: str, *, keep_folder: bool) -> None:
        await asyncio.to_thread(self._remove_now, machine, keep_folder)

    def _remove_now(self, machine: str, keep_folder: bool) -> None:
        folder, deadlines, uids = self._folder / machine, self._host.deadlines, self._host.uids
        if not remains.end_processes(self._folder, machine, deadlines.grace, deadlines.destroy, uids):
            raise DriverError("a process of the machine does not end", mend=f"ps ax | grep {machine}")
        # groups that the root helper made are only its to remove
        self._at_helper.remove(machine, needed=self._needs_helper())
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
