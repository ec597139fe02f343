"""Every route and WebSocket, asked by everybody who might. A route that is not in the table fails the test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from starlette.routing import Mount, WebSocketRoute

from tests.support.api import Api, close_of, serving
from tests.support.sdps import offer
from transom.model.user import Role, User

NOBODY, OTHER, OWNER, ADMIN = "nobody", "other", "owner", "admin"
GUEST, SIBLING, STRANGER = "guest", "sibling", "stranger"
"""By a link into this session, by another link into it, by a link into another session."""
"""Who came by a link into this session, and by a link into another."""
DENIED = {401}


@dataclass(frozen=True)
class Row:
    """What a route answers to each. `owner` made the session; `other` is a user as well."""

    method: str
    path: str
    nobody: set[int]
    other: set[int]
    owner: set[int]
    admin: set[int]
    body: Any = None
    query: str = ""
    guest: set[int] | None = None
    """None: as nobody. A link signs nobody in."""
    sibling: set[int] | None = None
    stranger: set[int] | None = None

    def allows(self, who: str) -> set[int]:
        found: set[int] | None = getattr(self, who)
        return self.nobody if found is None else found


def open_to_all(method: str, path: str, status: int, body: Any = None) -> Row:
    return Row(method, path, {status}, {status}, {status}, {status}, body)


def signed_in(method: str, path: str, status: int, body: Any = None) -> Row:
    """The same for each user: it is about themselves."""
    return Row(method, path, DENIED, {status}, {status}, {status}, body)


def of_owner(method: str, path: str, status: int, body: Any = None, query: str = "") -> Row:
    """For the owner alone; to an administrator as to a stranger there is no such session."""
    return Row(method, path, DENIED, {404}, {status}, {404}, body, query)


def of_guest(method: str, path: str, status: int, body: Any = None, query: str = "") -> Row:
    """For who came by this very link into this very session."""
    return Row(method, path, *[DENIED] * 4, body, query, guest={status}, sibling={404}, stranger={404})


def of_admin(method: str, path: str, status: int, body: Any = None) -> Row:
    return Row(method, path, DENIED, {403}, {403}, {status}, body)


PEER = {"peer": "p", "epoch": 1}
OFFER = {**PEER, "sdp": offer()}
ASK = "?peer=p&epoch=1"
S = "/api/sessions/{session}"
W = "/api/webrtc/session/{session}"
G = "/api/watch/{session}/{link}"
HERE = {"do": "here", "peer": "p"}
WRONG = {"token": "w" * 43}
TABLE = [
    Row("GET", "/", {200}, {303}, {303}, {303}),
    Row("GET", "/dashboard/remote-cli", {303}, {200}, {200}, {200}),
    Row("GET", "/session/{session}", {303}, {200}, {200}, {200}),
    open_to_all("GET", "/watch", 200),
    open_to_all("GET", "/watch/{session}/{link}", 200),
    open_to_all("GET", "/watch/{session}/{link}/connect", 200),
    open_to_all("POST", "/api/watch", 404, WRONG),
    Row("GET", "/session/{session}/connect", {303}, {200}, {200}, {200}),
    open_to_all("GET", "/static/v/{version}/pack-{entry}/{name}", 200),
    open_to_all("GET", "/healthz", 200),
    open_to_all("GET", "/metrics", 200),
    Row("POST", "/api/auth/sign-in", {401}, {401}, {401}, {401}, {"key": "wrong-key-wrong-key-wrong"}),
    signed_in("GET", "/api/me", 200),
    signed_in("GET", "/api/tokens", 200),
    signed_in("POST", "/api/tokens", 201, {"label": "mine"}),
    signed_in("DELETE", "/api/tokens/{token}", 404),
    of_admin("GET", "/api/users", 200),
    of_admin("POST", "/api/users", 201, {"name": "new"}),
    of_admin("POST", "/api/users/{user}/key", 201),
    signed_in("GET", "/api/providers", 200),
    signed_in("GET", "/api/sessions", 200),
    Row("POST", "/api/sessions", DENIED, {202}, {202}, {202}, {}),
    Row("GET", S, DENIED, {404}, {200}, {200}),
    Row("GET", S + "/quality", DENIED, {404}, {200}, {200}),
    of_owner("POST", S + "/screen", 202, {"width": 800, "height": 600}),
    of_owner("GET", S + "/files", 503),
    of_owner("PUT", S + "/files/{name}", 503),
    of_owner("GET", S + "/files/{name}", 503),
    of_owner("DELETE", S + "/files/{name}", 503),
    signed_in("GET", "/api/recordings", 200),
    Row("GET", "/session/{session}/recording", {303}, {200}, {200}, {200}),
    Row("GET", S + "/recording", DENIED, {404}, {200}, {200}),
    of_owner("POST", S + "/recording", 403, {"on": True}),
    of_owner("GET", S + "/recording/segments/{number}", 404),
    of_owner("GET", S + "/recording/timeline", 404),
    of_owner("GET", S + "/recording/archive", 404),
    Row("DELETE", S + "/recording", DENIED, {404}, {204}, {204}),
    of_owner("POST", S + "/signin", 202, {"provider": "demo"}),
    of_owner("DELETE", S + "/signin", 202),
    signed_in("GET", "/api/webrtc/ice-servers", 200),
    of_owner("GET", W + "/offer", 204),
    of_owner("POST", W + "/offer", 202, OFFER),
    of_owner("GET", W + "/answer", 204, query=ASK),
    of_owner("GET", W + "/candidate", 200, query=ASK),
    of_owner("DELETE", W + "/peers/{peer}/{epoch}", 204),
    of_owner("POST", W + "/candidate", 202, {**PEER, "candidate": "candidate:1"}),
    of_owner("POST", W + "/answer", 202, OFFER),
    of_owner("GET", S + "/seats", 200),
    of_owner("POST", S + "/seats", 200, HERE),
    of_owner("GET", S + "/links", 200),
    of_owner("POST", S + "/links", 201, {"kind": "ask"}),
    of_owner("DELETE", S + "/links/{link}", 404),
    of_guest("GET", G, 200),
    of_guest("GET", G + "/ice-servers", 200),
    of_guest("GET", G + "/recording", 200),
    of_guest("GET", G + "/seats", 200),
    of_guest("POST", G + "/seats", 200, HERE),
    of_guest("POST", G + "/offer", 202, OFFER),
    of_guest("GET", G + "/answer", 404, query=ASK),
    of_guest("POST", G + "/heartbeat", 200, {"peer": "p"}),
    of_owner("GET", "/api/auth/session/{session}", 200),
    of_owner("POST", "/api/auth/session/{session}/heartbeat", 200, {}),
    signed_in("GET", "/api/credentials", 200),
    signed_in("POST", "/api/credentials/{provider}/pull", 404),
    signed_in("DELETE", "/api/credentials/{provider}", 404),
    signed_in("GET", "/api/audit", 200),
    signed_in("GET", "/api/exit", 200),
    signed_in("GET", "/api/exit/usage", 200),
    signed_in("POST", "/api/exit/check", 200),
    signed_in("POST", "/api/exit/move", 409),
    signed_in("POST", "/api/exit/seen", 204),
    of_admin("GET", "/api/exits", 200),
    of_admin("POST", "/api/exits", 201, {"lines": "http://u:p@127.0.0.1:1"}),
    of_admin("POST", "/api/exits/check", 200),
    of_admin("GET", "/api/exits/leases", 200),
    of_admin("POST", "/api/exits/leases/{user}/move", 409, {}),
    of_admin("GET", "/api/exits/usage", 200),
    of_admin("GET", "/api/exits/lists", 200),
    of_admin("POST", "/api/exits/lists/{kind}/{subject}", 200, {"allow": ["example.org"]}),
    of_admin("DELETE", "/api/exits/lists/{kind}/{subject}", 404),
    of_admin("POST", "/api/exits/{exit}/check", 404),
    of_admin("POST", "/api/exits/{exit}/drain", 404),
    of_admin("POST", "/api/exits/{exit}/resume", 404),
    of_admin("DELETE", "/api/exits/{exit}", 404),
    of_admin("GET", "/api/alerts", 200),
    of_admin("POST", "/api/alerts/{number}/acknowledge", 404),
    Row("DELETE", S, DENIED, {404}, {202}, {202}),
    of_admin("GET", "/api/machines", 200),
    of_admin("GET", "/api/machines/{machine}/log", 404),
    of_admin("DELETE", "/api/users/{user}", 204),
    Row("POST", "/api/auth/sign-out", DENIED, {204}, {204}, {204}),
]
MACHINE_NAMES = {"machine": "mch_" + "a" * 20, "name": "a.txt"}
EXIT_NAMES = {
    **MACHINE_NAMES,
    "link": "lnk_" + "a" * 20,
    "exit": "ext_" + "a" * 20,
    "kind": "provider",
    "subject": "demo",
    "number": "7",
    "peer": "p",
    "epoch": "1",
    "version": "0",
    "entry": "watch",
    "name": "watch.js",
}
SOCKETS = [S + "/events", S + "/vnc", S + "/channel", S + "/echo"]
GUEST_SOCKETS = [G + "/events", G + "/vnc", G + "/channel"]
MOUNTS = {"/static", "/static/novnc", "/static/v/{version}"}
NOT_OURS = {("GET", "/openapi.json"), ("HEAD", "/openapi.json")}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path, sessions_per_user=50, sessions_max=200) as made:
        yield made


@dataclass
class People:
    owner: User
    other: User
    admin: User


@pytest.fixture
async def people(api: Api) -> People:
    return People(
        await api.user("owner"), await api.user("other"), await api.user("root", Role.ADMINISTRATOR)
    )


def routes_of(routes: Any) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for route in routes:
        if isinstance(route, APIRoute):
            found |= {(method, route.path) for method in route.methods or ()}
        elif isinstance(route, WebSocketRoute) or type(route).__name__ == "APIWebSocketRoute":
            found.add(("WS", route.path))
        elif isinstance(route, Mount):
            assert route.path in MOUNTS, f"{route.path} is not in the table"
        elif hasattr(route, "methods"):
            found |= {(method, route.path) for method in route.methods or ()}
        elif nested := getattr(route, "original_router", None):
            found |= routes_of(nested.routes)
        else:
            raise AssertionError(f"a kind of route this test does not know: {type(route)}")
    return found


def test_the_table_is_whole(tmp_path: Path) -> None:
    routes = {(m, p) for m, p in routes_of(Api(tmp_path).app.routes) if m not in ("HEAD", "OPTIONS")}
    table = {(row.method, row.path) for row in TABLE} | {("WS", path) for path in SOCKETS + GUEST_SOCKETS}
    assert len(routes) > 30
    assert routes - NOT_OURS == table


async def ask(client: httpx.AsyncClient, row: Row, names: dict[str, str], **headers: str) -> httpx.Response:
    path = row.path.format(**names) + row.query
    return await client.request(row.method, path, json=row.body, headers=headers)


async def by_link(api: Api, owner: httpx.AsyncClient, session: str, kind: str = "ask") -> tuple[str, str]:
    """A link, and the Cookie header of a guest by it, which no browser would send where this test sends it."""
    made = await owner.post(S.format(session=session) + "/links", json={"kind": kind})
    async with httpx.AsyncClient(base_url=api.url, headers={"Origin": api.url}) as guest:
        token = made.json()["url"].partition("#")[2]
        answer = await guest.post("/api/watch", json={"token": token})
    assert answer.status_code == 200, answer.text
    return made.json()["id"], answer.headers["set-cookie"].partition(";")[0]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.method} {row.path}")
async def test_who_may_what(api: Api, people: People, row: Row) -> None:
    owner = await api.client(people.owner)
    session, another = await api.ready_session(owner), await api.ready_session(owner)
    if row.query:
        await owner.post(W.format(session=session) + "/offer", json=OFFER)
    if row.path.endswith("/answer") and row.method == "POST":
        await owner.post(W.format(session=session) + "/offer", json=OFFER)
    spare = await api.user("spare")
    link, cookie = await by_link(api, owner, session)
    names = {
        "session": session,
        "user": spare.id,
        "token": "tok_" + "a" * 20,
        "provider": "demo",
        **EXIT_NAMES,
    }
    if row.path.startswith(G):
        names["link"] = link
    clients = {
        NOBODY: await api.client(),
        OTHER: await api.client(people.other),
        GUEST: await api.client(Cookie=cookie, Origin=api.url),
        SIBLING: await api.client(Cookie=(await by_link(api, owner, session))[1], Origin=api.url),
        STRANGER: await api.client(Cookie=(await by_link(api, owner, another))[1], Origin=api.url),
        ADMIN: await api.client(people.admin),
        OWNER: owner,
    }
    for who, client in clients.items():
        answer = await ask(client, row, names)
        assert answer.status_code in row.allows(who), f"{who}: {answer.status_code} {answer.text}"
        if answer.status_code >= 400:
            assert set(answer.json()) == {"error"}
        await client.aclose()


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.method} {row.path}")
async def test_another_sites_page_can_make_nobody_do_anything(api: Api, people: People, row: Row) -> None:
    client = await api.signed_in(people.owner)
    session = await api.ready_session(client)
    names = {"session": session, "user": people.other.id, "token": "tok_x", "provider": "demo", **EXIT_NAMES}
    for origin in ("http://evil.example", "null", api.url.replace("127.0.0.1", "localhost"), api.url + "0"):
        answer = await ask(client, row, names, Origin=origin)
        if row.method == "GET":
            assert "access-control-allow-origin" not in answer.headers
        else:
            assert answer.status_code == 403, answer.text
            assert answer.json()["error"]["code"] == "foreign_origin"
    if row.method != "GET":
        del client.headers["Origin"]
        assert (await ask(client, row, names)).status_code == 403
    assert (await api.sessions.ledger.get(session)).wanted_end is None
    await client.aclose()


@pytest.mark.parametrize("path", SOCKETS)
async def test_who_may_open_a_socket(api: Api, people: People, path: str) -> None:
    owner = await api.client(people.owner)
    session = await api.ready_session(owner)
    place = path.format(session=session)
    bearer = {
        who: f"Bearer {await api.token(user)}"
        for who, user in ((OTHER, people.other), (ADMIN, people.admin), (OWNER, people.owner))
    }
    async with api.socket(place) as socket:
        assert (await close_of(socket))[0] == 4401
    async with api.socket(place, Authorization="Bearer wrong", Origin=api.url) as socket:
        assert (await close_of(socket))[0] == 4401
    for who in (OTHER, ADMIN):
        async with api.socket(place, Authorization=bearer[who]) as socket:
            assert await close_of(socket) == (4404, "no such session")
    async with api.socket(place, Authorization=bearer[OWNER], Origin="http://evil.example") as socket:
        assert (await close_of(socket))[0] == 4401
    async with api.socket(place, Authorization=bearer[OWNER]) as socket:
        if path.endswith("events"):
            assert "session" in str(await socket.recv())
        elif path.endswith("echo"):
            await socket.send("as it is")
            assert await socket.recv() == "as it is"
            await socket.send("x" * 1025)
            assert (await close_of(socket))[0] == 4413
        else:
            assert (await close_of(socket))[0] == 4503
    await owner.aclose()


@pytest.mark.parametrize("path", SOCKETS + GUEST_SOCKETS)
async def test_a_link_opens_the_sockets_of_its_own_session_from_our_own_pages_only(
    api: Api, people: People, path: str
) -> None:
    owner = await api.client(people.owner)
    session, another = await api.ready_session(owner), await api.ready_session(owner)
    link, mine = await by_link(api, owner, session, "view")
    others = [(await by_link(api, owner, each, "view"))[1] for each in (session, another)]
    place, guests = path.format(session=session, link=link), path in GUEST_SOCKETS
    for headers, code in (
        ({}, 4401),
        ({"Cookie": mine, "Origin": "http://evil.example"}, 4401),
        ({"Cookie": mine}, 4401),
        ({"Authorization": f"Bearer {await api.token(people.owner)}"}, 4401 if guests else 0),
        *(({"Cookie": other, "Origin": api.url}, 4404 if guests else 4401) for other in others),
        ({"Cookie": mine, "Origin": api.url}, 0 if guests else 4401),
    ):
        async with api.socket(place, **headers) as socket:
            if code:
                assert (await close_of(socket))[0] == code
            elif path.endswith("events"):
                assert "session" in str(await socket.recv())
            elif path.endswith("echo"):
                await socket.send("as it is")
                assert await socket.recv() == "as it is"
            else:
                assert (await close_of(socket))[0] == 4503
    await owner.aclose()


@pytest.mark.parametrize("path", SOCKETS)
async def test_a_cookie_opens_a_socket_from_our_own_pages_only(api: Api, people: People, path: str) -> None:
    client = await api.signed_in(people.owner)
    place = path.format(session=await api.ready_session(client))
    cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    opened = {4503} if path.endswith(("vnc", "channel")) else set()
    for origin in ("http://evil.example", "null", api.url + ".evil.example"):
        async with api.socket(place, Cookie=cookie, Origin=origin) as socket:
            assert (await close_of(socket))[0] == 4401
    async with api.socket(place, Cookie=cookie) as socket:
        assert (await close_of(socket))[0] == 4401
    async with api.socket(place, Cookie=cookie, Origin=api.url) as socket:
        if path.endswith("echo"):
            await socket.send("as it is")
            assert await socket.recv() == "as it is"
        elif opened:
            assert (await close_of(socket))[0] in opened
        else:
            assert "session" in str(await socket.recv())
    await client.aclose()


async def test_no_header_lets_other_sites_read(api: Api, people: People) -> None:
    client = await api.client(people.owner)
    preflight = await client.options(
        "/api/sessions", headers={"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    )
    assert preflight.status_code == 405
    assert not [name for name in preflight.headers if name.startswith("access-control")]
    page = await client.get("/dashboard/remote-cli")
    policy = page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert (await client.get("/api/me")).headers["cache-control"] == "no-store"
    await client.aclose()


async def test_metrics_are_for_this_host_and_not_for_whom_it_proxies(api: Api, people: People) -> None:
    nobody = await api.client()
    for header in ("X-Forwarded-For", "Forwarded", "X-Real-IP"):
        assert (await nobody.get("/metrics", headers={header: "203.0.113.5"})).status_code == 403
    admin = await api.client(people.admin)
    forwarded = await admin.get("/metrics", headers={"X-Forwarded-For": "203.0.113.5"})
    assert forwarded.status_code == 200
    for client in (nobody, admin):
        await client.aclose()


async def test_metrics_are_not_for_a_name_that_was_made_to_point_here(api: Api, people: People) -> None:
    nobody, admin = await api.client(), await api.client(people.admin)
    for host in ("attacker.example:4000", "127.0.0.1.attacker.example", "localhost.attacker.example"):
        assert (await nobody.get("/metrics", headers={"Host": host})).status_code == 403
        assert (await admin.get("/metrics", headers={"Host": host})).status_code == 200
    for host in ("localhost:4000", "127.0.0.1:4000", "[::1]:4000"):
        assert (await nobody.get("/metrics", headers={"Host": host})).status_code == 200
    for client in (nobody, admin):
        await client.aclose()


async def test_an_administrator_has_nobody_elses_credentials(api: Api, people: People) -> None:
    admin = await api.client(people.admin)
    assert (await admin.get("/api/credentials")).json() == []
    assert (await admin.post("/api/credentials/demo/pull")).status_code == 404
    assert (await admin.get("/api/sessions")).json() == []
    await admin.aclose()


async def test_signing_out_ends_the_cookie(api: Api, people: People) -> None:
    client = await api.signed_in(people.owner)
    cookies = dict(client.cookies)
    assert (await client.get("/api/me")).status_code == 200
    assert (await client.post("/api/auth/sign-out")).status_code == 204
    again = httpx.AsyncClient(base_url=api.url, cookies=cookies)
    assert (await again.get("/api/me")).status_code == 401
    for each in (client, again):
        await each.aclose()


async def test_a_key_signs_in_once_and_guessing_is_slow(api: Api, people: People) -> None:
    client = await api.client(Origin=api.url)
    key = await api.auth.issue_key(people.owner.id)
    first = await client.post("/api/auth/sign-in", json={"key": key})
    assert first.json()["user"]["name"] == "owner"
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite" in cookie
    codes = [(await client.post("/api/auth/sign-in", json={"key": key})).status_code for _ in range(12)]
    assert codes[0] == 401
    assert codes[-1] == 429
    await client.aclose()
