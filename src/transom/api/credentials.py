"""One's own credentials: listed by name, given back to their own user only."""

from __future__ import annotations

import base64
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from transom.api.access import P, Who
from transom.api.bodies import ProviderName
from transom.model.errors import NotFound

router = APIRouter(tags=["credentials"])
Provider = Annotated[ProviderName, Path()]
AUDIT_LIMIT = 1000


@router.get("/api/credentials")
async def get_credentials(who: Who, parts: P) -> list[dict[str, Any]]:
    """The newest generation of each provider; no content."""
    return [
        {
            "provider": found.provider,
            "names": list(found.names),
            "generation": found.generation,
            "created_at": found.created_at,
            "expires_at": found.expires_at,
            "session": found.session,
        }
        for found in await parts.vault.listing(who.user.id)
    ]


@router.post("/api/credentials/{provider}/pull")
async def pull_credential(provider: Provider, who: Who, parts: P) -> dict[str, Any]:
    """The files themselves, base64. Each call is a line of the audit trail."""
    parts.limits.pull(who.user.id)
    files = await parts.vault.open(user=who.user.id, provider=provider)
    listed = {found.provider: found.generation for found in await parts.vault.listing(who.user.id)}
    return {
        "provider": provider,
        "generation": listed.get(provider, 0),
        "files": [{"path": file.path, "content": base64.b64encode(file.content).decode()} for file in files],
    }


@router.delete("/api/credentials/{provider}")
async def delete_credential(provider: Provider, who: Who, parts: P) -> dict[str, int]:
    """Forget every generation."""
    count = await parts.vault.forget(user=who.user.id, provider=provider)
    if count == 0:
        raise NotFound("no such credential")
    return {"deleted": count}


@router.get("/api/audit", tags=["audit"])
async def get_audit(
    who: Who, parts: P, limit: Annotated[int, Query(ge=1, le=AUDIT_LIMIT)] = 100
) -> list[dict[str, Any]]:
    """The trail, newest first: one's own lines, for an administrator everybody's."""
    user = None if who.administrator else who.user.id
    return [dict(line) for line in await parts.credentials.list_audit(user=user, limit=limit)]
