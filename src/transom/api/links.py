"""Links of a session: its owner makes them, sees them and withdraws them. A token is shown once."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints

from transom.api.access import Owned, P, Who
from transom.api.bodies import UNSEEN, Body
from transom.api.parts import Parts
from transom.model.errors import NotFound
from transom.model.ids import is_id
from transom.model.seat import Kind, SessionLink
from transom.model.user import Principal

router = APIRouter(tags=["viewers"])
Label = Annotated[str, StringConstraints(pattern=rf"^[^{UNSEEN}]{{0,64}}$")]


class NewLink(Body):
    """A link: for watching, or for asking to drive as well. Without `seconds` it ends with its session."""

    kind: Literal["view", "ask"] = "view"
    seconds: Annotated[int, Field(ge=1, le=30 * 86_400)] | None = None
    label: Label = ""
    """The guest's name, as everybody in the session sees it."""


class LinkView(BaseModel):
    """A link. `url` is there once, when it is made; `over` says why it lets nobody in any more."""

    id: str
    kind: str
    label: str
    created_at: int
    expires_at: int | None
    over: str | None
    url: str | None = None


def _view(link: SessionLink, now: int, url: str | None = None) -> dict[str, Any]:
    return {
        "id": link.id,
        "kind": link.kind.value,
        "label": link.label,
        "created_at": link.created_at,
        "expires_at": link.expires_at,
        "over": link.over(now),
        "url": url,
    }


@router.post("/api/sessions/{session}/links", status_code=201)
async def post_link(owned: Owned, wanted: NewLink, who: Who, parts: P) -> LinkView:
    """A new link. What follows `#` in its `url` is sent to no server by a browser, and kept by none of ours."""
    parts.limits.creation(who.user.id)
    kind = Kind(wanted.kind)
    link, token = await parts.links.make(owned.id, kind, wanted.label.strip(), wanted.seconds)
    await _note(parts, who, "link_make", link.id, session=owned.id, kind=kind.value)
    return LinkView.model_validate(_view(link, parts.clock(), f"/watch#{token}"))


async def _note(parts: Parts, who: Principal, action: str, link: str, **detail: str) -> None:
    await parts.credentials.add_audit(
        at=parts.clock(), user=who.user.id, action=action, subject=link, outcome="done", detail=detail
    )


@router.get("/api/sessions/{session}/links")
async def get_links(owned: Owned, parts: P) -> list[LinkView]:
    """The session's links, oldest first; those that are over as well, for a while."""
    now = parts.clock()
    return [LinkView.model_validate(_view(link, now)) for link in await parts.links.listing(owned.id)]


@router.delete("/api/sessions/{session}/links/{link}", status_code=204)
async def delete_link(owned: Owned, link: str, who: Who, parts: P) -> None:
    """Withdraw a link: whoever is in by it is out at once."""
    if not is_id(link, "lnk"):
        raise NotFound("no such link")
    await parts.links.revoke(owned.id, link)
    await parts.seating.link_over(owned.id, link, "this link was withdrawn")
    await _note(parts, who, "link_withdraw", link, session=owned.id)
