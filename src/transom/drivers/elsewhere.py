"""What only the root helper has of machines: what is left of them, whichever driver made them, and their limits."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

from transom.model.errors import DriverError
from transom.model.machine import Problem
from transom_keeper.cgroups import CONTROLLERS
from transom_keeper.helper import Helper, HelperError
from transom_wire import WIRE_VERSION
from transom_wire.helper import Found

log = logging.getLogger(__name__)
UNNEEDED_SECONDS = 2.0
"""For a helper that the driver in use works without."""
UNNEEDED_EVERY_SECONDS = 60.0
"""How often such a one is asked again: what a former driver left there does not become more."""


class Elsewhere:
    """The root helper at `socket`, for the machines of `tag`. Blocking."""

    def __init__(self, socket: Path | None, tag: str) -> None:
        self._socket, self._tag = socket, tag
        self._had: frozenset[str] = frozenset()
        self._said = ""
        self._again = 0.0
        """When it is asked again, on the monotonic clock, where it is not needed."""

    def machines(self, *, needed: bool) -> frozenset[str]:
        """Those of which it has something. A driver that does not need it minds no helper that does not answer.
        Raises DriverError."""
        if self._socket is None:
            return frozenset()
        if not needed:
            return self._left_by_others(self._socket)
        try:
            self._had = frozenset(Helper(str(self._socket)).survey(self._tag).machines)
        except HelperError as error:
            raise DriverError(
                f"what the root helper has of machines cannot be seen: {error}", mend=error.mend
            ) from error
        return self._had

    def _left_by_others(self, socket: Path) -> frozenset[str]:
        if time.monotonic() < self._again:
            return self._had
        self._had, self._again = frozenset(), time.monotonic() + UNNEEDED_EVERY_SECONDS
        if not os.path.exists(socket):
            return self._had
        try:
            self._had = frozenset(Helper(str(socket), UNNEEDED_SECONDS).survey(self._tag).machines)
            self._said = ""
        except HelperError as error:
            if self._said != error.reason:
                log.info("what another driver may have left at the root helper cannot be seen: %s", error)
            self._said = error.reason
        return self._had

    def remove(self, machine: str, *, needed: bool) -> None:
        """Remove it. A driver that does not need a helper asks for what that was last seen to have. Raises
        DriverError."""
        if self._socket is None or not (needed or machine in self._had):
            return
        try:
            Helper(str(self._socket)).remove(machine, self._tag)
            self._had -= {machine}
        except HelperError as error:
            raise DriverError(
                f"what the root helper has of it does not go: {error}", mend=error.mend
            ) from error


def unlimited(found: Found) -> tuple[str, ...]:
    """The limits that machines do not get of this helper."""
    missing = tuple(each for each in CONTROLLERS if each not in found.controllers)
    return missing if found.version == WIRE_VERSION else ()


def limit_warnings(missing: tuple[str, ...]) -> Iterator[Problem]:
    """What it means, and what mends it."""
    for controller in missing:
        yield Problem(
            f"machines get no {controller} limit: the root helper can make no control group for it",
            "start the helper by deploy/transom-helper.service (Delegate=yes)",
        )
