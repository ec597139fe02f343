"""Small pools to decide about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from transom.model.exit import Exit, ExitState, Health, Lease, Pool, Upstream


def an_exit(name: str, state: ExitState = ExitState.HEALTHY, **changes: Any) -> Exit:
    made = Exit(id=name, label=name, upstream=Upstream("http", f"{name}.example", 8080), health=Health(state))
    return replace(made, **changes)


def a_pool(*exits: Exit, leases: dict[str, str] | None = None) -> Pool:
    given: dict[str, Lease] = {}
    for number, (user, exit) in enumerate((leases or {}).items()):
        shared = any(lease.exit == exit for lease in given.values())
        given[user] = Lease(user, exit, number, shared)
    return Pool({exit.id: exit for exit in exits}, given)


def applied(pool: Pool, decision: Any) -> Pool:
    leases = {user: lease for user, lease in pool.leases.items() if user not in decision.drop}
    return Pool(pool.exits, {**leases, **{lease.user: lease for lease in decision.put}})
