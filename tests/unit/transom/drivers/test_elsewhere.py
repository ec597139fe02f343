"""What only the root helper has of machines: seen and removed by whichever driver is in use."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.support.helper_lab import LIMITS, STRANGER, HelperLab, as_user, helper
from transom.drivers import elsewhere
from transom.drivers.elsewhere import Elsewhere, unlimited
from transom.drivers.keepers import KeptDriver
from transom.drivers.local import local_driver
from transom.images.store import ImageStore
from transom.model.errors import DriverError
from transom.model.ids import new_id
from transom.model.machine import DRIVERS, MachineState
from transom.sessions.steps import Seen
from transom.sessions.world import World
from transom.settings import Settings
from transom_keeper.sandbox import tag_of
from transom_wire import WIRE_VERSION
from transom_wire.helper import Found

TAG = "0123abcd"


@pytest.fixture
def lab() -> Iterator[HelperLab]:
    with helper() as running:
        yield running


def a_driver(name: str, state: Path, socket: Path) -> KeptDriver:
    settings = Settings(state=state, images_dir=state / "images", driver=name, helper_socket=socket)  # type: ignore[arg-type]
    made = local_driver(settings, ImageStore(settings.images_dir), state / "guest")
    assert isinstance(made, KeptDriver)
    return made


@pytest.mark.parametrize("name", DRIVERS)
async def test_what_a_former_driver_left_at_the_helper_is_found_and_removed(
    lab: HelperLab, tmp_path: Path, name: str
) -> None:
    driver, left = a_driver(name, tmp_path, Path(lab.socket)), new_id("mch")
    tag = tag_of(driver._folder / "any")
    process = subprocess.Popen(["sleep", "60"])
    pidfd = os.pidfd_open(process.pid)
    try:
        lab.client().group(left, tag, LIMITS, pidfd)
        assert await driver.observe() == {left: MachineState.GONE}
        await driver.destroy(left, keep_folder=False)
        assert await driver.observe() == {}
        assert lab.client().survey(tag).machines == ()
        assert process.wait(10) == -9
    finally:
        process.kill()
        process.wait()
        os.close(pidfd)


def test_a_driver_that_needs_no_helper_works_without_one_in_every_way(
    lab: HelperLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """None is configured, none was ever there, one ended, one lets nobody in, one hangs."""
    monkeypatch.setattr(elsewhere, "UNNEEDED_SECONDS", 0.1)
    monkeypatch.setattr(elsewhere, "UNNEEDED_EVERY_SECONDS", 0.0)
    caplog.set_level(logging.INFO)
    hung = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    hung.bind(str(tmp_path / "hung"))
    hung.listen()
    ended = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ended.bind(str(tmp_path / "ended"))
    ended.close()
    with hung:
        for place in (None, tmp_path / "none", tmp_path / "ended", tmp_path / "hung"):
            part = Elsewhere(place, TAG)
            for _ in range(3):
                assert part.machines(needed=False) == frozenset()
                part.remove("mch_a", needed=False)
    assert as_user(STRANGER, partial(Elsewhere(Path(lab.socket), TAG).machines, needed=False)) == frozenset()
    said = [each.message for each in caplog.records if each.name == elsewhere.__name__]
    assert len(said) == 2 and "listens" in said[0] and "in time" in said[1]


def test_a_helper_that_is_not_needed_is_not_asked_at_every_look(lab: HelperLab) -> None:
    part = Elsewhere(Path(lab.socket), TAG)
    asked = lab.log.read_text().count("survey")
    for _ in range(20):
        assert part.machines(needed=False) == frozenset()
    assert lab.log.read_text().count("survey") == asked + 1
    for _ in range(3):
        part.machines(needed=True)
    assert lab.log.read_text().count("survey") == asked + 4


def test_a_driver_that_needs_the_helper_says_that_it_cannot_see(tmp_path: Path) -> None:
    part = Elsewhere(tmp_path / "none", TAG)
    for ask in (lambda: part.machines(needed=True), lambda: part.remove("mch_a", needed=True)):
        with pytest.raises(DriverError, match="no root helper") as caught:
            ask()
        assert "systemctl" in caught.value.mend


async def test_a_helper_that_is_away_takes_nothing_from_what_was_seen(lab: HelperLab, tmp_path: Path) -> None:
    """No row is closed and no slot given back for a machine of which something may be left."""
    driver, left = a_driver("firecracker", tmp_path, Path(lab.socket)), new_id("mch")
    driver._folder.mkdir()
    process = subprocess.Popen(["sleep", "60"])
    pidfd = os.pidfd_open(process.pid)
    try:
        lab.client().group(left, tag_of(driver._folder / "any"), LIMITS, pidfd)
        world = World(driver)
        assert await world.sweep() == {left: Seen.GONE}
        lab.kill()
        with pytest.raises(DriverError, match="cannot be seen"):
            await world.sweep()
        assert world.of(left) is Seen.GONE
        lab.start()
        assert await world.sweep() == {left: Seen.GONE}
        await driver.destroy(left, keep_folder=False)
    finally:
        process.kill()
        process.wait()
        os.close(pidfd)


@pytest.mark.parametrize(
    ("found", "missing"),
    [
        (Found((), WIRE_VERSION, "", ("memory", "cpu", "pids")), ()),
        (Found((), WIRE_VERSION, "", ("cpu",)), ("memory", "pids")),
        (Found((), WIRE_VERSION - 1), ()),
    ],
)
def test_limits_that_a_helper_cannot_give(found: Found, missing: tuple[str, ...]) -> None:
    """One of another version is another finding."""
    assert unlimited(found) == missing
