"""Alerts to everywhere an operator looks: the log, the store's list, a Prometheus counter, a webhook."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import structlog

from transom.model.alert import Alert
from transom.model.errors import TransomError
from transom.model.stores import AlertStore

log = structlog.get_logger(__name__)


class Poster(Protocol):
    """Who else is told; at once, without waiting."""

    def put(self, alert: Alert) -> None: ...


class Alerts:
    """Implements AlertSink of `model/ports.py`."""

    def __init__(
        self, store: AlertStore, *, count: Callable[[Alert], None], poster: Poster | None = None
    ) -> None:
        self._store, self._count, self._poster = store, count, poster

    async def raised(self, alert: Alert) -> None:
        """Never raises: who alerts has other things to do."""
        self._count(alert)
        log.warning("alert", kind=alert.kind.value, text=alert.text, exit=alert.exit, user=alert.user)
        try:
            alert = replace(alert, number=await self._store.add_alert(alert))
        except TransomError as error:
            log.error("an alert is not in the list", reason=error.message)
        if self._poster is not None:
            self._poster.put(alert)
