"""One act at a time on a machine. What keepers do is in tests/contract."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.keeper_config import config
from transom.drivers.keeper_host import Host
from transom.drivers.keepers import KeptDriver
from transom.drivers.namespace.driver import NamespaceDriver
from transom.images.errors import ImageError
from transom.model.clock import now_ms
from transom.model.errors import DriverError
from transom.model.ids import new_id
from transom.model.machine import DRIVERS, MachineSpec
from transom_wire.codec import decode, encode
from transom_wire.exit import NO_ROUTE
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


class Images:
    """Any image is in `folder`, or is broken."""

    def __init__(self, folder: Path, *, broken: bool = False) -> None:
        self.folder, self.broken = folder, broken

    def root(self, digest: str) -> Path:
        if self.broken:
            raise ImageError("its root is not what its digest says", mend="transom image build")
        return self.folder

    def guest_code(self, digest: str, guest: Path) -> Path:
        return guest


def asked(session: str = "ses_" + "a" * 20) -> MachineSpec:
    return MachineSpec(
        machine=new_id("mch"),
        session=session,
        slot=0,
        image="sha256-0",
        width=800,
        height=600,
        start_url="about:blank",
        exit=NO_ROUTE,
        deadline=now_ms() + 60_000,
        limits=config().limits,
    )


async def test_a_broken_image_and_a_door_without_ports_say_where_the_machine_failed(tmp_path: Path) -> None:
    guest, root = tmp_path / "guest", tmp_path / "root"
    for folder in (guest, root):
        folder.mkdir()
    host = Host(tmp_path / "machines", guest, "127.0.0.1", (42000, 42999))
    with pytest.raises(DriverError, match="digest") as error:
        await NamespaceDriver(host, Images(root, broken=True)).create(asked())
    assert (error.value.stage, error.value.mend) == ("image", "transom image build")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(DriverError, match="no free UDP port") as error:
            await NamespaceDriver(replace(host, door_ports=(port, port)), Images(root)).create(asked())
    assert error.value.stage == "network"
    with pytest.raises(DriverError, match="not there") as error:
        await NamespaceDriver(host, Images(tmp_path / "gone")).create(asked())
    assert error.value.stage == "image"
