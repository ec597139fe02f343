"""Exits: one's own way out for everybody; the pool, its users, lists and alerts for administrators."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import ConfigDict, Field, StringConstraints

from transom.api.access import Administrator, P, Who
from transom.api.bodies import Body
from transom.api.exit_views import (
    alert_view,
    check_view,
    exit_view,
    lease_view,
    lists_view,
    own_view,
    usage_sum,
    usage_view,
)
from transom.api.parts import Parts
from transom.api.users import found as found_user
from transom.egress.policy import LIST_LIMIT, read_rules
from transom.egress.upstream import read_list
from transom.model.errors import NotFound
from transom.model.exit import Lists

router = APIRouter(tags=["exits"])
ExitId = Annotated[str, Path(pattern=r"^[^\x00-\x1f\x7f/]{1,128}$")]
"""An id, or a label of any words; a path's segment has no slash."""
Label = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f/]{1,64}$")]
Kind = Annotated[Literal["user", "provider"], Path()]
Subject = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
Rule = Annotated[str, StringConstraints(min_length=1, max_length=260)]
Tag = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,32}$")]
ALERT_LIMIT = 1000


class NewExits(Body):
    """A list of upstreams, a line each, passwords included: it goes to the server, and is never shown again."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        json_schema_extra={"examples": [{"lines": "http://user:pass@proxy.example:{10001..10003}"}]},
    )

    lines: Annotated[str, StringConstraints(min_length=1, max_length=150_000)]
    label: Label | None = None
    region: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_. -]{0,32}$")] = ""
    tags: Annotated[list[Tag], Field(max_length=16)] = Field(default_factory=list)


class Move(Body):
    """Where to; left out: the best that is free."""

    exit: Annotated[str, StringConstraints(max_length=128)] | None = None


class NewLists(Body):
    """Hosts and ports, as `example.org`, `*.example.org:443`, `203.0.113.7` or `*:443`."""

    allow: Annotated[list[Rule], Field(max_length=LIST_LIMIT)] = Field(default_factory=list)
    deny: Annotated[list[Rule], Field(max_length=LIST_LIMIT)] = Field(default_factory=list)


@router.get("/api/exit")
async def get_own(who: Who, parts: P) -> dict[str, Any]:
    """One's own way out: its address as measured, its state, what was moved."""
    used = await parts.exits.usage(who.user.id)
    return {**own_view(parts.egress.own(who.user.id)), **usage_sum(used)}


@router.get("/api/exit/usage")
async def get_own_usage(who: Who, parts: P) -> list[dict[str, Any]]:
    """What one's own sessions moved, by session and exit, newest first."""
    return [usage_view(each) for each in await parts.exits.usage(who.user.id)]


@router.post("/api/exit/check")
async def post_own_check(who: Who, parts: P) -> dict[str, Any]:
    """Measure the own address now."""
    parts.limits.exit_check(who.user.id)
    own = parts.egress.own(who.user.id)
    if own.exit is not None:
        await parts.exits.check(own.exit)
    return own_view(parts.egress.own(who.user.id))


@router.post("/api/exit/move")
async def post_own_move(who: Who, parts: P) -> dict[str, Any]:
    """Say yes to the question whether to move; 409 when nobody asked."""
    await parts.exits.confirm(who.user.id)
    return own_view(parts.egress.own(who.user.id))


@router.post("/api/exit/seen", status_code=204)
async def post_own_seen(who: Who, parts: P) -> None:
    """The word about the own exit was read."""
    await parts.exits.seen(who.user.id)


@router.get("/api/exits")
async def get_exits(who: Administrator, parts: P) -> list[dict[str, Any]]:
    """The pool; no password, and of user names the beginning."""
    names = await _names(parts)
    return [exit_view(exit, parts.exits.pool, names) for exit in parts.exits.pool.exits.values()]


@router.post("/api/exits", status_code=201)
async def post_exits(wanted: NewExits, who: Administrator, parts: P) -> dict[str, int]:
    """Add exits; those that are known get the password that is said now."""
    added, known = await parts.exits.add(
        read_list(wanted.lines),
        by=who.user.id,
        label=wanted.label or "",
        region=wanted.region,
        tags=tuple(wanted.tags),
    )
    return {"added": added, "known": known}


@router.post("/api/exits/check")
async def post_check_all(who: Administrator, parts: P) -> list[dict[str, Any]]:
    """Ask through every exit, now; after 20 s the answer comes with what is known, and the rest goes on."""
    parts.limits.exit_check(who.user.id)
    return [check_view(exit) for exit in await parts.exits.check(None)]


