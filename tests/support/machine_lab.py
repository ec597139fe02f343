"""A driver with a folder of its own, machines from it, and a look at what they leave."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.support.image import GoldenImage
from transom.drivers import channel, remains
from transom.drivers.keeper_host import UID_BASE, Host
from transom.drivers.keepers import KeptDriver
from transom.drivers.namespace.driver import NamespaceDriver
from transom.drivers.stage import packages, stage
from transom.model.ids import new_id
from transom.model.machine import MachineSpec, MachineState
from transom.model.ports import KeeperChannel
from transom_wire.codec import decode, encode
from transom_wire.control import Acknowledge, Claim, ClaimAnswer, FromGuest, KeeperMessage, Snapshot, ToGuest
from transom_wire.exit import NO_ROUTE, ExitRoute
from transom_wire.keeper_config import Limits
from transom_wire.link import FROM_GUEST, PeerAnswer, PeerOffer

LIMITS = Limits(memory_bytes=2**30, cpu_millis=2000, pids=256)
PATIENCE = 30.0
"""Seconds before a wait for something that must happen fails; it takes a hundredth of that."""


EPOCHS = itertools.count(1)
"""Of offers: a machine may be several tests', and an answer is one test's."""


def now_ms() -> int:
    return time.time_ns() // 1_000_000


async def until(true: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Wait until `true()`; fails with `what`."""
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(true):
            await asyncio.sleep(0.02)


@dataclass(frozen=True)
class Making:
    """How a lab's machines are made, where they are no sandboxes."""

    driver: Callable[[Path, Path | None], KeptDriver]
    """(machines' folder, guest code) -> driver."""
    limits: Limits
    patience: float
    snapshots: Path
    """Where the saved machine lies."""
    clones: bool
    """Machines with a session are clones of a snapshot, given it by a claim: a boot would take too long."""
    program: str
    """What their desktops start with: as of the machine that was saved, or they would be no clones of it."""


@dataclass
class Lab:
    """A state folder of its own, as a controller would have one."""

    state: Path
    image: GoldenImage
    guest: Path
    making: Making | None = None
    """None: sandboxes of the golden image."""
    made: list[str] = field(default_factory=list)
    python: str = sys.executable
    """Starts the keepers."""
    uid_base: int = UID_BASE
    """First of the users that the lab's machines run as."""
    ports: tuple[int, int] = (42000, 42999)
    """Of its doors."""
    driver: KeptDriver = field(init=False)

    def __post_init__(self) -> None:
        self.driver = self.another_controller()

    def __getstate__(self) -> dict[str, object]:
        """For a process of its own, which has a driver of its own."""
        return {name: value for name, value in vars(self).items() if name != "driver"} | {"made": []}

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state)
        self.driver = self.another_controller()

    @property
    def folder(self) -> Path:
        return self.state / "machines"

    @property
    def snapshots(self) -> Path:
        """Folder of the snapshots of the lab's driver."""
        assert self.making is not None, "sandboxes have no snapshots"
        return self.making.snapshots

    @property
    def patience(self) -> float:
        """Seconds before a wait for something that a guest must do fails."""
        return PATIENCE if self.making is None else self.making.patience

    @property
    def pause(self) -> float:
        """Seconds between looks at a machine; an emulated one wants the processors for itself."""
        return 0.02 if self.making is None else 0.1

    def another_controller(self, guest: Path | None = None, folder: Path | None = None) -> KeptDriver:
        """A driver that knows nothing but the folder."""
        machines, code = folder or self.folder, guest or self.guest
        if self.making is not None:
            return self.making.driver(machines, code)
        host = Host(machines, code, "127.0.0.1", self.ports, uid_base=self.uid_base, python=self.python)
        return NamespaceDriver(host, self.image)

    def spec(
        self,
        machine: str = "",
        *,
        seconds: float = 300.0,
        slot: int | None = None,
        exit: ExitRoute = NO_ROUTE,
        warm: bool = False,
    ) -> MachineSpec:
        machine = machine or new_id("mch")
        self.made.append(machine)
        return MachineSpec(
            machine=machine,
            session=None if warm else "ses_" + machine.removeprefix("mch_"),
            slot=len(self.made) if slot is None else slot,
            image=self.image.digest,
            width=640,
            height=480,
            start_url="about:blank",
            exit=exit,
            deadline=now_ms() + int(seconds * 1000),
            limits=LIMITS if self.making is None else self.making.limits,
            program="browser" if self.making is None else self.making.program,
        )

    def processes(self, machine: str) -> list[int]:
        return [each.pid for each in remains.processes(self.folder) if each.machine == machine]

    def keeper(self, machine: str) -> int:
        (pid,) = [
            each.pid for each in remains.processes(self.folder) if each.machine == machine and each.keeper
        ]
        return pid

    def remains(self, machine: str) -> list[str]:
        """Everything of the machine that is still on this host."""
        left = [f"process {pid}" for pid in self.processes(machine)]
        left += [str(group) for owner, group in remains.groups(self.folder) if owner == machine]
        if (self.folder / machine).exists():
            left.append(str(self.folder / machine))
        return left

    def dead(self, machine: str) -> bool:
        return not remains.running(self.folder / machine)

    @contextlib.asynccontextmanager
    async def machine(self, spec: MachineSpec | None = None) -> AsyncIterator[Machine]:
        """A running machine with an identity, until the block ends."""
        spec = spec or self.spec()
        machine = None
        try:
            machine = await self.begin(spec)
            yield machine
        finally:
            if machine is not None:
                await machine.channel.close()
            await self.driver.destroy(spec.machine, keep_folder=False)

    async def begin(self, spec: MachineSpec) -> Machine:
        """A machine with an identity, made for it, or a clone that was given it; somebody else ends it."""
        clone = self.making is not None and self.making.clones
        await self.driver.create(replace(spec, session=None) if clone else spec)
        machine = Machine(self, spec.machine, await self.driver.attach(spec.machine))
        try:
            if clone and spec.session is not None:
                await machine.claim(a_claim(spec.session, spec.deadline))
        except BaseException:
            await machine.channel.close()
            raise
        return machine

    async def close(self) -> None:
        for machine in {*self.made, *(await self.driver.observe())}:
            await self.driver.destroy(machine, keep_folder=False)
        shutil.rmtree(self.state)


