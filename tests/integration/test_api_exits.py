"""Exits over HTTP: the operator's pool, a user's own way out, events, alerts, lists."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.support.api import Api, serving
from tests.support.exits import ECHO, World
from transom.model.user import Role
from transom_wire.control import SetExit

LINES = "http://user-name:secret-word@proxy.example:{101..102}"


@pytest.fixture
async def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    async with serving(tmp_path, exit_echo_url=ECHO) as made:
        world = World()
        monkeypatch.setattr(made.exits.egress.checker, "_through", world.through)
        monkeypatch.setattr(made.exits.egress.checker, "_direct", world.direct)
        yield made


@pytest.fixture
async def root(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with await api.client(await api.user("root", Role.ADMINISTRATOR)) as client:
        yield client


async def get(client: httpx.AsyncClient, path: str) -> Any:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def until(client: httpx.AsyncClient, path: str, wanted: Any) -> Any:
    async with asyncio.timeout(15):
        while not wanted(found := await get(client, path)):
            await asyncio.sleep(0.05)
        return found


async def test_a_pool_is_added_listed_and_never_told_again(api: Api, root: httpx.AsyncClient) -> None:
    answer = await root.post(
        "/api/exits", json={"lines": LINES, "label": "de", "region": "DE", "tags": ["x"]}
    )
    assert (answer.status_code, answer.json()) == (201, {"added": 2, "known": 0})
    assert (await root.post("/api/exits", json={"lines": LINES})).json() == {"added": 0, "known": 2}
    listed = await get(root, "/api/exits")
    assert [(each["label"], each["port"], each["username"], each["users"]) for each in listed] == [
        ("de-1", 101, "us…", []),
        ("de-2", 102, "us…", []),
    ]
    assert "secret" not in json.dumps(listed)
    refused = await root.post("/api/exits", json={"lines": "ftp://u:secret-word@h.example"})
    assert refused.status_code == 422
    assert "secret" not in refused.text


async def test_a_user_sees_their_own_way_out_and_only_that(api: Api, root: httpx.AsyncClient) -> None:
    await root.post("/api/exits", json={"lines": LINES})
    async with await api.client(await api.user("ada")) as ada:
        assert (await get(ada, "/api/exit"))["exit"] is None
        session = await api.ready_session(ada)
        own = await until(ada, "/api/exit", lambda found: found["address"])
        assert own["kind"] == "upstream"
        assert own["address"] in ("203.0.113.101", "203.0.113.102")
        assert "host" not in own and "username" not in own
        (lease,) = await get(root, "/api/exits/leases")
        assert (lease["name"], lease["address"], lease["shared"]) == ("ada", own["address"], False)
        route = api.driver.of(session).spec.exit
        assert (route.exit, route.password) == (own["exit"], "secret-word")
        assert (await ada.get("/api/exits")).status_code == 403
        checked = await ada.post("/api/exit/check")
        assert checked.json()["address"] == own["address"]


async def test_a_drained_exit_is_told_to_keeper_page_and_operator(api: Api, root: httpx.AsyncClient) -> None:
    await root.post("/api/exits", json={"lines": LINES})
    user = await api.user("ada")
    async with await api.client(user) as ada:
        session = await api.ready_session(ada)
        before = await until(ada, "/api/exit", lambda found: found["address"])
        token = await api.token(user)
        async with api.socket(f"/api/sessions/{session}/events", Authorization=f"Bearer {token}") as events:
            first = await message(events, "exit")
            assert first["exit"]["address"] == before["address"]
            assert (await root.post(f"/api/exits/{before['exit']}/drain")).status_code == 200
            moved = await message(events, "exit")
            while moved["exit"]["exit"] == before["exit"]:
                moved = await message(events, "exit")
        assert "another one now" in moved["exit"]["word"]
        async with asyncio.timeout(10):
            while not (told := api.driver.of(session).told(SetExit)) or told[-1].route.exit == before["exit"]:
                await asyncio.sleep(0.05)
        assert told[-1].route.exit == moved["exit"]["exit"]
        assert (await ada.post("/api/exit/seen")).status_code == 204
        assert (await get(ada, "/api/exit"))["word"] == ""
        assert (await ada.post("/api/exit/move")).status_code == 409
    alerts = await get(root, "/api/alerts")
    assert [alert["kind"] for alert in alerts][-1:] != []
    moves = [alert for alert in alerts if alert["kind"] == "user_moved"]
    assert moves
    assert (await root.post(f"/api/alerts/{moves[0]['number']}/acknowledge")).status_code == 204
    assert (await root.post("/api/alerts/999999/acknowledge")).status_code == 404
    seen = [alert for alert in await get(root, "/api/alerts") if alert["number"] == moves[0]["number"]]
    assert seen[0]["acknowledged_at"]
    trail = await get(root, "/api/audit")
    assert {"exit_add", "exit_lease", "exit_drain", "exit_move"} <= {line["action"] for line in trail}
    assert "secret" not in json.dumps(trail)


async def message(socket: Any, kind: str) -> Any:
    async with asyncio.timeout(15):
        while True:
            said = json.loads(await socket.recv())
            if said["type"] == kind:
                return said


async def test_every_label_that_is_taken_names_its_exit(root: httpx.AsyncClient) -> None:
    for label in ("berlin one", "<b>bold", "größer, 50 %?", "check", "ext_x"):
        lines = f"http://proxy.example:{200 + len(label)}"
        assert (await root.post("/api/exits", json={"lines": lines, "label": label})).status_code == 201
        path = f"/api/exits/{quote(label, safe='')}"
        assert (await root.post(f"{path}/drain")).json()["label"] == label
        assert (await root.delete(path)).status_code == 204
    refused = await root.post("/api/exits", json={"lines": LINES, "label": "a/b"})
    assert refused.status_code == 422, "no path could name it"


async def test_the_operator_s_verbs(api: Api, root: httpx.AsyncClient) -> None:
    await root.post("/api/exits", json={"lines": LINES})
    one, two = await get(root, "/api/exits")
    ada = await api.user("ada")
    moved = await root.post(f"/api/exits/leases/{ada.id}/move", json={"exit": two["label"]})
    assert (moved.status_code, moved.json()["exit"]) == (200, two["id"])
    assert (await root.post("/api/exits/leases/usr_nobody/move", json={})).status_code == 404
    assert (await root.post(f"/api/exits/{one['id']}/check")).json()["address"] == "203.0.113.101"
    assert len((await root.post("/api/exits/check")).json()) == 2
    assert (await root.post(f"/api/exits/{one['id']}/drain")).json()["draining"] is True
    assert (await root.post(f"/api/exits/{one['id']}/resume")).json()["draining"] is False
    assert (await root.delete(f"/api/exits/{one['id']}")).status_code == 204
    assert (await root.delete(f"/api/exits/{one['id']}")).status_code == 404
    assert [each["id"] for each in await get(root, "/api/exits")] == [two["id"]]


async def test_lists_are_checked_and_reach_the_machine(api: Api, root: httpx.AsyncClient) -> None:
    await root.post("/api/exits", json={"lines": LINES})
    user = await api.user("ada")
    path = f"/api/exits/lists/user/{user.id}"
    wanted = {"allow": ["*.Example.org:443", "203.0.113.9"], "deny": ["bad.example.org"]}
    answer = await root.post(path, json=wanted)
    assert answer.json()["allow"] == ["*.example.org:443", "203.0.113.9"]
    assert (await root.post(path, json={"allow": ["exa mple"]})).status_code == 422
    assert (await root.post("/api/exits/lists/provider/nobody", json={})).status_code == 404
    assert (await root.post("/api/exits/lists/provider/demo", json={})).status_code == 200
    await until(root, "/api/exits/lists", lambda found: len(found) == 2)
    async with await api.client(user) as ada:
        session = await api.ready_session(ada)
    route = api.driver.of(session).spec.exit
    assert [rule.host for rule in route.allow] == ["*.example.org", "203.0.113.9"]
    assert (await root.delete(path)).status_code == 204
    await until(root, "/api/exits/lists", lambda found: len(found) == 1)
    assert (await root.delete(path)).status_code == 404


async def test_the_pool_is_measured(api: Api, root: httpx.AsyncClient) -> None:
    await root.post("/api/exits", json={"lines": LINES})
    await until(root, "/api/exits", lambda found: all(each["address"] for each in found))
    text = (await root.get("/metrics")).text
    assert 'transom_exits{state="healthy"} 2.0' in text
    assert "transom_exits_free 2.0" in text
    assert 'transom_alerts_total{kind="exit_down"} 0.0' in text
