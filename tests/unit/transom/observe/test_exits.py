from __future__ import annotations

import time

from prometheus_client import CollectorRegistry

from transom.model.exit import Exit, Pool, Upstream
from transom.observe.exits import ExitMetrics


def pool(*addresses: str | None) -> Pool:
    exits = [
        Exit(f"ext_{number}", "", Upstream("http", "proxy.example", 1 + number), address=address)
        for number, address in enumerate(addresses)
    ]
    return Pool({exit.id: exit for exit in exits}, {})


def test_addresses_that_are_not_alone_or_the_host_s_are_counted() -> None:
    registry = CollectorRegistry()
    metrics = ExitMetrics(registry)
    metrics.pool(pool("203.0.113.1", "203.0.113.1", "203.0.113.2", None, None), as_host=1)
    assert registry.get_sample_value("transom_exits_duplicate_address") == 2
    assert registry.get_sample_value("transom_exits_host_address") == 1
    metrics.pool(pool())
    assert registry.get_sample_value("transom_exits_duplicate_address") == 0
    assert registry.get_sample_value("transom_exits_host_address") == 0


def test_a_large_pool_does_not_hold_the_controller_up() -> None:
    large, metrics = pool(*(f"2001:db8::{n:x}" for n in range(5000))), ExitMetrics(CollectorRegistry())
    began = time.process_time()
    metrics.pool(large)
    assert time.process_time() - began < 0.25
