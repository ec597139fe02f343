"""Each tool's row (port, path, file, mode) walked offline: its table, the real agent, the contract tool."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.contract_cli import ROWS
from tests.support.issuer import demo_issuer
from tests.support.signin_lab import SigninLab, click_allow
from transom.signin.catalog import read_provider
from transom_wire.link import SigninSpec

ROOT = Path(__file__).resolve().parents[2]
TABLES = (ROOT / "providers", ROOT / "tests/support/contract_providers")
CALLBACKS = {
    "codex": r"http://localhost:(1455|1457)/auth/callback",
    "claude": r"http://localhost:[0-9]+/callback",
    "gemini": r"http://127\.0\.0\.1:[0-9]+/oauth2callback",
    "aws": r"http://127\.0\.0\.1:[0-9]+/oauth/callback",
}


@pytest.fixture
def issuer() -> Iterator[str]:
    with demo_issuer() as url:
        yield url


def spec_of(row: str, issuer: str) -> SigninSpec:
    """The tool's own table; only the program and the issuer's address are the test's."""
    (table,) = [folder / f"{row}.toml" for folder in TABLES if (folder / f"{row}.toml").is_file()]
    argv = (sys.executable, str(ROOT / "tests/support/contract_cli.py"), row, issuer)
    return replace(read_provider(table).spec, argv=argv, url_pattern=re.escape(issuer) + r"/\S+")


@pytest.mark.parametrize("row", ROWS)
async def test_row(row: str, issuer: str) -> None:
    async def browse(url: str) -> None:
        await click_allow(url, code="" if ROWS[row].callback else await lab.user_code())

    lab = SigninLab(browse=browse)
    async with lab:
        lab.start(spec_of(row, issuer))
        await lab.until("done")
        (message,) = lab.sealed
        path = ROWS[row].path
        assert message.names == (path,)
        files = lab.opened(message)
        assert files[path] == (lab.home / path).read_bytes()
        assert (lab.home / path).stat().st_mode & 0o777 == 0o600
        (url,) = lab.urls
        if row in CALLBACKS:
            (redirect,) = parse_qs(urlsplit(url).query)["redirect_uri"]
            assert re.fullmatch(CALLBACKS[row], redirect)
            assert message.expires_at is not None
        else:
            assert any(state.user_code and state.url == url for state in lab.states)


def test_every_provider_that_ships_has_a_row() -> None:
    shipped = {path.stem for path in (ROOT / "providers").glob("*.toml")}
    assert shipped - {"demo"} <= ROWS.keys()
