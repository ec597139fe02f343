"""The issuer over real HTTP."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.issuer import demo_issuer
from tests.unit.transom_guest.demo.test_grants import QUERY, VERIFIER
from transom_guest.demo.issuer import MAX_BODY, parse_fields


@pytest.fixture
def issuer() -> Iterator[httpx.Client]:
    with demo_issuer() as url, httpx.Client(base_url=url, trust_env=False) as client:
        yield client


def hidden_request(page: str) -> str:
    return page.partition('name="request" value="')[2].partition('"')[0]


def test_the_whole_way_with_a_browser(issuer: httpx.Client) -> None:
    page = issuer.get("/authorize", params=QUERY)
    assert page.status_code == 200
    back = issuer.post("/authorize", data={"request": hidden_request(page.text), "name": "Ada"})
    assert back.status_code == 303
    where = urlsplit(back.headers["location"])
    assert (where.netloc, where.path) == ("127.0.0.1:5555", "/callback")
    query = parse_qs(where.query)
    assert query["state"] == [QUERY["state"]]
    form = {
        "grant_type": "authorization_code",
        "client_id": "tool",
        "redirect_uri": QUERY["redirect_uri"],
        "code": query["code"][0],
        "code_verifier": VERIFIER,
    }
    tokens = issuer.post("/oauth/token", data=form).json()
    assert tokens["token_type"] == "Bearer"
    assert issuer.post("/oauth/token", data=form).json()["error"] == "invalid_grant"


def test_the_device_way_as_codex_goes_it(issuer: httpx.Client) -> None:
    device = issuer.post("/api/accounts/deviceauth/usercode", json={"client_id": "test"}).json()
    assert device["interval"] == "1"
    poll = {"device_auth_id": device["device_auth_id"], "user_code": device["user_code"]}
    assert issuer.post("/api/accounts/deviceauth/token", json=poll).status_code == 403
    assert 'name="code"' in issuer.get("/codex/device").text
    assert issuer.post("/codex/device", data={"code": "WRNG-CODE"}).status_code == 400
    assert issuer.post("/codex/device", data={"code": device["user_code"]}).status_code == 200
    found = issuer.post("/api/accounts/deviceauth/token", json=poll).json()
    assert set(found) == {"authorization_code", "code_challenge", "code_verifier"}


def test_pages_hold_nothing_from_outside_and_escape_what_they_show(issuer: httpx.Client) -> None:
    page = issuer.get("/authorize", params=QUERY | {"client_id": "<script>alert(1)</script>"})
    assert "<script" not in page.text
    assert "&lt;script&gt;" in page.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert page.headers["cache-control"] == "no-store"
    assert "src=" not in page.text
    assert "https:" not in page.text


def test_a_bad_request_never_redirects(issuer: httpx.Client) -> None:
    answer = issuer.get("/authorize", params=QUERY | {"redirect_uri": "http://evil.example/"})
    assert answer.status_code == 400
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example"}, {"Host": "127.0.0.1"}, {"Origin": "http://evil.example"}, {"Origin": "null"}],
)
def test_another_site_is_refused(issuer: httpx.Client, headers: dict[str, str]) -> None:
    assert issuer.post("/codex/device", data={"code": "X"}, headers=headers).status_code == 403


def test_unknown_routes_and_methods(issuer: httpx.Client) -> None:
    assert issuer.get("/nothing").status_code == 404
    assert issuer.get("/oauth/token").status_code == 405
    assert issuer.request("PUT", "/").status_code == 501


def test_large_and_lengthless_bodies_are_refused(issuer: httpx.Client) -> None:
    assert issuer.post("/oauth/token", content=b"x" * (MAX_BODY + 1)).status_code == 413
    host = issuer.base_url.host, issuer.base_url.port or 0
    with socket.create_connection(host, timeout=10) as raw:
        raw.sendall(b"POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n")
        assert b" 413 " in raw.recv(1000)


@given(st.sampled_from(["application/json", "application/x-www-form-urlencoded", "text/plain"]), st.binary())
def test_any_body_gives_text_fields(kind: str, body: bytes) -> None:
    assert all(isinstance(value, str) for value in parse_fields(kind, body).values())


def test_only_text_fields_are_taken() -> None:
    assert parse_fields("application/json", b'{"a": "1", "b": 2, "c": null}') == {"a": "1"}
