"""Pages name their files by a version that changes with them, and what a browser keeps is never another version."""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path
from typing import cast

import httpx
import pytest
from fastapi import FastAPI
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

from transom.api import assets
from transom.api.assets import FOREVER, NOVNC, Assets, Kept, Page
from transom.api.guard import SecurityHeaders
from transom.api.pages import html, mount, router

PAGE = """<html>
  <head>
    <link rel="stylesheet" href="/static/css/a.css">
    <script type="module" src="/static/js/a.js"></script>
    <link rel="icon" href="/static/novnc/core/b.js">
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
    page = made.page("session.html")
    assert page is not None
    text = page.text
    assert f'"/static/v/{made.version()}/css/a.css"' in text
    assert f'"/static/v/{made.version()}/pack-a/a.js"' in text
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
    assert made.page("session.html") == Page("new", ())


def test_a_plain_script_stands_in_its_page_and_the_page_s_policy_names_it(web: Path) -> None:
    (web / "session.html").write_text('<head><script src="/static/js/a.js"></script></head>')
    app = FastAPI()
    app.state.assets = mount(app, web)
    page = app.state.assets.page("session.html")
    assert page.text == "<head><script>one</script></head>"
    digest = base64.b64encode(hashlib.sha256(b"one").digest()).decode()
    policy = html(page).headers["Content-Security-Policy"]
    assert f"script-src 'self' 'sha256-{digest}';" in policy
    assert "script-src 'self';" in html(Page("", ())).headers["Content-Security-Policy"]


def test_the_page_before_fetches_what_the_next_one_loads(web: Path) -> None:
    made = Assets(web)
    page = made.page_before("dashboard.html", "session.html")
    assert page is not None
    text = page.text
    assert f'<link rel="prefetch" href="/static/v/{made.version()}/pack-a/a.js">' in text
    assert f'<link rel="prefetch" href="/static/v/{made.version()}/css/a.css">' in text
    assert made.page_before("dashboard.html", "none.html") == made.page("dashboard.html")
    assert made.page_before("none.html", "session.html") is None


def test_the_page_before_has_the_next_one_within_it(web: Path) -> None:
    (web / "static/css/b.css").write_text("b {}")
    text = PAGE.replace(
        "<head>", '<head>\n<title>Next</title><link rel="stylesheet" href="/static/css/b.css">'
    )
    (web / "session.html").write_text(text.replace("<body>", '<body class="next"><p id="it">'))
    (web / "dashboard.html").write_text(PAGE.replace("is a word", "is the first"))
    made = Assets(web)
    page = made.page_before("dashboard.html", "session.html")
    assert page is not None
    at = f"/static/v/{made.version()}"
    assert page.text.count(f'{at}/css/a.css" media') == 0
    assert f'<link rel="stylesheet" href="{at}/css/b.css" media="not all">' in page.text
    assert f'<link rel="modulepreload" href="{at}/pack-a/a.js">' in page.text
    assert (
        f'<template data-title="Next" data-class="next" data-script="{at}/pack-a/a.js"'
        f' data-styles="{at}/css/b.css {at}/css/a.css"><p id="it">"/static is a word"</template>\n  </head>'
    ) in page.text
    (web / "static/js/a.js").write_text('import "./none.js";')
    page = made.page_before("dashboard.html", "session.html")
    assert page is not None
    assert "<template" not in page.text
    assert f'<link rel="prefetch" href="/static/v/{made.version()}/js/a.js">' in page.text


def test_a_page_whose_modules_cannot_be_one_file_has_them_as_they_are(web: Path) -> None:
    (web / "static/js/a.js").write_text('import "./none.js";')
    made = Assets(web)
    page = made.page("session.html")
    assert page is not None
    assert f'"/static/v/{made.version()}/js/a.js"' in page.text
    assert made.script("a", "a.js") is None


async def test_a_pack_is_kept_for_ever_and_what_is_loaded_later_finds_its_modules(web: Path) -> None:
    for name, text in (
        ("session.js", 'import { b } from "./b.js";\nconst c = import("./c.js");'),
        ("b.js", "export const b = 1;"),
        ("c.js", 'import { b } from "./b.js";'),
    ):
        (web / "static/js" / name).write_text(text)
    app = FastAPI()
    app.include_router(router)
    made = app.state.assets = mount(app, web)
    app.add_middleware(SecurityHeaders)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        folder = f"/static/v/{made.version()}/pack-session"
        whole = await client.get(f"{folder}/session.js")
        assert whole.headers["cache-control"] == FOREVER
        assert whole.headers["content-type"].startswith("text/javascript")
        assert whole.text.index("const b = 1;") < whole.text.index("const c = import")
        assert (await client.get(f"{folder}/b.js")).text == (
            'const it = window.packed["js/b.js"] ?? (await import("../js/b.js"));\nexport const { b } = it;\n'
        )
        assert (await client.get(f"{folder}/c.js")).text == 'import { b } from "./b.js";'
        old = await client.get("/static/v/0000000000000000/pack-session/c.js")
        assert (old.status_code, old.headers["cache-control"]) == (200, "no-cache")


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


async def test_a_file_of_this_version_is_read_once_and_another_version_reads_it_anew(
    web: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = FastAPI()
    made = mount(app, web)
    app.add_middleware(SecurityHeaders)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        path = f"/static/v/{made.version()}/js/a.js"
        first = await client.get(path)
        monkeypatch.setattr(made, "version", lambda: path.split("/")[3])
        (web / "static/js/a.js").unlink()
        again = [await client.get(path) for _ in range(2)]
        assert [(each.text, each.headers) for each in again] == [("one", first.headers)] * 2
        part = await client.get(path, headers={"Range": "bytes=1-"})
        assert part.status_code == 404, "only whole files are remembered"
        (web / "static/js/a.js").write_text("three")
        monkeypatch.setattr(made, "version", lambda: "0123456789abcdef")
        assert (await client.get("/static/v/0123456789abcdef/js/a.js")).text == "three"


async def test_a_file_that_changes_while_it_is_sent_is_one_answer(web: Path) -> None:
    made = Assets(web)
    kept = Kept(StaticFiles(directory=web / "static"), FOREVER, made)
    version = made.version()
    scope = {
        "type": "http",
        "asgi": {"spec_version": "2.4"},
        "method": "GET",
        "path": "/js/a.js",
        "root_path": "",
        "headers": [],
        "path_params": {"version": version},
    }
    said: list[Message] = []

    async def send(message: Message) -> None:
        said.append(message)
        if changes and message["type"] == "http.response.start":
            (web / "static/js/a.js").write_text("two and more")
            another = {"path": "/css/a.css", "path_params": {"version": made.version()}}
            await kept({**scope, **another}, cast("Receive", None), ignore)

    async def ignore(message: Message) -> None:
        pass

    changes = False
    await kept(dict(scope), cast("Receive", None), send)
    said, changes = [], True
    await kept(dict(scope), cast("Receive", None), send)
    assert [message["type"] for message in said] == ["http.response.start", "http.response.body"]
    assert said[1]["body"] == b"one"


async def test_a_file_that_a_browser_broke_off_is_not_remembered(web: Path) -> None:
    whole = [b"on", b"e"]

    async def files(scope: Scope, receive: Receive, send: Send) -> None:
        """As one that looks for a disconnect does: it ends without an error."""
        headers = [(b"content-length", b"3")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for number, body in enumerate(bodies):
            await send({"type": "http.response.body", "body": body, "more_body": number + 1 < len(bodies)})

    made = Assets(web)
    kept = Kept(cast("StaticFiles", files), FOREVER, made)
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/a",
        "headers": [],
        "path_params": {"version": made.version()},
    }

    async def get() -> bytes:
        said: list[Message] = []

        async def send(message: Message) -> None:
            said.append(message)

        await kept(scope, cast("Receive", None), send)
        return b"".join(each.get("body", b"") for each in said)

    bodies = whole[:1]
    assert await get() == b"on"
    bodies = whole
    assert await get() == b"one"
    bodies = []
    assert await get() == b"one"
