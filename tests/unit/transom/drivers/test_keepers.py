"""One act at a time on a machine. What keepers do is in tests/contract."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.support.keeper_config import config
from transom.drivers.keepers import Host, KeptDriver
from transom.model.errors import DriverError
from transom.model.ids import new_id
from transom.model.machine import DRIVERS
from transom_wire.codec import decode, encode
from transom_wire.keeper_config import KeeperConfig


class Acts(KeptDriver):
    """Notes how many acts there are at once; each takes until the others have had every chance."""

    def __init__(self, folder: Path) -> None:
        super().__init__(Host(folder, folder, "127.0.0.1", (42000, 42999)))
        self.now, self.most, self.done = 0, 0, 0
        self.fails = False

    async def _remove(self, machine: str, *, keep_folder: bool) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        for _ in range(10):
            await asyncio.sleep(0)
        self.now -= 1
        self.done += 1
        if self.fails:
            raise DriverError("it does not go")


async def test_who_comes_while_others_wait_waits_too(tmp_path: Path) -> None:
    driver, machine = Acts(tmp_path), new_id("mch")
    acts = []
    for _ in range(6):
        acts.append(asyncio.ensure_future(driver.destroy(machine, keep_folder=False)))
        for _ in range(7):  # some come while one acts and another waits, some as the first has ended
            await asyncio.sleep(0)
    await asyncio.gather(*acts)
    assert (driver.done, driver.most) == (6, 1)
    assert not driver._locks and not driver._wanted


async def test_machines_do_not_wait_for_each_other(tmp_path: Path) -> None:
    driver = Acts(tmp_path)
    await asyncio.gather(*(driver.destroy(new_id("mch"), keep_folder=False) for _ in range(3)))
    assert driver.most == 3


async def test_an_act_that_fails_or_is_given_up_leaves_no_lock(tmp_path: Path) -> None:
    driver, machine = Acts(tmp_path), new_id("mch")
    driver.fails = True
    first, waits = (asyncio.ensure_future(driver.destroy(machine, keep_folder=False)) for _ in range(2))
    await asyncio.sleep(0)
    waits.cancel()
    with pytest.raises(DriverError):
        await first
    await asyncio.gather(waits, return_exceptions=True)
    assert not driver._locks and not driver._wanted


@pytest.mark.parametrize("name", DRIVERS)
def test_a_keeper_takes_machines_of_every_driver(name: str) -> None:
    assert decode(encode(config(driver=name)), (KeeperConfig,)).driver == name
