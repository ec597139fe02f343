"""How often somebody may do something: one token bucket a key, in bounded memory."""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict

from transom.model.clock import Clock, steady_ms
from transom.model.errors import TooMany
from transom_wire.rate import HAIR, Bucket

MAX_KEYS = 10_000
"""Buckets held; past it the one that was used longest ago is forgotten, and its key starts anew."""
IPV6_PREFIX = 64
"""One household has a whole /64 of addresses: they count as one."""


class RateLimiter:
    """`count` acts at once, and as many each `seconds`. `clock` gives milliseconds; it may jump either way."""

    def __init__(
        self, *, count: int, seconds: float, clock: Clock = steady_ms, max_keys: int = MAX_KEYS
    ) -> None:
        if count < 1 or seconds <= 0 or max_keys < 1:
            raise ValueError("a rate limit allows something")
        self._rate, self._burst = count / seconds, count
        self._clock, self._seen, self._now = clock, clock(), 0.0
        self._max_keys = max_keys
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def allow(self, key: str) -> int:
        """Count one act; returns 0 when it may be done, or else the seconds to wait for it."""
        now = self._time()
        bucket = self._buckets.pop(key, None) or Bucket(self._rate, self._burst, now)
        allowed = bucket.take(1, now)
        self._buckets[key] = bucket
        if len(self._buckets) > self._max_keys:
            self._buckets.popitem(last=False)
        return 0 if allowed else max(1, math.ceil(bucket.wait_s(1, now) - HAIR))

    def check(self, key: str) -> None:
        """Count one act. Raises TooMany with `retry_after`."""
        wait = self.allow(key)
        if wait:
            raise TooMany("too many requests: wait a little", retry_after=wait)

    def __len__(self) -> int:
        return len(self._buckets)

    def _time(self) -> float:
        """Seconds that went by; a clock that goes back has stood still."""
        seen, self._seen = self._seen, self._clock()
        self._now += max(0, self._seen - seen) / 1000
        return self._now


def address_key(address: str) -> str:
    """The key of a peer's address: an IPv4 address, an IPv6 /64, or `unknown` for what is neither."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, IPV6_PREFIX), strict=False))
    return str(parsed)
