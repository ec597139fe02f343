"""The demo tool: what it saves, and which callbacks it does not believe."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.support.issuer import demo_issuer
from tests.unit.transom_guest.demo.test_issuer import hidden_request
from transom_guest.demo import cli
from transom_guest.demo.cli import LoginError, login, save
from transom_guest.demo.grants import sign_jwt

TOKENS: dict[str, Any] = {
    "id_token": sign_jwt({"sub": "Ada"}, b"k"),
    "access_token": "a",
    "refresh_token": "r",
    "expires_in": 60,
}
NAME = ".config/transom-demo/credentials.json"


@pytest.fixture
def issuer() -> Iterator[str]:
    with demo_issuer() as url:
        yield url


def with_browser(monkeypatch: pytest.MonkeyPatch, browse: Any) -> list[threading.Thread]:
    """BROWSER is a thread that runs `browse(url)`."""
    threads: list[threading.Thread] = []

    def open_browser(url: str) -> None:
        threads.append(threading.Thread(target=browse, args=(url,)))
        threads[-1].start()

    monkeypatch.setattr(cli, "open_browser", open_browser)
    return threads


def allow(url: str) -> str:
    """Press Allow; returns where the issuer sends the browser."""
    page = httpx.get(url, trust_env=False)
    form = {"request": hidden_request(page.text), "name": "Ada"}
    answer = httpx.post(url.partition("?")[0], data=form, trust_env=False)
    return answer.headers["location"]


def test_login_saves_whole_and_private(
    issuer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_browser(monkeypatch, lambda url: httpx.get(allow(url), trust_env=False))
    assert login(issuer, tmp_path) == "Ada"
    saved = json.loads((tmp_path / NAME).read_text())
    assert set(saved) == {"account", "access_token", "refresh_token", "expires_at"}
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / NAME).parent.iterdir()] == ["credentials.json"]
    printed = capsys.readouterr().out
    assert f"{issuer}/authorize?" in printed
    assert saved["access_token"] not in printed


def test_a_forged_callback_is_not_believed(
    issuer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[int] = []

    def browse(url: str) -> None:
        back = parse_qs(urlsplit(url).query)["redirect_uri"][0]
        for query in ("", "?code=evil", "?code=evil&state=guess", "?state=%ff"):
            refused.append(httpx.get(back + query, trust_env=False).status_code)
        refused.append(httpx.get(back.replace("/callback", "/other"), trust_env=False).status_code)
        httpx.get(allow(url), trust_env=False)

    with_browser(monkeypatch, browse)
    assert login(issuer, tmp_path) == "Ada"
    assert refused == [400] * 5


def test_a_refusal_by_the_user_ends_it(issuer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def browse(url: str) -> None:
        query = parse_qs(urlsplit(url).query)
        back = f"{query['redirect_uri'][0]}?error=access_denied&state={query['state'][0]}"
        httpx.get(back, trust_env=False)

    with_browser(monkeypatch, browse)
    with pytest.raises(LoginError, match="refused"):
        login(issuer, tmp_path)
    assert not (tmp_path / NAME).exists()


def test_a_code_that_was_used_gives_no_token(
    issuer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def browse(url: str) -> None:
        query = parse_qs(urlsplit(url).query)
        httpx.get(f"{query['redirect_uri'][0]}?code=never&state={query['state'][0]}", trust_env=False)

    with_browser(monkeypatch, browse)
    with pytest.raises(LoginError, match="token"):
        login(issuer, tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"id_token": "x"},
        {"id_token": "a.!.c"},
        {"id_token": None},
        {"expires_in": "soon"},
        {"access_token": ...},
    ],
)
def test_a_strange_answer_is_refused_without_quoting_it(tmp_path: Path, changes: dict[str, Any]) -> None:
    tokens = {key: value for key, value in (TOKENS | changes).items() if value is not ...}
    with pytest.raises(LoginError, match="not what was expected"):
        save(tmp_path, tokens, now=0)
    assert not (tmp_path / NAME).exists()


def test_a_second_login_replaces_the_first(tmp_path: Path) -> None:
    save(tmp_path, TOKENS, now=0)
    save(tmp_path, TOKENS | {"access_token": "b"}, now=10)
    saved = json.loads((tmp_path / NAME).read_text())
    assert (saved["access_token"], saved["expires_at"]) == ("b", 70)
