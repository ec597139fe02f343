"""Labs for the contract's tests: sandboxes for all, and for the drivers' own suite each kind of machine. Databases
for the stores': SQLite and a real PostgreSQL.

A test that a kind cannot pass for want of a capability is marked `needs(FLAG)`; what is left out is said at the end,
and so is what is asked `only` of one, and what this host cannot be asked.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.support import unasked
from tests.support.image import GoldenImage, golden_image
from tests.support.machine_lab import Lab, Machine, stage_standin, state_folder
from tests.support.postgres import Postgres
from tests.support.unasked import not_asked
from tests.support.vm_lab import VmGround, ground
from transom.drivers.firecracker.driver import FirecrackerDriver
from transom.drivers.keeper_host import SLOTS
from transom.drivers.namespace.driver import NamespaceDriver
from transom.drivers.qemu.driver import QemuDriver

__all__ = ["golden_image"]

KINDS = {"namespace": NamespaceDriver, "qemu": QemuDriver, "firecracker": FirecrackerDriver}
SUITE = "test_driver_contract"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The drivers' suite runs for each kind that has what the test needs."""
    if "kind" not in metafunc.fixturenames or not metafunc.module.__name__.endswith(SUITE):
        return
    needs = [mark.args[0] for mark in metafunc.definition.iter_markers("needs")]
    only = [mark.args[0] for mark in metafunc.definition.iter_markers("only")]
    kinds = []
    for kind, driver in KINDS.items():
        missing = [flag for flag in needs if not getattr(driver.flags, flag)]
        for flag in missing:
            not_asked(f"{kind}: {metafunc.definition.name}", f"it has no `{flag}`")
        if only and kind not in only:
            not_asked(f"{kind}: {metafunc.definition.name}", f"it is asked only of {', '.join(only)}")
        if not missing and (not only or kind in only):
            marks = [] if kind == "namespace" else [pytest.mark.vm]
            kinds.append(pytest.param(kind, marks=marks))
    metafunc.parametrize("kind", kinds, scope="session")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Which promises were not asked of whom, and the excuse for it."""
    for line in sorted(unasked.lines):
        terminalreporter.write_line(f"driver contract: {line}")


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """One PostgreSQL, with a database for each test."""
    with Postgres() as started:
        yield started


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database's."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'transom.db'}"
    started: Postgres = request.getfixturevalue("server")
    return started.new_database()


@pytest.fixture(scope="session")
def kind() -> str:
    """What makes the machines, where a test does not say."""
    return "namespace"


@pytest.fixture(scope="session")
def standin() -> Iterator[Path]:
    """Guest code whose boot has no desktop, staged once."""
    state = state_folder()
    yield stage_standin(state)
    shutil.rmtree(state)


@pytest.fixture(scope="session")
def qemu_ground(standin: Path) -> Iterator[VmGround]:
    """Saves one machine that all of the tests' are clones of."""
    with ground("qemu", standin) as made:
        made.prepare()
        yield made


@pytest.fixture(scope="session")
def firecracker_ground(standin: Path) -> Iterator[VmGround]:
    """The same for Firecracker, or its stand-in."""
    with ground("firecracker", standin) as made:
        made.prepare()
        yield made


def a_lab(kind: str, image: GoldenImage, standin: Path, request: pytest.FixtureRequest) -> Lab:
    """A driver with a folder of its own."""
    if kind == "namespace":
        return Lab(state_folder(), image, standin)
    ground: VmGround = request.getfixturevalue(f"{kind}_ground")
    return ground.lab()


@pytest.fixture
async def lab(
    kind: str, golden_image: GoldenImage, standin: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Lab]:
    """A driver with a folder of its own; whatever a test leaves running is ended."""
    made = a_lab(kind, golden_image, standin, request)
    yield made
    await made.close()


@dataclass(frozen=True)
class Standing:
    """A machine that outlives the tests which use it."""

    lab: Lab
    machine: str


@pytest.fixture(scope="session")
def standing(
    kind: str, golden_image: GoldenImage, standin: Path, request: pytest.FixtureRequest
) -> Iterator[Standing]:
    """One machine of this kind, as the user of a slot that no test of its own has."""
    lab = a_lab(kind, golden_image, standin, request)
    spec = lab.spec(slot=SLOTS - 2, seconds=3600)

    async def begin() -> None:
        machine = await lab.begin(spec)
        await machine.ready()
        await machine.channel.close()

    with ThreadPoolExecutor(1) as elsewhere:  # a test's loop may run in this thread
        try:
            elsewhere.submit(asyncio.run, begin()).result()
            yield Standing(lab, spec.machine)
        finally:
            elsewhere.submit(asyncio.run, lab.close()).result()


@pytest.fixture
async def machine(standing: Standing) -> AsyncIterator[Machine]:
    """The standing machine, of which this test becomes the controller: for who leaves it as it was."""
    lab = replace(standing.lab)  # with a driver of this test's own
    found = Machine(lab, standing.machine, await lab.driver.attach(standing.machine))
    await found.ready()
    yield found
    await found.channel.close()
