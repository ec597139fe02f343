"""Puts the exits' parts together: pool, checks, alerts, metrics and webhook. For the composition root."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog

from transom.egress.desk import ExitDesk
from transom.egress.policy import read_rule
from transom.egress.pool import Rules
from transom.egress.service import EgressService
from transom.egress.state import Terms
from transom.egress.upstream import read_list
from transom.guests.guests import Guests
from transom.model.alert import Alert, AlertKind
from transom.model.clock import Clock
from transom.model.errors import Invalid, TransomError
from transom.model.exit import Lists, Upstream
from transom.model.ports import SecretBox
from transom.observe.alerts import Alerts
from transom.observe.exits import ExitMetrics
from transom.observe.failures import Failures
from transom.observe.webhook import Target, Webhook, read_secret
from transom.sessions.wire import Sessions
from transom.settings import Settings
from transom.store.exit_store import ExitRows
from transom_wire.exit import HostRule

log = structlog.get_logger(__name__)
BY_SETTINGS = "system"
"""Who adds what the settings name, in the audit trail."""
FILE_LIMIT = 8 * 2**20
DAY_MS = 86_400_000
PRUNE_S = 3600.0
IMPORT_DEADLINE_S = 60.0


class Exits:
    """Everything of exits, wired; nothing runs until `run`."""

    def __init__(
        self,
        settings: Settings,
        rows: ExitRows,
        box: SecretBox,
        guests: Guests,
        metrics: ExitMetrics,
        clock: Clock,
        shipped: Mapping[str, Lists],
    ) -> None:
        self._settings, self._rows, self._clock = settings, rows, clock
        self.webhook = webhook(settings, clock)
        self.alerts = Alerts(rows, count=metrics.alert, poster=self.webhook)
        self.egress = EgressService(rows, box, guests, self.alerts, clock, terms(settings), shipped=shipped)
        self.desk = ExitDesk(self.egress, rows, box, rows)
        self.failures = Failures(self._machines_fail)
        self.egress.state.watch(lambda pool: metrics.pool(pool, len(self.egress.checker.as_host)))
        self._saying: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Read the pool, and add what the settings name. Raises TransomError, whose message names the line."""
        await self.egress.open()
        wanted = named_by(self._settings)
        if wanted:
            async with asyncio.timeout(IMPORT_DEADLINE_S):
                added, known = await self.desk.add(wanted, by=BY_SETTINGS)
            log.info("exits of the settings", added=added, known=known)

    def watch(self, guests: Guests, sessions: Sessions) -> None:
        """Hear of sessions, of keepers that answer and count, and of machines that fail."""
        guests.watch_usage(self.egress.used)
        guests.watch_attached(self.egress.attached)
        sessions.ledger.watch_all(self.egress.noticed)
        sessions.accounts.watch(self.failures.machine)

    def parts(self) -> list[tuple[str, Callable[[], Coroutine[Any, Any, None]]]]:
        """What runs for the controller's life, by name."""
        running = [("exits", self.egress.keep), ("exit usage", self._prune)]
        return [*running, ("webhook", self.webhook.keep)] if self.webhook is not None else running

    async def close(self) -> None:
        """Stop, and write what was counted."""
        for task in list(self._saying):
            task.cancel()
        await self.egress.close()

    async def _prune(self) -> None:
        while True:
            try:
                await self._rows.prune_usage(before=self._clock() - self._settings.audit_days * DAY_MS)
            except TransomError as error:
                log.warning("old counts of exits stay", reason=error.message)
            await asyncio.sleep(PRUNE_S)

    def _machines_fail(self, text: str) -> None:
        self._say(self.alerts.raised(Alert(AlertKind.MACHINES_FAILING, text, self._clock())))

    def _say(self, what: Awaitable[None]) -> None:
        task = asyncio.ensure_future(what)
        self._saying.add(task)
        task.add_done_callback(self._saying.discard)


def terms(settings: Settings) -> Terms:
    """The operator's choices."""
    return Terms(
        fallback=settings.exit,
        rules=Rules(settings.exit_sharing, settings.exit_move),
        echo=settings.exit_echo_url,
        check_ms=settings.exit_check_seconds * 1000,
        always=Lists(deny=own_name(settings.public_url)),
        low=settings.exit_low,
        tick_s=settings.tick_seconds,
    )


def own_name(public_url: str | None) -> tuple[HostRule, ...]:
    """The controller's public name, for every deny list: an exit would let a machine reach it from outside."""
    host = urlsplit(public_url or "").hostname
    return (read_rule(f"[{host}]" if ":" in host else host),) if host else ()


def webhook(settings: Settings, clock: Clock) -> Webhook | None:
    """The webhook, where there is one. Raises Invalid."""
    if settings.alert_webhook_url is None or settings.alert_webhook_secret_file is None:
        return None
    secret = read_secret(settings.alert_webhook_secret_file)
    return Webhook(Target(settings.alert_webhook_url, secret), clock)


def named_by(settings: Settings) -> list[Upstream]:
    """What the settings and their file name. Raises Invalid."""
    found = read_list("\n".join(settings.exits))
    if settings.exits_file is not None:
        try:
            found += read_list(_text_of(settings.exits_file))
        except Invalid as error:
            raise Invalid(f"{settings.exits_file}: {error.message}") from None
    return found


def _text_of(path: Path) -> str:
    try:
        if path.stat().st_size > FILE_LIMIT:
            raise Invalid(f"larger than {FILE_LIMIT} bytes")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise Invalid(f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Invalid("is not text") from None
