"""The pages, and the files they are made of."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import FileResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from transom.api.access import P, principal_of
from transom.api.parts import Parts
from transom.model.errors import NotFound
from transom.model.ids import is_id

router = APIRouter(include_in_schema=False)
DASHBOARD = "/dashboard/remote-cli"


@router.get("/")
async def sign_in_page(request: Request, parts: P) -> Response:
    """The sign-in page; who is signed in and brings no key goes on to the dashboard."""
    if "key" not in request.query_params and await principal_of(request) is not None:
        return RedirectResponse(DASHBOARD, 303)
    return page(parts, "index.html")


@router.get(DASHBOARD)
async def dashboard(request: Request, parts: P) -> Response:
    """The cards."""
    if await principal_of(request) is None:
        return RedirectResponse("/", 303)
    return page(parts, "dashboard.html")


@router.get("/session/{session}")
async def session_page(session: str, request: Request, parts: P) -> Response:
    """The desktop. The page itself asks what it may show."""
    if await principal_of(request) is None:
        return RedirectResponse("/", 303)
    if not is_id(session, "ses"):
        raise NotFound("no such page")
    return page(parts, "session.html")


def page(parts: Parts, name: str) -> Response:
    """A page's file."""
    path = parts.settings.web_dir / name
    if not path.is_file():
        raise NotFound("this page is not installed")
    return FileResponse(path, media_type="text/html; charset=utf-8")


def mount(app: FastAPI, web: Path) -> None:
    """Serve what pages load: noVNC from its package, everything else from `web/static`."""
    novnc = web / "node_modules" / "@novnc" / "novnc"
    app.mount("/static/novnc", StaticFiles(directory=novnc, check_dir=False), name="novnc")
    app.mount("/static", StaticFiles(directory=web / "static", check_dir=False), name="static")
