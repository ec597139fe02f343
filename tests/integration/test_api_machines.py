"""Machines and the pool as an operator sees them, over HTTP, on a real store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.api import Api, boots, serving
from tests.support.fakes import START, FakeKeeper
from tests.support.waiting import until
from transom.model.user import Role
from transom_wire.control import Usage


def parks(keeper: FakeKeeper) -> None:
    keeper.on_claim = boots
    keeper.park()


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path, pool_min=2, pool_max=3, pool_memory_mib=0) as started:
        started.driver.on_warm = parks
        yield started


@pytest.fixture
async def operator(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    client = await api.client(await api.user("root", Role.ADMINISTRATOR))
    yield client
    await client.aclose()


async def machines(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.get("/api/machines")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def filled(client: httpx.AsyncClient, count: int = 2) -> dict[str, Any]:
    async with asyncio.timeout(15):
        while (found := await machines(client))["pool"]["parked"] != count:
            await asyncio.sleep(0.05)
    return found


async def test_parked_machines_and_their_cost_are_shown(api: Api, operator: httpx.AsyncClient) -> None:
    found = await filled(operator)
    assert {row["phase"] for row in found["machines"]} == {"parked"}
    assert {row["warm"] for row in found["machines"]} == {True}
    await until(lambda: len(api.sessions.pool.usage()) == 2)
    for keeper in api.driver.machines.values():
        keeper._put(Usage(START, {"memory_bytes": "314572800", "pids": "30"}))
    await until(lambda: api.sessions.pool.state().memory_bytes == 2 * 314572800)
    found = await machines(operator)
    assert found["pool"]["memory_bytes"] == 2 * 314572800
    text = (await operator.get("/metrics")).text
    assert "transom_pool_memory_bytes 6.291456e+08" in text
    assert 'transom_pool_machines{state="parked"} 2.0' in text
    assert 'transom_machine_creations_total{driver="fake",outcome="ok"} 2.0' in text


async def test_a_session_on_a_warm_machine_from_click_to_end(api: Api, operator: httpx.AsyncClient) -> None:
    await filled(operator)
    session = await api.ready_session(operator)
    shown = (await operator.get(f"/api/sessions/{session}")).json()
    assert shown["warm"] is True
    assert "claimed" in shown["timeline"]
    api.driver.of(session)._put(Usage(START, {"memory_bytes": "1000", "cpu_ms": "7", "pids": "3", "x": "9"}))
    await until(lambda: api.guests.usage(session))
    shown = (await operator.get(f"/api/sessions/{session}")).json()
    assert shown["usage"] == {"memory_bytes": 1000, "cpu_ms": 7, "pids": 3}
    assert 'transom_machine_pids{driver="fake",slot=' in (await operator.get("/metrics")).text
    await operator.delete(f"/api/sessions/{session}")
    async with asyncio.timeout(10):
        while (await operator.get(f"/api/sessions/{session}")).json()["state"] != "ended":
            await asyncio.sleep(0.05)
    rows = {row["id"]: row for row in (await machines(operator))["machines"]}
    over = rows[shown["machine"]]
    assert (over["phase"], over["outcome"], over["session"]) == ("over", "used", session)
    assert over["usage"] == {"memory_bytes": 1000, "cpu_ms": 7, "pids": 3}
    assert {"parked", "claimed", "ready"} <= set(over["stages"])
    assert (await machines(operator))["pool"]["hits"] == 1


async def test_a_machine_that_failed_leaves_its_stage_cause_and_log(
    api: Api, operator: httpx.AsyncClient
) -> None:
    await filled(operator)
    api.driver.fail_create = "no space on the disk"
    ends = [await operator.post("/api/sessions", json={}) for _ in range(3)]
    last = ends[-1].json()["id"]
    async with asyncio.timeout(10):
        while (await operator.get(f"/api/sessions/{last}")).json()["state"] != "failed":
            await asyncio.sleep(0.05)
    shown = (await operator.get(f"/api/sessions/{last}")).json()
    assert (shown["attempt"], shown["retried"]) == (2, "create_failed: no space on the disk")
    found = await machines(operator)
    failed = [row for row in found["machines"] if row["session"] == last]
    assert len(failed) == 2
    assert {(row["failed_stage"], row["outcome"]) for row in failed} == {("boot", "failed")}
    assert all("no space on the disk" in row["cause"] for row in failed)
    counts = [line for line in found["funnel"] if line["failed_stage"] == "boot"]
    assert sum(line["count"] for line in counts) >= 2
    log = await operator.get(f"/api/machines/{failed[0]['id']}/log")
    assert log.json()["log"].endswith(f"log of {failed[0]['id']}")
    assert (
        'transom_machine_failures_total{driver="fake",stage="boot"}' in (await operator.get("/metrics")).text
    )


async def test_machines_are_for_administrators(api: Api) -> None:
    client = await api.client(await api.user("ada"))
    stranger = await api.client()
    for path in ("/api/machines", "/api/machines/mch_" + "a" * 20 + "/log"):
        assert (await client.get(path)).status_code == 403
        assert (await stranger.get(path)).status_code == 401
    await client.aclose()
    await stranger.aclose()


@pytest.mark.parametrize("machine", ["mch_" + "a" * 20, "..", "mch_short", "x" * 300])
async def test_no_log_is_404(operator: httpx.AsyncClient, machine: str) -> None:
    assert (await operator.get(f"/api/machines/{machine}/log")).status_code == 404