@dataclass
class Machine:
    """A running machine and the channel to its keeper."""

    lab: Lab
    id: str
    channel: KeeperChannel
    heard: list[KeeperMessage] = field(default_factory=list)

    async def hear(self, wanted: Callable[[KeeperMessage], bool]) -> KeeperMessage:
        """The next message that `wanted` accepts; others are kept in `heard`."""
        async with asyncio.timeout(self.lab.patience):
            async for message in self.channel.messages():
                self.heard.append(message)
                if wanted(message):
                    return message
        raise AssertionError("the keeper's channel ended")

    async def hear_guest(self, cls: type, role: str | None = None) -> object:
        """The next guest message of `cls`, decoded."""
        message = await self.hear(lambda each: isinstance(each, FromGuest) and opened(each, cls) is not None)
        assert isinstance(message, FromGuest)
        return opened(message, cls)

    async def ready(self) -> None:
        """Wait until the guest's web server role is there to be talked to."""
        async with asyncio.timeout(self.lab.patience):
            while not {"boot", "webrtc"} <= set(self.channel.snapshot.roles):
                await self.look_again()

    async def parked(self) -> None:
        """Wait until the guest of a warm machine waits for its identity."""
        async with asyncio.timeout(self.lab.patience):
            while "parked" not in self.channel.snapshot.stages:
                await self.look_again()

    async def claim(self, claim: Claim) -> ClaimAnswer:
        """Give a warm machine to a session; what came of it."""
        await self.parked()
        await self.channel.send(claim)
        answer = await self.hear(lambda each: isinstance(each, ClaimAnswer))
        assert isinstance(answer, ClaimAnswer)
        return answer

    async def look(self, wanted: Callable[[Snapshot], bool]) -> None:
        """Wait for the keeper to see itself so, without becoming another controller: that might take a command's
        place that is still on its way."""
        async with asyncio.timeout(PATIENCE):
            while not wanted(await channel.status(self.lab.folder / self.id, channel.ChannelDeadlines())):
                await asyncio.sleep(0.02)

    async def reattach(self) -> None:
        await self.channel.close()
        self.channel = await self.lab.driver.attach(self.id)

    async def look_again(self) -> None:
        """As `reattach`, for who waits for a machine that lives: its keeper says why it does not, and leaves later."""
        await asyncio.sleep(self.lab.pause)
        await self.reattach()
        seen = self.channel.snapshot
        assert seen.state != "exited", f"the machine is over: {seen.exit_reason}; it came to {seen.stages}"

    async def inside(self, code: str) -> str:
        """What `code` prints when the machine's Python runs it as the machine's user."""
        await self.ready()
        epoch = next(EPOCHS)
        offer = PeerOffer(peer="per_test", epoch=epoch, sdp=code)
        await self.channel.send(ToGuest(role="webrtc", body=encode(offer)))
        while True:
            message = await self.hear(lambda each: isinstance(each, FromGuest))
            answer = opened(message, PeerAnswer)
            if answer is not None and answer.epoch == epoch:
                await self.channel.send(Acknowledge(number=message.number))
                return answer.sdp


def a_claim(session: str, deadline: int | None = None) -> Claim:
    """A claim with a seed of its own."""
    return Claim(
        session=session,
        width=640,
        height=480,
        start_url="about:blank",
        deadline=deadline or now_ms() + 300_000,
        machine_id=secrets.token_hex(16),
        hostname=f"transom-{secrets.token_hex(4)}",
        seed=secrets.token_bytes(64),
        route=NO_ROUTE,
    )


def opened(message: KeeperMessage, cls: type) -> object:
    """The guest's message in `message` when it is a `cls`."""
    if not isinstance(message, FromGuest):
        return None
    body = decode(message.body, FROM_GUEST[message.role])
    return body if isinstance(body, cls) else None


def state_folder() -> Path:
    """A temporary folder that the sandbox's user can pass through."""
    state = Path(tempfile.mkdtemp(prefix="transom-lab-"))
    state.chmod(0o711)
    return state


def stage_standin(state: Path, *, root: bool = False) -> Path:
    """The real guest code, but for a boot without a desktop; with `root`, a virtual machine's boot stays root."""
    work = state / "standin"
    for package in packages():
        shutil.copytree(package, work / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(Path(__file__).with_name("standin_boot.py"), work / "transom_guest" / "boot.py")
    if root:
        agent = work / "transom_guest" / "vm" / "agent.py"
        agent.write_text(agent.read_text().replace("\nUID = 1000\n", "\nUID = 0\n"))
    return stage(state / "guest", tuple(work / package.name for package in packages()))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


__all__ = ["Lab", "Machine", "MachineState", "alive", "opened", "stage_standin", "state_folder", "until"]
