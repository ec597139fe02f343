"""For those who watch the server: alive, ready, measured."""

from __future__ import annotations

import ipaddress
from typing import Any

from fastapi import APIRouter, Request, Response

from transom.api.access import P, principal_of
from transom.auth.origin import loopback
from transom.model.errors import Refused
from transom.observe.metrics import CONTENT_TYPE

router = APIRouter(tags=["health"])
FORWARDED = ("x-forwarded-for", "forwarded", "x-real-ip")


@router.get("/healthz")
async def get_health(parts: P) -> dict[str, Any]:
    """200 while the store answers; 503 otherwise. Says nothing else to strangers."""
    await parts.users.get_user("usr_" + "a" * 20)
    return {"status": "ok"}


@router.get("/metrics")
async def get_metrics(request: Request, parts: P) -> Response:
    """Prometheus text, for this host itself and for administrators."""
    if not _from_this_host(request):
        principal = await principal_of(request)
        if principal is None or not principal.administrator:
            raise Refused("metrics are for this host and for administrators")
    parts.machine_metrics.look(parts.pool.state())
    now = parts.clock()
    parts.quality_metrics.look(parts.quality.connections(now), parts.quality.links(now))
    text = parts.metrics.render(lambda: parts.quality.rungs(parts.clock()))
    return Response(text, media_type=CONTENT_TYPE)


def _from_this_host(request: Request) -> bool:
    """Not one that a proxy on this host passed on, nor one that a page of another name made its browser send:
    that name may have been made to point here."""
    if request.client is None or any(name in request.headers for name in FORWARDED):
        return False
    if not loopback(request.headers.get("host", "")):
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
