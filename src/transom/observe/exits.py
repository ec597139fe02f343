"""Prometheus metrics of the exits and of alerts. Names of users are in none; exits are counted, not named."""

from __future__ import annotations

from collections import Counter as Tally

from prometheus_client import CollectorRegistry, Counter, Gauge

from transom.model.alert import Alert, AlertKind
from transom.model.exit import ExitState, Pool


class ExitMetrics:
    """Gauges follow the pool; the counters of alerts begin at 0, so that a first one is an increase."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._exits = Gauge("transom_exits", "Exits by state.", ["state"], registry=registry)
        self._free = Gauge("transom_exits_free", "Usable exits that nobody has.", registry=registry)
        self._draining = Gauge("transom_exits_draining", "Exits taken out of use.", registry=registry)
        self._leases = Gauge("transom_exit_leases", "Users with an exit.", registry=registry)
        self._shared = Gauge("transom_exit_leases_shared", "Users who share one.", registry=registry)
        self._twins = Gauge(
            "transom_exits_duplicate_address",
            "Exits that leave by an address another one has.",
            registry=registry,
        )
        self._as_host = Gauge(
            "transom_exits_host_address", "Exits that leave by this host's own address.", registry=registry
        )
        self._bytes = Gauge(
            "transom_exit_bytes", "Bytes moved through the exits there are.", ["direction"], registry=registry
        )
        self._alerts = Counter("transom_alerts", "Alerts raised.", ["kind"], registry=registry)
        for kind in AlertKind:
            self._alerts.labels(kind.value)
        self.pool(Pool({}, {}))

    def pool(self, pool: Pool, as_host: int = 0) -> None:
        """The pool was read; `as_host` of its exits leave by this host's own address."""
        exits = list(pool.exits.values())
        for state in ExitState:
            self._exits.labels(state.value).set(sum(exit.health.state is state for exit in exits))
        addresses = Tally(exit.address for exit in exits if exit.address is not None)
        self._free.set(len(pool.free()))
        self._draining.set(sum(exit.draining for exit in exits))
        self._leases.set(len(pool.leases))
        self._shared.set(sum(lease.shared for lease in pool.leases.values()))
        self._twins.set(sum(count for count in addresses.values() if count > 1))
        self._as_host.set(as_host)
        self._bytes.labels("up").set(sum(exit.bytes_up for exit in exits))
        self._bytes.labels("down").set(sum(exit.bytes_down for exit in exits))

    def alert(self, alert: Alert) -> None:
        """An alert was raised."""
        self._alerts.labels(alert.kind.value).inc()
