"""Machines made and destroyed over and over, with whatever serves them killed at any moment: nothing may be left."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import random
import shutil
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess

import pytest

from tests.support.footprint import footprint, left
from tests.support.helper_lab import HelperLab
from tests.support.image import GoldenImage, golden_image
from tests.support.machine_lab import Lab, stage_standin, state_folder
from tests.support.machines import descendants
from tests.support.vm_lab import ground
from tests.support.vmm import vmm_of
from transom.drivers import remains
from transom.drivers.keeper_host import SLOTS
from transom.drivers.keepers import KeptDriver
from transom_keeper.sandbox import tag_of

__all__ = ["golden_image"]
pytestmark = [pytest.mark.machine, pytest.mark.timeout(600)]
CYCLES = 50
AT_ONCE = 2
"""Virtual machines whose lives are cut at one time: most of such a life is waiting."""
END_SECONDS = 0.4
"""About what the end of a machine takes."""
SANDBOX = ("nobody", "controller", "keeper", "process", "both", "destroyer")
VIRTUAL = (*SANDBOX, "vmm", "helper", "helper at the end")
"""Who is killed as a machine is made, once it is there, or as it is removed: by a controller, `destroyer`."""
PORTS = (45000, 45999)
UIDS = range(FIRST := 1_950_000_000 + os.getpid() % 4000 * SLOTS, FIRST + SLOTS)
"""Users that nobody else on this host has now: whatever runs as one of them is these tests'."""
CLONES = multiprocessing.get_context("fork")


def controller(lab: Lab, doing: Callable[[KeptDriver], Awaitable[None]]) -> BaseProcess:
    """A controller in a process of its own that does one thing."""

    async def one() -> None:
        await doing(lab.another_controller())

    process = CLONES.Process(target=lambda: asyncio.run(one()))
    process.start()
    return process


def some_process(lab: Lab, machine: str, chosen: random.Random) -> int | None:
    """Any process of the machine: keeper, sandbox, VMM, or one of the guest's."""
    own = lab.processes(machine)
    everyone = {*own, *(below for pid in own for below in descendants(pid))}
    if (vmm := vmm_of(lab, machine)) is not None:
        everyone |= {vmm, *descendants(vmm)}
    return chosen.choice(sorted(everyone)) if everyone else None


def keeper_of(lab: Lab, machine: str) -> int | None:
    """The machine's keeper, once there is one."""
    own = (each for each in remains.processes(lab.folder) if each.machine == machine)
    return next((each.pid for each in own if each.keeper), None)


Find = Callable[[Lab, str], int | None]
AWAITED: dict[str, Find] = {"vmm": vmm_of, "keeper": keeper_of}


async def awaited(find: Find, lab: Lab, machine: str, making: BaseProcess) -> int | None:
    """The process as soon as there is one; None when making the machine ended without."""
    async with asyncio.timeout(120):
        while (found := await asyncio.to_thread(find, lab, machine)) is None:
            if not making.is_alive():
                return await asyncio.to_thread(find, lab, machine)
            await asyncio.sleep(0.02)
    return found


