"""What keepers count at their forwarders, made into what one machine moved since the last report. Pure.

Counters only ever rise while a machine lives; one that falls belongs to another machine, and starts anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from transom_wire.exit import EXIT_FAULTS

PREFIX = "exit_"
LARGEST = 2**53


@dataclass(frozen=True, slots=True)
class Reading:
    """One report's counters. `failed_exit` counts what the upstream itself is to blame for."""

    bytes_up: int = 0
    bytes_down: int = 0
    connections: int = 0
    worked: int = 0
    failed: int = 0
    failed_exit: int = 0
    dial_ms: int = 0
    """Sum over the connections that worked."""
    changes: int = 0
    """How often the way out was changed; not a sum, and never nothing by itself."""

    def since(self, before: Reading) -> Reading:
        """What came after `before`; all of it where the counters began anew."""
        if any(getattr(self, name) < getattr(before, name) for name in NAMES):
            return self
        return replace(self, **{name: getattr(self, name) - getattr(before, name) for name in NAMES})

    def plus(self, other: Reading) -> Reading:
        """Both together."""
        return replace(self, **{name: getattr(self, name) + getattr(other, name) for name in NAMES})

    @property
    def latency_ms(self) -> float | None:
        """Average time to connect, in milliseconds; None where nothing worked."""
        return self.dial_ms / self.worked if self.worked and self.dial_ms else None

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in NAMES)


NAMES = ("bytes_up", "bytes_down", "connections", "worked", "failed", "failed_exit", "dial_ms")


def read_usage(numbers: Mapping[str, str]) -> Reading:
    """The counters of a Usage message that begin with `exit_`; what is no number counts as 0."""
    found = {
        name.removeprefix(PREFIX): _number(text) for name, text in numbers.items() if name.startswith(PREFIX)
    }
    failed = {name.removeprefix("failed_"): n for name, n in found.items() if name.startswith("failed_")}
    return Reading(
        bytes_up=found.get("bytes_up", 0),
        bytes_down=found.get("bytes_down", 0),
        connections=found.get("connections", 0),
        worked=found.get("ok", 0),
        failed=sum(failed.values()),
        failed_exit=sum(n for cause, n in failed.items() if cause in EXIT_FAULTS),
        dial_ms=found.get("dial_ms", 0),
        changes=found.get("changes", 0),
    )


def _number(text: str) -> int:
    return min(int(text), LARGEST) if text.isascii() and text.isdigit() and len(text) <= 20 else 0