@router.get("/api/exits/leases")
async def get_leases(who: Administrator, parts: P) -> list[dict[str, Any]]:
    """Who has which exit."""
    names = await _names(parts)
    return [lease_view(lease, parts.exits.pool, names) for lease in parts.exits.pool.leases.values()]


@router.post("/api/exits/leases/{user}/move")
async def post_move(user: str, wanted: Move, who: Administrator, parts: P) -> dict[str, Any]:
    """Give a user another exit; 409 where there is none."""
    known = await found_user(parts, user)
    lease = await parts.exits.move(known.id, to=wanted.exit, by=who.user.id)
    return lease_view(lease, parts.exits.pool, {known.id: known.name})


@router.get("/api/exits/usage")
async def get_usage(who: Administrator, parts: P) -> list[dict[str, Any]]:
    """What every session moved, by session and exit, newest first."""
    return [usage_view(each) for each in await parts.exits.usage(None)]


@router.get("/api/exits/lists")
async def get_lists(who: Administrator, parts: P) -> list[dict[str, Any]]:
    """Where machines may go: every list."""
    return [
        lists_view(kind, subject, lists) for (kind, subject), lists in sorted(parts.exits.lists().items())
    ]


@router.post("/api/exits/lists/{kind}/{subject}")
async def post_lists(
    kind: Kind, subject: Subject, wanted: NewLists, who: Administrator, parts: P
) -> dict[str, Any]:
    """Where the machines of a user (id), or of a provider, may go."""
    await _known_subject(parts, kind, subject)
    lists = Lists(read_rules(wanted.allow), read_rules(wanted.deny))
    await parts.exits.set_lists(kind, subject, lists, by=who.user.id)
    return lists_view(kind, subject, lists)


@router.delete("/api/exits/lists/{kind}/{subject}", status_code=204)
async def delete_lists(kind: Kind, subject: Subject, who: Administrator, parts: P) -> None:
    """Lift them."""
    if (kind, subject) not in parts.exits.lists():
        raise NotFound("no such list")
    await parts.exits.set_lists(kind, subject, None, by=who.user.id)


@router.post("/api/exits/{exit}/check")
async def post_check(exit: ExitId, who: Administrator, parts: P) -> dict[str, Any]:
    """Ask through this exit, now."""
    parts.limits.exit_check(who.user.id)
    checked = await parts.exits.check(exit)
    return check_view(checked[0]) if checked else {}


@router.post("/api/exits/{exit}/drain")
async def post_drain(exit: ExitId, who: Administrator, parts: P) -> dict[str, Any]:
    """Take it out of use; its user moves by rule."""
    return check_view(await parts.exits.drain(exit, True, by=who.user.id))


@router.post("/api/exits/{exit}/resume")
async def post_resume(exit: ExitId, who: Administrator, parts: P) -> dict[str, Any]:
    """Take it back into use."""
    return check_view(await parts.exits.drain(exit, False, by=who.user.id))


@router.delete("/api/exits/{exit}", status_code=204)
async def delete_exit(exit: ExitId, who: Administrator, parts: P) -> None:
    """Remove it; its user gets another one, or none."""
    await parts.exits.remove(exit, by=who.user.id)


@router.get("/api/alerts", tags=["alerts"])
async def get_alerts(
    who: Administrator, parts: P, limit: Annotated[int, Query(ge=1, le=ALERT_LIMIT)] = 100
) -> list[dict[str, Any]]:
    """What an operator should know of, newest first."""
    return [alert_view(alert) for alert in await parts.exits.alerts.list_alerts(limit)]


@router.post("/api/alerts/{number}/acknowledge", status_code=204, tags=["alerts"])
async def post_acknowledge(
    number: Annotated[int, Path(ge=1, le=2**53)], who: Administrator, parts: P
) -> None:
    """Somebody has seen it."""
    if not await parts.exits.alerts.acknowledge(number, by=who.user.id, at=parts.clock()):
        raise NotFound("no such alert")


async def _names(parts: Parts) -> dict[str, str]:
    return {user.id: user.name for user in await parts.users.list_users()}


async def _known_subject(parts: Parts, kind: str, subject: str) -> None:
    if kind == "user":
        await found_user(parts, subject)
    elif parts.catalog.get(subject) is None:
        raise NotFound("no such provider")
