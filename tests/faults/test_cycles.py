"""Machines made and destroyed over and over, with whatever serves them killed at any moment: nothing may be left."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import random
import shutil
import signal
from multiprocessing.process import BaseProcess

import pytest

from tests.support.footprint import footprint, left
from tests.support.helper_lab import HelperLab
from tests.support.image import GoldenImage, golden_image
from tests.support.machine_lab import Lab, stage_standin, state_folder
from tests.support.machines import descendants
from tests.support.vm_lab import ground
from transom.drivers.keepers import SLOTS
from transom.model.machine import MachineSpec
from transom_keeper.sandbox import tag_of

__all__ = ["golden_image"]
pytestmark = [pytest.mark.machine, pytest.mark.timeout(600)]
CYCLES = 50
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
    """Any process of the machine: keeper, sandbox, or one of the guest's."""
    own = lab.processes(machine)
    everyone = sorted({*own, *(below for pid in own for below in descendants(pid))})
    return chosen.choice(everyone) if everyone else None


async def cycle(
    lab: Lab, chosen: random.Random, helper: HelperLab | None = None, seconds: float = 0.5
) -> str:
    """One machine's life, cut somewhere in its first `seconds`; says where."""
    spec = lab.spec(warm=helper is not None)
    victim = chosen.choice(["nobody", "controller", "process", "both", *(["helper"] if helper else [])])
    making = await asyncio.to_thread(controller, lab, spec)
    await asyncio.sleep(chosen.uniform(0, seconds))
    if victim == "helper" and helper is not None:
        helper.kill()
        await asyncio.to_thread(helper.start)
    if victim in ("controller", "both"):
        making.kill()
    if victim in ("process", "both") and (pid := some_process(lab, spec.machine, chosen)) is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    if victim in ("nobody", "process", "helper"):
        await asyncio.to_thread(making.join, 120)
    making.kill()
    await asyncio.to_thread(making.join)
    making.close()
    another = lab.another_controller()
    await another.observe()
    await another.destroy(spec.machine, keep_folder=chosen.random() < 0.3)
    await another.purge(spec.machine)
    assert spec.machine not in await another.observe()
    return victim


async def test_fifty_lives_cut_anywhere_leave_nothing(golden_image: GoldenImage) -> None:
    state = state_folder()
    lab = Lab(state, golden_image, stage_standin(state), uid_base=UIDS.start, ports=PORTS)
    seed = random.SystemRandom().randrange(2**32)
    chosen = random.Random(seed)
    try:
        await lab.driver.create(spec := lab.spec())  # what the first machine makes for all, the folder itself
        await lab.driver.destroy(spec.machine, keep_folder=False)
        before = footprint(lab.folder, UIDS, PORTS)
        cut = [await cycle(lab, chosen) for _ in range(CYCLES)]
        assert {"controller", "process"} <= set(cut), seed
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
        cut = [await cycle(lab, chosen, helper, 3.0) for _ in range(CYCLES)]
        assert {"controller", "process", "helper"} <= set(cut), seed
        assert left(before, lab.folder, UIDS, PORTS, helper.base) == [], seed
        assert helper.client().survey(tag_of(lab.folder / "any")).machines == (), seed
    finally:
        await lab.close()


def test_the_footprint_sees_what_a_machine_has(golden_image: GoldenImage) -> None:
    """The count itself, proved: while a machine lives there is a process, a namespace, a port and files of it."""

    async def while_it_lives() -> list[str]:
        state = state_folder()
        lab = Lab(state, golden_image, stage_standin(state), uid_base=UIDS.start, ports=PORTS)
        try:
            before = footprint(lab.folder, UIDS, PORTS)
            async with lab.machine():
                return sorted((footprint(lab.folder, UIDS, PORTS) - before).elements())
        finally:
            await lab.close()

    seen = asyncio.run(while_it_lives())
    for kind in ("process mch_", "net:[", "port ", "file "):
        assert any(each.startswith(kind) for each in seen), (kind, seen)
