"""Every error as `{"error": {"code", "message"}}`.

No body ever repeats what a request said, but for the name of a field that nobody knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from transom.api.parts import parts_of
from transom.api.refusals import count_request
from transom.model.errors import Gone, TransomError

log = structlog.get_logger(__name__)
CODES = {400: "bad_request", 401: "unauthenticated", 403: "refused", 404: "not_found", 405: "no_such_method"}
RETRY_AFTER_S = 5
"""Seconds, where an error that asks for patience names none."""
NAME_LIMIT = 64
"""Characters of a field's name."""


def install(app: FastAPI) -> None:
    """Answer every exception in this shape."""
    app.add_exception_handler(TransomError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


def body(code: str, message: str, **more: str) -> dict[str, Any]:
    """The error object."""
    return {"error": {"code": code, "message": message, **more}}


def response(error: TransomError) -> JSONResponse:
    """The answer to one of our own errors."""
    more = {"reason": error.reason} if isinstance(error, Gone) else {}
    headers: dict[str, str] = {}
    if error.status in (429, 503):
        headers["Retry-After"] = str(error.retry_after or RETRY_AFTER_S)
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body(error.code, error.message, **more), error.status, headers)


def _count(request: Request, code: str) -> None:
    parts = parts_of(request)
    parts.metrics.error(code)
    count_request(parts, request.method, request.url.path, code)


async def _ours(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, TransomError)
    _count(request, error.code)
    return response(error)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    _count(request, "invalid")
    return JSONResponse(body("invalid", "; ".join(_fault(fault) for fault in error.errors()[:5])), 422)


def _fault(fault: Mapping[str, Any]) -> str:
    if fault["type"] == "json_invalid":
        return "body: not JSON"
    where = _printable(".".join(str(part)[:NAME_LIMIT] for part in fault["loc"] if part != "body"))
    if fault["type"] == "extra_forbidden":
        return f"unknown field: {where}"
    return f"{where or 'body'}: {str(fault['msg'])[:200]}"


def _printable(name: str) -> str:
    """A field's name as a log or a terminal can show it."""
    return "".join(char if char.isprintable() else "?" for char in name)[:NAME_LIMIT]


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == 400 and isinstance(error.__cause__, (RecursionError, ValueError)):
        # FastAPI's word for JSON that is nested too deeply, or no text: a body like others that cannot be read
        _count(request, "invalid")
        return JSONResponse(body("invalid", "body: not JSON"), 422)
    code = CODES.get(error.status_code, "error")
    _count(request, code)
    return JSONResponse(body(code, str(error.detail)), error.status_code, dict(error.headers or {}))


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    _count(request, "internal")
    log.error("a request broke", path=request.url.path, error=type(error).__name__)
    return JSONResponse(body("internal", "this is a fault of the server; its log says more"), 500)
