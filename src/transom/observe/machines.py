"""Prometheus metrics of machines: how their making fares, where it fails, what they use. Slots are numbers
below the host's limit; names of machines, sessions and users are in none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from transom.model.machine import Machine, MachinePhase, Outcome
from transom_wire.control import Usage

STAGE_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2, 3, 4, 5, 7.5, 10, 20, 40, 80)
"""Seconds since the machine's making began."""
STAGES = ("machine", "guest", "display", "desktop", "browser", "parked", "claimed", "ready")
USED = {
    "memory_bytes": "transom_machine_memory_bytes",
    "cpu_ms": "transom_machine_cpu_milliseconds",
    "pids": "transom_machine_pids",
    "disk_bytes": "transom_machine_disk_bytes",
    "door_dropped": "transom_machine_door_dropped_packets",
    "door_flooded": "transom_machine_door_flooded_packets",
}
"""Usage's number -> the gauge that shows it, by driver and slot."""


class PoolNumbers(Protocol):
    """How the pool stands."""

    @property
    def target(self) -> int: ...
    @property
    def making(self) -> int: ...
    @property
    def parked(self) -> int: ...
    @property
    def memory_bytes(self) -> int: ...
    @property
    def hits(self) -> int: ...
    @property
    def misses(self) -> int: ...


class MachineMetrics:
    """Counts each machine once when its making has ended, well or badly."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._of_making(registry)
        self._of_living(registry)
        self._of_the_pool(registry)
        self._phases: dict[str, Machine] = {}
        self._by_session: dict[str, str] = {}
        self._counted: set[str] = set()
        self._ok: dict[str, list[int]] = {}

    def _of_making(self, registry: CollectorRegistry) -> None:
        self._creations = Counter(
            "transom_machine_creations",
            "Machines whose making ended: ready or parked is ok.",
            ["driver", "outcome"],
            registry=registry,
        )
        self._failures = Counter(
            "transom_machine_failures",
            "Machines that failed, by the stage they failed at.",
            ["driver", "stage"],
            registry=registry,
        )
        self._restores = Counter(
            "transom_machine_restores",
            "Warm machines that were to be clones of a snapshot: restored, booted instead, or failed.",
            ["driver", "outcome"],
            registry=registry,
        )
        self._stages = Histogram(
            "transom_machine_stage_seconds",
            "Time from the beginning of a machine's making until a stage was reached.",
            ["driver", "stage"],
            buckets=STAGE_BUCKETS,
            registry=registry,
        )
        self._rate = Gauge(
            "transom_machine_creation_success_ratio",
            "Part of the machines made by this process that became ready or parked.",
            ["driver"],
            registry=registry,
        )

    def _of_living(self, registry: CollectorRegistry) -> None:
        self._standing = Gauge("transom_machines", "Machines by phase.", ["phase"], registry=registry)
        self._used = {
            name: Gauge(metric, "As its keeper said last.", ["driver", "slot"], registry=registry)
            for name, metric in USED.items()
        }

    def _of_the_pool(self, registry: CollectorRegistry) -> None:
        self._pool = Gauge("transom_pool_machines", "Warm machines.", ["state"], registry=registry)
        self._pool_memory = Gauge("transom_pool_memory_bytes", "What parked machines use.", registry=registry)
        self._looks = Gauge(
            "transom_pool_looks", "Sessions that looked for a warm machine.", ["found"], registry=registry
        )

    def adopted(self, machine: Machine) -> None:
        """A row that an earlier process wrote: what it had reached was counted then."""
        self._stands(machine)
        if machine.phase is not MachinePhase.MAKING:
            self._counted.add(machine.id)

    def restored(self, driver: str, outcome: str) -> None:
        """What came of a clone: one of the driver's few words."""
        self._restores.labels(driver, outcome).inc()

    def machine(self, machine: Machine) -> None:
        """A row changed."""
        made = machine.phase in (MachinePhase.PARKED, MachinePhase.READY)
        if (made or machine.phase is MachinePhase.OVER) and machine.id not in self._counted:
            self._counted.add(machine.id)
            self._creation(machine, made)
        if machine.phase is MachinePhase.OVER:
            self._over(machine)
        else:
            self._stands(machine)

    def _creation(self, machine: Machine, made: bool) -> None:
        outcome = "ok" if made else str(machine.outcome or Outcome.FAILED)
        self._creations.labels(machine.driver, outcome).inc()
        for stage in STAGES:
            if stage in machine.stages:
                self._stages.labels(machine.driver, stage).observe(machine.stages[stage] / 1000)
        if outcome in ("ok", Outcome.FAILED):
            score = self._ok.setdefault(machine.driver, [0, 0])
            score[0] += made
            score[1] += 1
            self._rate.labels(machine.driver).set(score[0] / score[1])

    def _over(self, machine: Machine) -> None:
        if machine.failed_stage:
            self._failures.labels(machine.driver, machine.failed_stage).inc()
        self._phases.pop(machine.id, None)
        self._counted.discard(machine.id)
        if machine.session is not None:
            self._by_session.pop(machine.session, None)
        for gauge in self._used.values():
            gauge.remove(machine.driver, str(machine.slot))

    def _stands(self, machine: Machine) -> None:
        self._phases[machine.id] = machine
        if machine.session is not None:
            self._by_session[machine.session] = machine.id

    def used(self, session: str, usage: Usage) -> None:
        """A keeper said what its machine uses."""
        machine = self._phases.get(self._by_session.get(session, ""))
        if machine is None:
            return
        for name, gauge in self._used.items():
            text = usage.numbers.get(name, "")
            if text.isascii() and text.isdigit() and len(text) <= 18:
                gauge.labels(machine.driver, str(machine.slot)).set(int(text))

    def look(self, pool: PoolNumbers) -> None:
        """Before somebody reads: how machines and pool stand now."""
        counts = dict.fromkeys(MachinePhase, 0)
        for machine in self._phases.values():
            counts[machine.phase] += 1
        for phase, count in counts.items():
            if phase is not MachinePhase.OVER:
                self._standing.labels(phase).set(count)
        shown: Mapping[str, int] = {"target": pool.target, "making": pool.making, "parked": pool.parked}
        for state, count in shown.items():
            self._pool.labels(state).set(count)
        self._pool_memory.set(pool.memory_bytes)
        self._looks.labels("yes").set(pool.hits)
        self._looks.labels("no").set(pool.misses)
