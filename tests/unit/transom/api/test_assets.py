"""Pages name their files by a version that changes with them, and what a browser keeps is never another version."""

from __future__ import annotations

import os
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from transom.api import assets
from transom.api.assets import FOREVER, NOVNC, Assets
from transom.api.guard import SecurityHeaders
from transom.api.pages import mount

PAGE = """<html>
  <head>
    <link rel="stylesheet" href="/static/css/a.css">
    <link rel="modulepreload" href="/static/js/a.js">
    <link rel="modulepreload" href="/static/novnc/core/b.js">
  </head>
  <body>"/static is a word"</body>
</html>
"""


@pytest.fixture
def web(tmp_path: Path) -> Path:
    for name, text in (
        ("static/js/a.js", "one"),
        ("static/css/a.css", "p {}"),
        ("node_modules/@novnc/novnc/core/b.js", "novnc"),
        ("session.html", PAGE),
        ("dashboard.html", '<html>\n  <head>\n  </head>\n<script src="/static/js/a.js"></script></html>'),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


@pytest.fixture(autouse=True)
def look_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "LOOK_S", -1.0)


def test_a_page_names_our_files_by_version_and_novncs_as_they_are(web: Path) -> None:
    made = Assets(web)
    text = made.page("session.html")
    assert text is not None
    assert f'"/static/v/{made.version()}/css/a.css"' in text
    assert f'"/static/v/{made.version()}/js/a.js"' in text
    assert '"/static/novnc/core/b.js"' in text
    assert '"/static is a word"' in text
    assert made.page("none.html") is None


def test_a_file_that_changes_changes_the_version(web: Path) -> None:
    made = Assets(web)
    before, page = made.version(), made.page("session.html")
    (web / "static/js/a.js").write_text("two and more")
    assert made.version() != before
    assert made.page("session.html") != page


def test_a_page_that_changes_is_read_again(web: Path) -> None:
    made = Assets(web)
    made.page("session.html")
    (web / "session.html").write_text("new")
    os.utime(web / "session.html", ns=(1, 1))
    assert made.page("session.html") == "new"


def test_the_page_before_fetches_what_the_next_one_loads(web: Path) -> None:
    made = Assets(web)
    text = made.page_before("dashboard.html", "session.html")
    assert text is not None
    assert f'<link rel="prefetch" href="/static/v/{made.version()}/js/a.js">' in text
    assert '<link rel="prefetch" href="/static/novnc/core/b.js">' in text
    assert f'<link rel="prefetch" href="/static/v/{made.version()}/css/a.css">' in text
    assert made.page_before("dashboard.html", "none.html") == made.page("dashboard.html")
    assert made.page_before("none.html", "session.html") is None


async def test_only_this_version_is_kept_for_ever(web: Path) -> None:
    app = FastAPI()
    made = mount(app, web)
    app.add_middleware(SecurityHeaders)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        now = await client.get(f"/static/v/{made.version()}/js/a.js")
        assert (now.text, now.headers["cache-control"]) == ("one", FOREVER)
        old = await client.get("/static/v/0000000000000000/js/a.js")
        assert (old.text, old.headers["cache-control"]) == ("one", "no-cache")
        missing = await client.get(f"/static/v/{made.version()}/js/none.js")
        assert missing.status_code == 404
        assert "immutable" not in missing.headers["cache-control"]
        plain = await client.get("/static/js/a.js")
        assert plain.headers["cache-control"] == "no-cache"
        assert (await client.get("/static/novnc/core/b.js")).headers["cache-control"] == NOVNC
        for path in (f"/static/v/{made.version()}/../../session.html", "/static/v/x/..%2f..%2fsession.html"):
            assert (await client.get(path)).status_code == 404
