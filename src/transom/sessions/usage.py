"""What keepers say their machines use, as numbers. Pure."""

from __future__ import annotations

from transom_wire.control import Usage

NAMES = ("memory_bytes", "cpu_ms", "pids", "disk_bytes")
DIGITS = 18
"""A keeper is ours, and still only what a number can be is taken for one."""


def numbers(usage: Usage | None) -> dict[str, int]:
    """The names that are there and are whole numbers; nothing for no usage."""
    if usage is None:
        return {}
    found = {name: usage.numbers.get(name, "") for name in NAMES}
    return {
        name: int(text)
        for name, text in found.items()
        if text.isascii() and text.isdigit() and len(text) <= DIGITS
    }
