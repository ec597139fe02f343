"""How exits, leases and alerts look from outside. No password is in any of them, and no user name whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from transom.egress.health import score
from transom.egress.policy import written
from transom.egress.service import OwnExit
from transom.egress.upstream import masked
from transom.model.alert import Alert
from transom.model.exit import Counted, Exit, Lease, Lists, Pool


def own_view(own: OwnExit) -> dict[str, Any]:
    """A user's own way out."""
    return asdict(own)


def check_view(exit: Exit) -> dict[str, Any]:
    """An exit without its users."""
    upstream, health = exit.upstream, exit.health
    return {
        "id": exit.id,
        "label": exit.label,
        "scheme": upstream.scheme,
        "host": upstream.host,
        "port": upstream.port,
        "username": masked(upstream.username),
        "region": exit.region,
        "tags": list(exit.tags),
        "draining": exit.draining,
        "state": health.state.value,
        "score": score(health),
        "latency_ms": None if health.latency_ms is None else round(health.latency_ms),
        "why": health.why,
        "address": exit.address,
        "address_at": exit.address_at or None,
        "checked_at": health.checked_at or None,
        "bytes_up": exit.bytes_up,
        "bytes_down": exit.bytes_down,
        "created_at": exit.created_at,
    }


def exit_view(exit: Exit, pool: Pool, names: Mapping[str, str]) -> dict[str, Any]:
    """An exit with who has it."""
    return {**check_view(exit), "users": [names.get(user, user) for user in pool.users_of(exit.id)]}


def lease_view(lease: Lease, pool: Pool, names: Mapping[str, str]) -> dict[str, Any]:
    """A lease, with the names of user and exit."""
    exit = pool.exits.get(lease.exit)
    return {
        "user": lease.user,
        "name": names.get(lease.user, lease.user),
        "exit": lease.exit,
        "label": exit.label if exit else "",
        "address": exit.address if exit else None,
        "since_at": lease.since,
        "shared": lease.shared,
        "asked": lease.asked,
        "word": lease.word,
    }


def usage_view(counted: Counted) -> dict[str, Any]:
    """What one session moved through one exit."""
    return {
        "session": counted.session,
        "user": counted.user,
        "exit": counted.exit,
        "bytes_up": counted.bytes_up,
        "bytes_down": counted.bytes_down,
        "connections": counted.connections,
        "failed": counted.failed,
        "at": counted.at,
    }


def usage_sum(used: Sequence[Counted]) -> dict[str, int]:
    """Together."""
    return {
        "bytes_up": sum(each.bytes_up for each in used),
        "bytes_down": sum(each.bytes_down for each in used),
    }


def lists_view(kind: str, subject: str, lists: Lists) -> dict[str, Any]:
    """Rules as they are written."""
    return {
        "kind": kind,
        "subject": subject,
        "allow": [written(rule) for rule in lists.allow],
        "deny": [written(rule) for rule in lists.deny],
    }


def alert_view(alert: Alert) -> dict[str, Any]:
    """An alert."""
    return {**asdict(alert), "kind": alert.kind.value, "level": alert.kind.level}
