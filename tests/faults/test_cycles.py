"""Machines made and destroyed over and over, with whatever serves them killed at any moment: nothing may be left."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import random
import shutil
import signal
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
from transom.drivers.keepers import SLOTS
from transom.model.machine import MachineSpec
from transom_keeper.sandbox import tag_of

__all__ = ["golden_image"]
pytestmark = [pytest.mark.machine, pytest.mark.timeout(600)]
CYCLES = 50
AT_ONCE = 2
"""Virtual machines whose lives are cut at one time: most of such a life is waiting."""
PORTS = (45000, 45999)
UIDS = range(FIRST := 1_950_000_000 + os.getpid() % 4000 * SLOTS, FIRST + SLOTS)
"""Users that nobody else on this host has now: whatever runs as one of them is these tests'."""
CLONES = multiprocessing.get_context("fork")


def controller(lab: Lab, spec: MachineSpec) -> BaseProcess:
    """A controller in a process of its own that makes one machine."""

    def make() -> None:
        asyncio.run(lab.another_controller().create(spec))

    process = CLONES.Process(target=make)
    process.start()
    return process


def some_process(lab: Lab, machine: str, chosen: random.Random) -> int | None:
    """Any process of the machine: keeper, sandbox, VMM, or one of the guest's."""
    own = lab.processes(machine)
    everyone = {*own, *(below for pid in own for below in descendants(pid))}
    if (vmm := vmm_of(lab, machine)) is not None:
        everyone |= {vmm, *descendants(vmm)}
    return chosen.choice(sorted(everyone)) if everyone else None


async def some_vmm(lab: Lab, machine: str, making: BaseProcess) -> int | None:
    """The machine's VMM as soon as there is one; None when making the machine ended without."""
    async with asyncio.timeout(120):
        while (vmm := await asyncio.to_thread(vmm_of, lab, machine)) is None:
            if not making.is_alive():
                return await asyncio.to_thread(vmm_of, lab, machine)
            await asyncio.sleep(0.02)
    return vmm


def victims(chosen: random.Random, kinds: list[str]) -> list[str]:
    """Who is killed in each cycle: everybody at least once."""
    found = [*kinds, *chosen.choices(kinds, k=CYCLES - len(kinds))]
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
    """One machine's life, cut somewhere in its first `seconds`; says where it was."""
    spec = lab.spec(warm=helper is not None)
    making = await asyncio.to_thread(controller, lab, spec)
    await asyncio.sleep(chosen.uniform(0, seconds))
    if victim == "helper" and helper is not None:
        await helper.killed()
    if victim in ("controller", "both"):
        making.kill()
    if victim in ("process", "both"):
        hit = some_process(lab, spec.machine, chosen)
    else:
        hit = await some_vmm(lab, spec.machine, making) if victim == "vmm" else None
    if hit is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(hit, signal.SIGKILL)
    if victim in ("nobody", "process", "helper", "vmm"):
        await asyncio.to_thread(making.join, 120)
    making.kill()
    await asyncio.to_thread(making.join)
    making.close()
    another = lab.another_controller()
    async with helper.there if helper is not None else contextlib.nullcontext():
        await another.observe()
        await another.destroy(spec.machine, keep_folder=chosen.random() < 0.3)
        await another.purge(spec.machine)
        assert spec.machine not in await another.observe()
    return "nobody" if victim == "vmm" and hit is None else victim


async def test_fifty_lives_cut_anywhere_leave_nothing(golden_image: GoldenImage) -> None:
    state = state_folder()
    lab = Lab(state, golden_image, stage_standin(state), uid_base=UIDS.start, ports=PORTS)
    seed = random.SystemRandom().randrange(2**32)
    chosen = random.Random(seed)
    try:
        await lab.driver.create(spec := lab.spec())  # what the first machine makes for all, the folder itself
        await lab.driver.destroy(spec.machine, keep_folder=False)
        before = footprint(lab.folder, UIDS, PORTS)
        for victim in victims(chosen, ["nobody", "controller", "process", "both"]):
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
        kinds = ["nobody", "controller", "process", "both", "helper", "vmm"]
        cut, helped, waiting = [], Helped(helper), iter(victims(chosen, kinds))

        async def lives() -> None:
            for victim in waiting:
                cut.append(await cycle(lab, chosen, victim, helped, 3.0))

        async with asyncio.TaskGroup() as together:
            for _ in range(AT_ONCE):
                together.create_task(lives())
        assert len(cut) == CYCLES and "vmm" in cut, seed
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