def victims(chosen: random.Random, kinds: tuple[str, ...]) -> list[str]:
    """Who is killed in each cycle: all of them as often as another, or once more."""
    found = [*kinds * (CYCLES // len(kinds)), *chosen.sample(kinds, CYCLES % len(kinds))]
    chosen.shuffle(found)
    return found


@dataclass(frozen=True)
class Helped:
    """A root helper that is killed now and then: whoever removes a machine waits until it is there again."""

    lab: HelperLab
    there: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def killed(self) -> None:
        async with self.there:
            self.lab.kill()
            await asyncio.to_thread(self.lab.start)


async def cycle(
    lab: Lab, chosen: random.Random, victim: str, helper: Helped | None = None, seconds: float = 0.5
) -> str:
    """One machine's life, cut somewhere in its first `seconds` or at its end; says where it was."""
    spec = lab.spec(warm=helper is not None)
    making = await asyncio.to_thread(controller, lab, lambda driver: driver.create(spec))
    await asyncio.sleep(chosen.uniform(0, seconds))
    if victim == "helper" and helper is not None:
        await helper.killed()
    if victim in ("controller", "both"):
        making.kill()
    hit = None
    if victim in ("process", "both"):
        hit = some_process(lab, spec.machine, chosen)
    elif victim in AWAITED:
        hit = await awaited(AWAITED[victim], lab, spec.machine, making)
    if hit is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(hit, signal.SIGKILL)
    await ended(making, 0 if victim in ("controller", "both") else 120)
    keep = chosen.random() < 0.3
    if victim in ("destroyer", "helper at the end"):
        removing = await asyncio.to_thread(
            controller, lab, lambda driver: driver.destroy(spec.machine, keep_folder=keep)
        )
        await asyncio.sleep(chosen.uniform(0, END_SECONDS))
        if victim != "destroyer" and helper is not None:
            await helper.killed()
        await ended(removing, 0 if victim == "destroyer" else 120)
    another = lab.another_controller()
    async with helper.there if helper is not None else contextlib.nullcontext():
        await another.observe()
        await another.destroy(spec.machine, keep_folder=keep)
        await another.purge(spec.machine)
        assert spec.machine not in await another.observe()
    return "nobody" if victim in AWAITED and hit is None else victim


async def ended(process: BaseProcess, seconds: float) -> None:
    """It has ended, killed when it is not done within `seconds`."""
    if seconds:
        await asyncio.to_thread(process.join, seconds)
    process.kill()
    await asyncio.to_thread(process.join)
    process.close()


async def test_fifty_lives_cut_anywhere_leave_nothing(golden_image: GoldenImage) -> None:
    state = state_folder()
    lab = Lab(state, golden_image, stage_standin(state), uid_base=UIDS.start, ports=PORTS)
    seed = random.SystemRandom().randrange(2**32)
    chosen = random.Random(seed)
    try:
        await lab.driver.create(spec := lab.spec())  # what the first machine makes for all, the folder itself
        await lab.driver.destroy(spec.machine, keep_folder=False)
        before = footprint(lab.folder, UIDS, PORTS)
        for victim in victims(chosen, SANDBOX):
            await cycle(lab, chosen, victim)
        assert left(before, lab.folder, UIDS, PORTS) == [], seed
    finally:
        await lab.close()


@pytest.mark.vm
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("kind", ["qemu", "firecracker"])
def test_fifty_lives_of_virtual_machines_leave_nothing(kind: str) -> None:
    """With the root helper among those that are killed."""
    state = state_folder()
    seed = random.SystemRandom().randrange(2**32)
    try:
        with ground(kind, stage_standin(state)) as made:
            made.uid_base, made.ports = UIDS.start, PORTS
            made.prepare()
            lab = made.lab()
            asyncio.run(_fifty(lab, made.helper, random.Random(seed), seed))
    finally:
        shutil.rmtree(state)


async def _fifty(lab: Lab, helper: HelperLab, chosen: random.Random, seed: int) -> None:
    try:
        spec = lab.spec(warm=True)
        await lab.driver.create(spec)
        await lab.driver.destroy(spec.machine, keep_folder=False)
        before = footprint(lab.folder, UIDS, PORTS, helper.base)
        cut, helped, waiting = [], Helped(helper), iter(victims(chosen, VIRTUAL))

        async def lives() -> None:
            for victim in waiting:
                cut.append(await cycle(lab, chosen, victim, helped, 3.0))

        async with asyncio.TaskGroup() as together:
            for _ in range(AT_ONCE):
                together.create_task(lives())
        assert len(cut) == CYCLES and set(VIRTUAL) <= set(cut), (Counter(cut), seed)
        assert left(before, lab.folder, UIDS, PORTS, helper.base) == [], seed
        assert helper.client().survey(tag_of(lab.folder / "any")).machines == (), seed
    finally:
        await lab.close()


def test_the_footprint_sees_what_a_machine_has(golden_image: GoldenImage) -> None:
    """The count itself, proved: while a machine lives there is a process, a namespace, a port and files of it."""

    async def while_it_lives() -> list[str]:
        state = state_folder()
        lab = Lab(state, golden_image, stage_standin(state), uid_base=UIDS.start, ports=PORTS)
        stack = contextlib.ExitStack()
        try:
            before = footprint(lab.folder, UIDS, PORTS)
            async with lab.machine():
                stack.callback(os.close, os.open("/proc/self/ns/net", os.O_RDONLY))
                return sorted((footprint(lab.folder, UIDS, PORTS) - before).elements())
        finally:
            stack.close()
            await lab.close()

    seen = asyncio.run(while_it_lives())
    for kind in ("process mch_", "net:[", "held net:[", "port ", "file "):
        assert any(each.startswith(kind) for each in seen), (kind, seen)
