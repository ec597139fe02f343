"""What a run did not ask, and why: said at its end, because a test that passes says nothing."""

from __future__ import annotations

lines: set[str] = set()


def not_asked(what: str, why: str) -> None:
    """Have it said."""
    lines.add(f"not asked: {what}: {why}")
