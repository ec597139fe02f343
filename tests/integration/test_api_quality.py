"""What viewers tell of their pictures, over HTTP and the events' WebSocket, until after the session's end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.api import Api, serving
from transom.model.user import Role

SUMMARY: dict[str, Any] = {
    "seconds": 10,
    "rung": "webrtc",
    "fps": 24.5,
    "fps_least": 2,
    "fps_most": 30,
    "kbps": 812.5,
    "loss": 0.01,
    "rtt_ms": 20,
    "jitter_ms": 1.5,
    "freezes": 1,
    "frozen_ms": 812.5,
    "latencies_ms": [40, 20, 30, 90],
    "local": "prflx",
    "remote": "host",
    "transport": "udp",
    "target_kbps": 2000,
    "cause": "probe",
    "scale": 100,
}


@dataclass
class Bench:
    api: Api
    client: httpx.AsyncClient
    session: str

    async def beat(self, **body: Any) -> httpx.Response:
        return await self.client.post(f"/api/auth/session/{self.session}/heartbeat", json=body)

    async def quality(self, **query: Any) -> dict[str, Any]:
        answer = await self.client.get(f"/api/sessions/{self.session}/quality", params=query)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with serving(tmp_path) as api:
        client = await api.client(await api.user("ada"))
        yield Bench(api, client, await api.ready_session(client))
        await client.aclose()


async def test_what_a_heartbeat_says_is_kept_and_shown(bench: Bench) -> None:
    stats = {"fps": 24.5, "local": "prflx", "transport": "udp", "latency_ms": 30, "decoder": "FFmpeg"}
    assert (await bench.beat(peer="tab", rung="webrtc", stats=stats, quality=SUMMARY)).status_code == 200
    (viewer,) = (await bench.quality())["viewers"]
    (row,) = viewer["rows"]
    assert (viewer["viewer"], row["seconds"], row["rung"]) == ("tab", 10, "webrtc")
    assert row["figures"]["latency_ms"] == 30
    assert row["figures"]["latency_p95_ms"] == 90
    assert {**SUMMARY, **row["figures"], **row["words"]} == {
        **SUMMARY, "latency_ms": 30, "latency_p95_ms": 90
    }  # fmt: skip
    assert viewer["changes"] == [{"at": row["at"] - 10_000, "rung": "webrtc"}]
    assert viewer["candidates"].startswith(f"{row['words']['local']} to ")
    metrics = (await bench.client.get("/metrics")).text
    assert 'transom_input_to_picture_seconds_count{rung="webrtc"} 4.0' in metrics
    assert 'transom_viewer_connections{candidate="prflx",rung="webrtc",transport="udp"} 1.0' in metrics


async def test_it_is_there_when_the_session_is_over(bench: Bench) -> None:
    await bench.beat(peer="tab", quality=SUMMARY)
    await bench.beat(peer="tab", quality={**SUMMARY, "rung": "vnc"})
    await bench.api.quality_log.flush()
    await bench.client.delete(f"/api/sessions/{bench.session}")
    while (await bench.client.get(f"/api/sessions/{bench.session}")).json()["state"] != "ended":
        await asyncio.sleep(0.02)
    assert (await bench.beat(peer="tab", quality=SUMMARY)).status_code == 410
    (viewer,) = (await bench.quality())["viewers"]
    assert [change["rung"] for change in viewer["changes"]] == ["webrtc", "vnc"]
    newest = viewer["rows"][-1]["at"]
    (viewer,) = (await bench.quality(since=newest, limit=1))["viewers"]
    assert [row["at"] for row in viewer["rows"]] == [newest]


async def test_the_socket_takes_it_as_well(bench: Bench) -> None:
    user = await bench.api.user("bob")
    client = await bench.api.client(user)
    session = await bench.api.ready_session(client)
    sign = {"Authorization": f"Bearer {await bench.api.token(user)}"}
    async with bench.api.socket(f"/api/sessions/{session}/events", **sign) as socket:
        await socket.send(json.dumps({"type": "heartbeat", "peer": "tab", "quality": SUMMARY}))
        answer = None
        while not (answer := (await client.get(f"/api/sessions/{session}/quality")).json()["viewers"]):
            await asyncio.sleep(0.02)
    assert answer[0]["rows"][0]["figures"]["fps"] == 24.5
    await client.aclose()


async def test_administrators_see_it_and_strangers_do_not(bench: Bench) -> None:
    await bench.beat(quality=SUMMARY)
    root = await bench.api.client(await bench.api.user("root", Role.ADMINISTRATOR))
    bob = await bench.api.client(await bench.api.user("bob"))
    route = f"/api/sessions/{bench.session}/quality"
    assert (await root.get(route)).json()["viewers"][0]["viewer"] == "-"
    assert (await bob.get(route)).status_code == 404
    for client in (root, bob):
        await client.aclose()


@pytest.mark.parametrize(
    "change",
    [
        {"surprise": 1},
        {"rung": "carrier pigeon"},
        {"seconds": 0},
        {"seconds": 1e9},
        {"fps": -1},
        {"fps": "30"},
        {"fps": 1e6},
        {"loss": 1.1},
        {"freezes": 1.5},
        {"freezes": -1},
        {"seconds": 120, "freezes": 1000},
        {"seconds": 120, "frozen_ms": 600_000},
        {"seconds": 10, "freezes": 31},
        {"seconds": 10, "frozen_ms": 15_001},
        {"latencies_ms": [1] * 65},
        {"latencies_ms": [None]},
        {"local": "<b>"},
        {"cause": "x" * 10_000},
    ],
)
async def test_what_a_summary_cannot_be(bench: Bench, change: dict[str, Any]) -> None:
    assert (await bench.beat(quality={**SUMMARY, **change})).status_code == 422
    assert (await bench.quality())["viewers"] == []


async def test_who_tells_too_much_is_cut_and_the_heartbeat_is_not(bench: Bench) -> None:
    for _ in range(60):
        assert (await bench.beat(peer="tab", quality=SUMMARY)).status_code == 200
    rows = sum(len(viewer["rows"]) for viewer in (await bench.quality())["viewers"])
    assert 1 <= rows < 60
    assert (
        'transom_quality_rows_total{outcome="refused"} 0.0' not in (await bench.client.get("/metrics")).text
    )
