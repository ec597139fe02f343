"""What a warm machine is told when it becomes a session's: everything that must be its own."""

from __future__ import annotations

import secrets

from transom.model.session import Session
from transom_wire.control import Claim
from transom_wire.exit import ExitRoute

SEED_BYTES = 64


def claim_of(session: Session, route: ExitRoute, deadline: int) -> Claim:
    """The claim of `session`'s machine: another seed and machine-id with each call, so that no two clones, and
    no clone twice, begin alike."""
    return Claim(
        session=session.id,
        width=session.width,
        height=session.height,
        start_url=session.start_url,
        deadline=deadline,
        machine_id=secrets.token_hex(16),
        hostname=session.machine.replace("_", "-"),
        seed=secrets.token_bytes(SEED_BYTES),
        route=route,
    )
