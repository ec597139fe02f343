"""Who wants to hear of what, by the name of what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

L = TypeVar("L", bound=Callable[..., Any])


class Listeners(Generic[L]):
    """Of one kind. Whoever calls them says what happened."""

    def __init__(self) -> None:
        self._of: dict[str, set[L]] = {}

    @contextmanager
    def listen(self, name: str, listener: L) -> Iterator[None]:
        """Have `listener` among those of `name` while the block runs."""
        listeners = self._of.setdefault(name, set())
        listeners.add(listener)
        try:
            yield
        finally:
            listeners.discard(listener)
            if not listeners:
                self._of.pop(name, None)

    def of(self, name: str) -> tuple[L, ...]:
        """Those of `name` now."""
        return tuple(self._of.get(name, ()))
