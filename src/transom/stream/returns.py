"""How soon somebody who came by a link may come again after a flood. Pure: bounded, the caller brings the time.

A viewer who is ended for a flood has only to make a new name to be back. What it cannot make is its link, and hardly
its address: whoever floods waits there, longer each time, and so does everybody who comes by that link once floods
go on from elsewhere. Who is there already stays.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

FIRST_S, TIMES, MOST_S = 5.0, 3, 600.0
"""The wait after a flood, how much longer it is after each further one, and the longest."""
FORGIVEN_S = 3600.0
"""After so long without one, the next is the first."""
SPARED = 3
"""Floods by a link from anywhere, for which nobody waits at other addresses."""
MOST_SOURCES = 4096
"""Sources remembered; the one that was quiet for longest is forgotten first."""


@dataclass(frozen=True, slots=True)
class _Floods:
    count: int
    at: float
    until: float


class Returns:
    """Links, and links at an address, that floods came by. Times are seconds of a clock that does not go back."""

    def __init__(self) -> None:
        self._floods: OrderedDict[tuple[str, str], _Floods] = OrderedDict()

    def flooded(self, link: str, address: str, now: float) -> None:
        """A viewer who came so was ended for a flood."""
        self._add((link, address), 0, now)
        self._add((link, ""), SPARED, now)

    def wait_s(self, link: str, address: str, now: float) -> float:
        """Seconds until somebody may come so; 0 for at once."""
        found = [self._floods.get(source) for source in ((link, address), (link, ""))]
        return max(0.0, *(floods.until - now for floods in found if floods is not None), 0.0)

    def __len__(self) -> int:
        return len(self._floods)

    def _add(self, source: tuple[str, str], spared: int, now: float) -> None:
        before = self._floods.pop(source, None)
        count = 1 if before is None or now - before.at > FORGIVEN_S else before.count + 1
        beyond = count - spared
        # the exponent is bounded, or a number would grow without end
        wait = min(FIRST_S * TIMES ** min(beyond - 1, 10), MOST_S) if beyond > 0 else 0.0
        self._floods[source] = _Floods(count, now, now + wait)
        if len(self._floods) > MOST_SOURCES:
            self._floods.popitem(last=False)
