"""Alerts posted to the operator's URL: signed, retried, bounded. A receiver that is away costs nobody anything.

    X-Transom-Timestamp: 1767225600
    X-Transom-Signature: v1=<hex of HMAC-SHA256(secret, timestamp + "." + body)>

The body is one JSON object. `id` is the same in every try: a receiver that has seen it may drop it.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import stat
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import structlog

from transom.model.alert import Alert
from transom.model.clock import Clock
from transom.model.errors import Invalid

log = structlog.get_logger(__name__)
QUEUE = 256
"""Alerts that wait; past it the oldest is dropped."""
DEADLINE_S = 10.0
"""Seconds for one try."""
BACKOFF_S: Sequence[float] = (1.0, 5.0, 30.0, 120.0, 600.0)
"""Waits between tries; after the last one the alert is given up."""
SECRET_BYTES = 16
"""Least length of the secret."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where alerts are posted, and the key they are signed with."""

    url: str
    secret: bytes

    def __repr__(self) -> str:
        return "Target(...)"


def read_secret(path: Path) -> bytes:
    """The secret's bytes, white space around them left out. Raises Invalid."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Invalid(f"the webhook's secret {path} cannot be read: {error.strerror}") from None
    try:
        if os.fstat(descriptor).st_mode & (stat.S_IROTH | stat.S_IWOTH):
            raise Invalid(f"everybody can read the webhook's secret: chmod 600 {path}")
        secret = os.read(descriptor, 4096).strip()
    finally:
        os.close(descriptor)
    if len(secret) < SECRET_BYTES:
        raise Invalid(f"the webhook's secret {path} is shorter than {SECRET_BYTES} bytes")
    return secret


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """What X-Transom-Signature says."""
    return "v1=" + hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def verify(
    secret: bytes, timestamp: str, body: bytes, given: str, *, now_s: int, tolerance_s: int = 300
) -> bool:
    """A receiver's check, as the documentation shows it: right key, whole body, and not an old one again."""
    fresh = timestamp.isascii() and timestamp.isdigit() and abs(now_s - int(timestamp[:12])) <= tolerance_s
    return fresh and hmac.compare_digest(signature(secret, timestamp, body), given)


def body_of(alert: Alert) -> bytes:
    """The JSON object that is posted."""
    return json.dumps(
        {
            "id": f"alert-{alert.number}-{alert.at}",
            "kind": alert.kind.value,
            "level": alert.kind.level,
            "text": alert.text,
            "at": alert.at,
            "exit": alert.exit,
            "user": alert.user,
        },
        separators=(",", ":"),
    ).encode()


class Webhook:
    """Posts in the order of the alerts, one at a time. `keep` runs for the controller's life."""

    def __init__(
        self,
        target: Target,
        clock: Clock,
        *,
        backoff_s: Sequence[float] = BACKOFF_S,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._target, self._clock = target, clock
        self._backoff_s, self._transport = backoff_s, transport
        self._waiting: deque[bytes] = deque()
        self._came = asyncio.Event()
        self.dropped = 0
        """Alerts that were never delivered."""

    def put(self, alert: Alert) -> None:
        """Take it in; returns at once."""
        if len(self._waiting) >= QUEUE:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(body_of(alert))
        self._came.set()

    async def keep(self) -> None:
        """Deliver, for ever."""
        while True:
            await self._came.wait()
            self._came.clear()
            while self._waiting:
                await self._deliver(self._waiting.popleft())

    async def _deliver(self, body: bytes) -> None:
        for wait in (*self._backoff_s, None):
            reason = await self._post(body)
            if reason is None:
                return
            if wait is None:
                break
            log.warning("the webhook did not take an alert", reason=reason, wait_s=wait)
            await asyncio.sleep(wait)
        self.dropped += 1
        log.error("an alert was given up", reason=reason)

    async def _post(self, body: bytes) -> str | None:
        """None once it was taken; else why not."""
        timestamp = str(self._clock() // 1000)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "transom",
            "X-Transom-Timestamp": timestamp,
            "X-Transom-Signature": signature(self._target.secret, timestamp, body),
        }
        try:
            async with (
                asyncio.timeout(DEADLINE_S),
                httpx.AsyncClient(trust_env=False, timeout=DEADLINE_S, transport=self._transport) as client,
                client.stream("POST", self._target.url, content=body, headers=headers) as answer,
            ):
                return None if answer.is_success else f"the answer was {answer.status_code}"
        except TimeoutError:
            return "no answer in time"
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            return type(error).__name__
