"""What a forwarder counts. Every number but `open` only ever rises."""

from __future__ import annotations

from collections import Counter

FIXED = (
    "connections",
    "requests",
    "tunnels",
    "bytes_up",
    "bytes_down",
    "ok",
    "dial_ms",
    "changes",
)
GAUGES = frozenset({"open"})
"""Not a sum: how many connections there are now."""


class Tally:
    """Numbers by name; causes of failure as `failed_CAUSE`."""

    def __init__(self) -> None:
        self._numbers: Counter[str] = Counter(dict.fromkeys(FIXED, 0))
        self._dial_s = 0.0

    def add(self, name: str, number: int = 1) -> None:
        """`number` more of `name`."""
        self._numbers[name] += number

    def failed(self, cause: str) -> None:
        """One request ended so."""
        self._numbers[f"failed_{cause}"] += 1

    def dialled(self, seconds: float) -> None:
        """One way was found, after so long."""
        self._dial_s += seconds
        self._numbers["ok"] += 1
        self._numbers["dial_ms"] = round(self._dial_s * 1000)

    def numbers(self) -> dict[str, int]:
        """All of them now."""
        return dict(self._numbers)
