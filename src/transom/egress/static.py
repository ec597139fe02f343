"""One way out for everybody: an installation without exits of its own."""

from __future__ import annotations

from transom_wire.exit import DIRECT, NO_ROUTE, ExitRoute


class StaticEgress:
    """An Egress that says the same of every user: `none` or `direct`."""

    def __init__(self, kind: str) -> None:
        self._route = DIRECT if kind == "direct" else NO_ROUTE

    async def route(self, user: str, provider: str | None = None) -> ExitRoute:
        """The route for this user's machines."""
        return self._route
