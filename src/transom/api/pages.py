"""The pages, and the files they are made of."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from transom.api.access import P, principal_of
from transom.api.assets import FOREVER, NOVNC, Assets, Kept, Page
from transom.api.guard import DESKTOP_PERMISSIONS, content_policy
from transom.model.errors import NotFound
from transom.model.ids import is_id

router = APIRouter(include_in_schema=False)
DASHBOARD = "/dashboard/remote-cli"
PACKED = frozenset({"connect", "dashboard", "enter", "recording", "session", "watch"})
"""Modules that pages begin with."""


@router.get("/")
async def sign_in_page(request: Request, parts: P) -> Response:
    """The sign-in page; who is signed in and brings no key goes on to the dashboard."""
    if "key" not in request.query_params and await principal_of(request) is not None:
        return RedirectResponse(DASHBOARD, 303)
    return html(request.app.state.assets.page("index.html"))


@router.get(DASHBOARD)
async def dashboard(request: Request, parts: P) -> Response:
    """The cards."""
    if await principal_of(request) is None:
        return RedirectResponse("/", 303)
    return html(request.app.state.assets.page_before("dashboard.html", "session.html"), desktop=True)


@router.get("/session/{session}")
async def session_page(session: str, request: Request, parts: P) -> Response:
    """The desktop. The page itself asks what it may show."""
    return await _of_session(session, request, "session.html", desktop=True)


@router.get("/session/{session}/recording")
async def recording_page(session: str, request: Request, parts: P) -> Response:
    """A recording, also of a session that is over. The page itself asks what it may show."""
    return await _of_session(session, request, "recording.html")


@router.get("/session/{session}/connect")
async def connect_page(session: str, request: Request, parts: P) -> Response:
    """Why did it not connect? The page looks from the viewer's own browser."""
    return await _of_session(session, request, "connect.html")


async def _of_session(session: str, request: Request, page: str, *, desktop: bool = False) -> Response:
    """A page for who is signed in; whose session it is, the API says. Raises NotFound."""
    if await principal_of(request) is None:
        return RedirectResponse("/", 303)
    if not is_id(session, "ses"):
        raise NotFound("no such page")
    return html(request.app.state.assets.page(page), desktop=desktop)


@router.get("/watch")
@router.get("/watch/{session}/{link}")
async def watch_page(request: Request, session: str = "", link: str = "") -> Response:
    """A session's picture for who came by a link. The page itself asks what it may show."""
    return html(request.app.state.assets.page("watch.html"), desktop=True)


@router.get("/watch/{session}/{link}/connect")
async def watch_connect_page(session: str, link: str, request: Request) -> Response:
    """Why did it not connect, for who came by a link. Its looks are the guest's own."""
    return html(request.app.state.assets.page("connect.html"))


def html(page: Page | None, *, desktop: bool = False) -> Response:
    """A page; `desktop`: one that shows a desktop, or becomes such a page, and may ask for a microphone. Raises
    NotFound."""
    if page is None:
        raise NotFound("this page is not installed")
    headers = {"Content-Security-Policy": content_policy(page.scripts)}
    if desktop:
        headers["Permissions-Policy"] = DESKTOP_PERMISSIONS
    return HTMLResponse(page.text, headers=headers)


@router.get("/static/v/{version}/pack-{entry}/{name}")
async def packed(version: str, entry: str, name: str, request: Request) -> Response:
    """A page's modules in one file, or one that is loaded later. Raises NotFound."""
    assets: Assets = request.app.state.assets
    text = assets.script(entry, name) if entry in PACKED else None
    if text is None:
        raise NotFound("no such file")
    keep = {"Cache-Control": FOREVER} if version == assets.version() else {}
    return Response(text, media_type="text/javascript", headers=keep)


def mount(app: FastAPI, web: Path) -> Assets:
    """Serve what pages load: noVNC from its package, everything else from `web/static`."""
    assets = Assets(web)
    novnc = StaticFiles(directory=web / "node_modules" / "@novnc" / "novnc", check_dir=False)
    ours = StaticFiles(directory=web / "static", check_dir=False)
    app.mount("/static/novnc", Kept(novnc, NOVNC), name="novnc")
    app.mount("/static/v/{version}", Kept(ours, FOREVER, assets), name="versioned")
    app.mount("/static", ours, name="static")
    return assets
