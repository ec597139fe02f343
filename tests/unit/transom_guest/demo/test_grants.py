"""The issuer's rules, one refusal each."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_guest.demo.grants import (
    CODE_LIVES,
    MAX_OPEN,
    REQUEST_LIVES,
    Grants,
    OAuthError,
    Pending,
    challenge_of,
    is_loopback_redirect,
)

VERIFIER = "v" * 43
QUERY = {
    "response_type": "code",
    "client_id": "tool",
    "redirect_uri": "http://127.0.0.1:5555/callback",
    "state": "s" * 16,
    "code_challenge": challenge_of(VERIFIER),
    "code_challenge_method": "S256",
}


class World:
    """Grants with a clock that is set by hand."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0
        numbers = itertools.count()
        self.grants = Grants(
            issuer="http://127.0.0.1:8091",
            now=lambda: self.time,
            secret=lambda: f"secret-{next(numbers)}",
            key=b"k" * 32,
        )

    def code(self) -> str:
        return self.grants.allow(self.grants.ask(QUERY).id, "Ada")[1]

    def redeem(self, fresh: str, /, **changes: str) -> dict[str, object]:
        form = {
            "grant_type": "authorization_code",
            "client_id": "tool",
            "code": fresh,
            "redirect_uri": QUERY["redirect_uri"],
            "code_verifier": VERIFIER,
        }
        return self.grants.redeem(form | changes)


@pytest.fixture
def world() -> World:
    return World()


def claims(token: object) -> dict[str, object]:
    middle = str(token).split(".")[1]
    parsed = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    assert isinstance(parsed, dict)
    return parsed


def test_the_challenge_is_that_of_rfc_7636() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_a_code_becomes_tokens_once(world: World) -> None:
    code = world.code()
    tokens = world.redeem(code)
    assert claims(tokens["id_token"])["sub"] == "Ada"
    assert claims(tokens["access_token"])["exp"] == world.time + 3600
    with pytest.raises(OAuthError):
        world.redeem(code)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_verifier": "w" * 43}, "invalid_grant"),
        ({"code_verifier": "short"}, "invalid_grant"),
        ({"code_verifier": ""}, "invalid_grant"),
        ({"redirect_uri": "http://127.0.0.1:5556/callback"}, "invalid_grant"),
        ({"client_id": "other"}, "invalid_grant"),
        ({"code": "never"}, "invalid_grant"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_a_wrong_redemption_is_refused_and_the_code_is_spent(
    world: World, changes: dict[str, str], error: str
) -> None:
    with pytest.raises(OAuthError) as caught:
        world.redeem(world.code(), **changes)
    assert caught.value.error == error


def test_a_code_grows_old(world: World) -> None:
    code = world.code()
    world.time += CODE_LIVES + 1
    with pytest.raises(OAuthError):
        world.redeem(code)


def test_a_page_is_good_for_one_answer_and_not_for_ever(world: World) -> None:
    request = world.grants.ask(QUERY)
    world.grants.allow(request.id, "Ada")
    with pytest.raises(OAuthError):
        world.grants.allow(request.id, "Ada")
    request = world.grants.ask(QUERY)
    world.time += REQUEST_LIVES + 1
    with pytest.raises(OAuthError):
        world.grants.allow(request.id, "Ada")


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": "http://evil.example/callback"},
        {"client_id": ""},
        {"client_id": "x" * 101},
        {"response_type": "token"},
        {"code_challenge_method": "plain"},
        {"code_challenge": "short"},
        {"state": ""},
    ],
)
def test_a_wrong_request_shows_no_page(world: World, changes: dict[str, str]) -> None:
    with pytest.raises(OAuthError):
        world.grants.ask(QUERY | changes)


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1:1/cb", "http://localhost:65535/auth/callback", "http://[::1]:8080/"]
)
def test_loopback_on_any_port(uri: str) -> None:
    assert is_loopback_redirect(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "", "http://127.0.0.1/cb", "https://127.0.0.1:1/cb", "http://127.0.0.1:99999/", "http://127.0.0.1:x/",
        "http://127.0.0.1@evil.example:80/", "http://a@127.0.0.1:80/", "http://127.0.0.1.evil.example:80/",
        "http://127.0.0.1:80/\r\nSet-Cookie: a=b", "http://127.0.0.1:80/#x", "http://127.0.0.1:80\\@evil.example",
        "javascript:alert(1)", "http://127.0.0.1:0/",
    ],
)  # fmt: skip
def test_nothing_but_loopback(uri: str) -> None:
    assert not is_loopback_redirect(uri)


@given(st.text(max_size=60))
def test_any_text_is_judged_without_a_crash(text: str) -> None:
    assert isinstance(is_loopback_redirect(f"http://127.0.0.1{text}"), bool)


def test_refresh_tokens_rotate(world: World) -> None:
    first = world.redeem(world.code())

    def refresh(token: object, client: str = "tool") -> dict[str, object]:
        return world.grants.redeem(
            {"grant_type": "refresh_token", "refresh_token": str(token), "client_id": client}
        )

    second = refresh(first["refresh_token"])
    assert second["refresh_token"] != first["refresh_token"]
    assert claims(second["id_token"])["sub"] == "Ada"
    with pytest.raises(OAuthError):
        refresh(first["refresh_token"])
    with pytest.raises(OAuthError):
        refresh(second["refresh_token"], client="other")


def test_a_device_waits_for_its_code(world: World) -> None:
    device = world.grants.new_device("codex")
    with pytest.raises(Pending):
        world.grants.poll_device(device.id, device.user_code, VERIFIER)
    world.grants.confirm_device(f" {device.user_code.lower().replace('-', ' ')} ", "Ada")
    found = world.grants.poll_device(device.id, device.user_code, VERIFIER)
    tokens = world.redeem(
        found["authorization_code"],
        client_id="codex",
        redirect_uri="http://127.0.0.1:8091/deviceauth/callback",
        code_verifier=found["code_verifier"],
    )
    assert claims(tokens["id_token"])["https://api.openai.com/auth"]
    with pytest.raises(OAuthError):
        world.grants.poll_device(device.id, device.user_code, VERIFIER)


def test_wrong_used_and_old_device_codes_are_refused(world: World) -> None:
    device = world.grants.new_device("codex")
    refused: list[Callable[[], object]] = [
        lambda: world.grants.confirm_device("XXXX-XXXX", "Ada"),
        lambda: world.grants.confirm_device("", "Ada"),
        lambda: world.grants.poll_device("never", device.user_code, VERIFIER),
        lambda: world.grants.poll_device(device.id, "XXXX-XXXX", VERIFIER),
        lambda: world.grants.new_device(""),
    ]
    for call in refused:
        with pytest.raises(OAuthError) as caught:
            call()
        assert not isinstance(caught.value, Pending)
    world.time += REQUEST_LIVES + 1
    with pytest.raises(OAuthError):
        world.grants.confirm_device(device.user_code, "Ada")


def test_memory_is_bounded(world: World) -> None:
    first = world.grants.ask(QUERY)
    for _ in range(MAX_OPEN):
        world.grants.ask(QUERY)
    with pytest.raises(OAuthError):
        world.grants.allow(first.id, "Ada")
