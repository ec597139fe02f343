"""The drivers this controller was given, by name."""

from __future__ import annotations

from collections.abc import Iterable

from transom.model.errors import Invalid
from transom.model.ports import Driver


class Registry:
    """Drivers by name. A session keeps the name of the one that made its machine."""

    def __init__(self, drivers: Iterable[Driver]) -> None:
        self._drivers = {driver.name: driver for driver in drivers}

    @property
    def names(self) -> tuple[str, ...]:
        """What `get` knows, in the order given."""
        return tuple(self._drivers)

    def get(self, name: str) -> Driver:
        """The driver called `name`. Raises Invalid, naming those that exist."""
        try:
            return self._drivers[name]
        except KeyError as error:
            known = ", ".join(self._drivers) or "none"
            raise Invalid(f"there is no driver {name!r}; this controller has: {known}") from error
