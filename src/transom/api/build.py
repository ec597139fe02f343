"""Puts routers, guards and error shapes into one FastAPI application."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from starlette.datastructures import Headers

from transom.api import (
    access,
    account,
    channel,
    credentials,
    echo,
    errors,
    events,
    exits,
    files,
    guard,
    health,
    links,
    machines,
    pages,
    quality,
    recording,
    refusals,
    seats,
    sessions,
    signalling,
    users,
    vnc,
    watch,
)
from transom.api.bodies import ErrorView
from transom.settings import Settings

ROUTERS = (
    account,
    users,
    sessions,
    links,
    seats,
    watch,
    quality,
    signalling,
    files,
    recording,
    credentials,
    exits,
    events,
    vnc,
    channel,
    echo,
    health,
    machines,
    pages,
)
ERRORS = (401, 403, 404, 409, 410, 413, 422, 429, 503, 507)
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def build(settings: Settings, lifespan: Lifespan) -> FastAPI:
    """The application; `lifespan` sets `app.state.parts` before the first request."""
    app = FastAPI(
        title="transom",
        version="0.1.0",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        responses={status: {"model": ErrorView} for status in ERRORS},
    )
    errors.install(app)
    for module in ROUTERS:
        app.include_router(module.router)
    app.state.assets = pages.mount(app, settings.web_dir)

    def check(headers: Headers, scheme: str) -> bool:
        return access.check_origin(app.state.parts, headers, scheme)

    def over(method: str, path: str) -> None:
        refusals.count_request(app.state.parts, method, path, "too_large")

    app.add_middleware(guard.BodyLimit, over=over)
    app.add_middleware(guard.OriginGuard, check=check)
    app.add_middleware(guard.SecurityHeaders)
    return app
