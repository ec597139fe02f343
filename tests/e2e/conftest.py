"""One server and one viewer's browser for a file of end-to-end tests; sessions are each test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.browser import Browser, BrowserContext, chromium, signed_in
from tests.support.server import Server, running_server

TEST_PROVIDERS = Path(__file__).resolve().parents[1] / "support" / "providers"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server({"TRANSOM_PROVIDERS_DIRS": f'["{TEST_PROVIDERS}"]'}) as started:
        yield started
        assert "Traceback" not in started.log(), started.log()[-6000:]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def viewer(browser: Browser, server: Server) -> Iterator[BrowserContext]:
    with signed_in(browser, server) as context:
        yield context


@pytest.fixture(autouse=True)
def no_session_is_left(server: Server) -> Iterator[None]:
    yield
    server.end_all()
