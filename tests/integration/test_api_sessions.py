"""Sessions and signalling over HTTP: bad input gets a clear answer and loses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.support.api import Api, serving
from tests.support.sdps import answer, offer
from tests.support.waiting import until
from transom.model.errors import Unavailable
from transom.model.user import Role
from transom_wire.link import PeerAnswer


@dataclass
class Bench:
    api: Api
    client: httpx.AsyncClient

    async def ready(self) -> str:
        return await self.api.ready_session(self.client)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with serving(tmp_path, sessions_per_user=2) as api:
        client = await api.client(await api.user("ada"))
        yield Bench(api, client)
        await client.aclose()


def error_of(response: httpx.Response) -> dict[str, str]:
    body = response.json()
    assert set(body) == {"error"}
    assert {"code", "message"} <= set(body["error"])
    found: dict[str, str] = body["error"]
    return found


async def test_a_session_as_the_reference_describes_it(bench: Bench) -> None:
    session = await bench.ready()
    shown = (await bench.client.get(f"/api/sessions/{session}")).json()
    assert set(shown) == {
        *("id", "state", "reason", "detail", "provider", "driver", "created_at", "expires_at", "idle_at"),
        *("width", "height", "warnings", "timeline", "signin", "page", "sequence"),
        *("machine", "warm", "attempt", "retried", "usage"),
    }
    assert shown["page"] == f"/session/{session}"
    assert {"accepted", "machine", "display", "ready"} <= set(shown["timeline"])
    again = (await bench.client.get(f"/api/sessions/{session}")).json()
    assert again["sequence"] == shown["sequence"]
    ended = (await bench.client.delete(f"/api/sessions/{session}")).json()
    assert ended["sequence"] > shown["sequence"]


async def test_the_same_click_twice_is_one_session(bench: Bench) -> None:
    answers = [
        await bench.client.post("/api/sessions", json={}, headers={"Idempotency-Key": "k"}) for _ in range(3)
    ]
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1


async def test_too_many_sessions_is_429_with_a_time(bench: Bench) -> None:
    for _ in range(2):
        assert (await bench.client.post("/api/sessions", json={})).status_code == 202
    refused = await bench.client.post("/api/sessions", json={})
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0
    assert error_of(refused)["code"] == "too_many"


@pytest.mark.parametrize(
    "body",
    [
        {"surprise": 1},
        {"width": "1280"},
        {"width": 63},
        {"height": 7681},
        {"width": 7680, "height": 4320},
        {"width": 1280.5},
        {"width": True},
        {"provider": "../../etc"},
        {"start_url": "file:///etc/passwd"},
        {"start_url": 7},
        [],
        "text",
        None,
    ],
)
async def test_what_a_session_cannot_be(bench: Bench, body: object) -> None:
    refused = await bench.client.post("/api/sessions", json=body)
    assert refused.status_code == 422
    message = error_of(refused)["message"]
    assert "passwd" not in message
    assert (await bench.client.get("/api/sessions")).json() == []


async def test_a_desktop_is_as_large_as_the_api_says(bench: Bench) -> None:
    asked = await bench.client.post("/api/sessions", json={"width": 1281, "height": 721})
    assert (asked.json()["width"], asked.json()["height"]) == (1280, 720)
    session = await bench.ready()
    route = f"/api/sessions/{session}/screen"
    resized = (await bench.client.post(route, json={"width": 801, "height": 601})).json()
    assert (resized["width"], resized["height"]) == (800, 600)
    refused = await bench.client.post(route, json={"width": 7680, "height": 4320})
    assert refused.status_code == 422
    assert "9437184 pixels" in error_of(refused)["message"]


async def test_bodies_that_are_no_json(bench: Bench) -> None:
    for content in (b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"width": NaN}', b'{"provider": "\\ud800"}'):
        refused = await bench.client.post(
            "/api/sessions", content=content, headers={"Content-Type": "application/json"}
        )
        assert (refused.status_code, error_of(refused)["code"]) == (422, "invalid"), content[:20]


async def test_data_urls_are_for_administrators(bench: Bench) -> None:
    page = {"start_url": "data:text/html,<p>hello</p>"}
    assert (await bench.client.post("/api/sessions", json=page)).status_code == 403
    admin = await bench.api.client(await bench.api.user("root", Role.ADMINISTRATOR))
    assert (await admin.post("/api/sessions", json=page)).status_code == 202
    await admin.aclose()


async def test_an_unknown_provider_is_404(bench: Bench) -> None:
    assert (await bench.client.post("/api/sessions", json={"provider": "nobody"})).status_code == 404


async def test_what_is_over_is_410_with_its_reason(bench: Bench) -> None:
    session = await bench.api.ended_session(bench.client)
    assert (await bench.client.get(f"/api/sessions/{session}")).json()["state"] == "ended"
    base = f"/api/webrtc/session/{session}"
    body = {"peer": "p", "epoch": 1, "sdp": offer()}
    for gone in (
        await bench.client.post(f"{base}/offer", json=body),
        await bench.client.get(f"{base}/answer?peer=p&epoch=1"),
        await bench.client.get(f"/api/auth/session/{session}"),
        await bench.client.post(f"/api/auth/session/{session}/heartbeat", json={}),
        await bench.client.post(f"/api/sessions/{session}/screen", json={"width": 800, "height": 600}),
    ):
        assert gone.status_code == 410
        assert error_of(gone)["code"] == "gone"
        assert error_of(gone)["reason"] == "stopped"
    assert (await bench.client.delete(f"/api/sessions/{session}")).status_code == 202


async def test_a_whole_signalling_by_polling(bench: Bench) -> None:
    session = await bench.ready()
    base = f"/api/webrtc/session/{session}"
    query = {"peer": "tab", "epoch": 1}
    assert (await bench.client.get("/api/webrtc/ice-servers")).json() == {"ice_servers": [], "ttl_s": 3600}
    assert (await bench.client.get(f"{base}/offer")).status_code == 204
    assert (await bench.client.post(f"{base}/offer", json={**query, "sdp": offer()})).status_code == 202
    assert (await bench.client.get(f"{base}/offer")).json()["peer"] == "tab"
    assert (await bench.client.get(f"{base}/answer", params=query)).status_code == 204
    (sent,) = bench.api.offers(session)
    waiting = asyncio.create_task(bench.client.get(f"{base}/answer", params={**query, "wait_ms": 10_000}))
    bench.api.driver.of(session).say("webrtc", PeerAnswer(sent.peer, sent.epoch, answer()))
    answered = await waiting
    assert answered.status_code == 200
    assert "127.0.0.1 41000 typ host" in answered.json()["sdp"]
    (candidate,) = (await bench.client.get(f"{base}/candidate", params=query)).json()["candidates"]
    assert candidate["sdpMid"] == "0"
    assert candidate["candidate"].endswith("127.0.0.1 41000 typ host")
    newer = {"peer": "tab", "epoch": 2, "sdp": offer("anew")}
    assert (await bench.client.post(f"{base}/offer", json=newer)).status_code == 202
    stale = await bench.client.get(f"{base}/answer", params=query)
    assert (stale.status_code, error_of(stale)["code"]) == (409, "stale_epoch")
    by_hand = {"peer": "tab", "epoch": 2, "sdp": answer()}
    assert (await bench.client.post(f"{base}/answer", json=by_hand)).status_code == 202
    assert (await bench.client.post(f"{base}/answer", json=by_hand)).status_code == 409


async def test_sizes_have_limits(bench: Bench) -> None:
    session = await bench.ready()
    base = f"/api/webrtc/session/{session}"
    big = {"peer": "p", "epoch": 1, "sdp": "v=0\r\n" + "a=x\r\n" * 14_000}
    larger = {**big, "sdp": "v=0\r\n" + "a=x\r\n" * 40_000}
    candidate = {"peer": "p", "epoch": 1, "candidate": "candidate:" + "1" * 5000}
    for route, body in (("offer", big), ("offer", larger), ("candidate", candidate)):
        refused = await bench.client.post(f"{base}/{route}", json=body)
        assert refused.status_code == 413, route
        error_of(refused)


async def test_a_body_without_a_length_has_a_limit_too(bench: Bench) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 50 * 2**20:
            sent += 65536
            yield b" " * 65536

    try:
        refused = await bench.client.post("/api/sessions", content=endless())
        assert refused.status_code == 413
    except httpx.TransportError:
        pass
    assert sent < 50 * 2**20


async def test_heartbeats_keep_it_alive_and_tell_of_the_picture(bench: Bench) -> None:
    session = await bench.ready()
    stats = {"fps": 30, "kbps": 1200.5, "rtt_ms": None, "loss": 0}
    beat = {"peer": "tab", "epoch": 1, "rung": "webrtc", "first_frame": True, "stats": stats}
    answered = (await bench.client.post(f"/api/auth/session/{session}/heartbeat", json=beat)).json()
    assert set(answered) == {"state", "idle_at", "expires_at"}
    assert "first_frame" in (await bench.client.get(f"/api/sessions/{session}")).json()["timeline"]
    assert 'transom_viewers{rung="webrtc"} 1.0' in (await bench.client.get("/metrics")).text
    for wrong in ({"rung": "fax"}, {"stats": {"fps": -1}}, {"stats": {"secret": 1}}, {"first_frame": "yes"}):
        refused = await bench.client.post(f"/api/auth/session/{session}/heartbeat", json=wrong)
        assert refused.status_code == 422


async def test_a_store_that_cannot_serve_is_503_and_running_sessions_go_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await bench.ready()

    async def full(*_: object, **__: object) -> None:
        raise Unavailable("the disk is full", retry_after=3)

    with monkeypatch.context() as broken:
        broken.setattr(bench.api.store, "add_session", full)
        refused = await bench.client.post("/api/sessions", json={})
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "3")
    assert bench.api.driver.of(session).alive
    assert (await bench.client.post("/api/sessions", json={})).status_code == 202


async def test_tokens_are_shown_once(bench: Bench) -> None:
    made = (await bench.client.post("/api/tokens", json={"label": "laptop"})).json()
    assert set(made) == {"id", "label", "token"}
    listed = await bench.client.get("/api/tokens")
    assert made["token"] not in listed.text
    assert made["id"] in listed.text
    other = httpx.AsyncClient(base_url=bench.api.url, headers={"Authorization": f"Bearer {made['token']}"})
    assert (await other.get("/api/me")).json()["name"] == "ada"
    assert (await bench.client.delete(f"/api/tokens/{made['id']}")).status_code == 204
    assert (await other.get("/api/me")).status_code == 401
    await other.aclose()


async def test_a_user_who_is_removed_takes_their_sessions_along(bench: Bench) -> None:
    session = await bench.ready()
    admin = await bench.api.client(await bench.api.user("root", Role.ADMINISTRATOR))
    ada = next(user for user in (await admin.get("/api/users")).json() if user["name"] == "ada")
    assert (await admin.delete(f"/api/users/{ada['id']}")).status_code == 204
    await until(lambda: not bench.api.driver.machines)
    assert (await bench.client.get(f"/api/sessions/{session}")).status_code == 401
    me = (await admin.get("/api/me")).json()
    assert (await admin.delete(f"/api/users/{me['id']}")).status_code == 409
    key = (await admin.post(f"/api/users/{me['id']}/key")).json()
    assert key["url"].startswith(f"{bench.api.url}/?key=")
    await admin.aclose()


async def test_pages_and_their_files(bench: Bench) -> None:
    page = await bench.client.get("/dashboard/remote-cli")
    assert page.headers["content-type"].startswith("text/html")
    assert "microphone=(self)" in page.headers["permissions-policy"]
    assert "microphone=()" in (await bench.client.get("/api/me")).headers["permissions-policy"]
    assert (await bench.client.get("/static/js/dashboard.js")).status_code == 200
    for missing in ("/static/../pyproject.toml", "/static/%2e%2e/package.json", "/static/nothing.js", "/no"):
        refused = await bench.client.get(missing)
        assert refused.status_code == 404
        error_of(refused)
    assert (await bench.client.put("/api/me")).status_code == 405
