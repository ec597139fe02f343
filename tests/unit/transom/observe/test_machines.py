"""Machines in Prometheus's words: each counted once, nobody's name in any."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest

from transom.model.machine import Machine, MachinePhase, Outcome
from transom.observe.machines import MachineMetrics
from transom.sessions.pooling import PoolState
from transom_wire.control import Usage

P = MachinePhase
NO_POOL = PoolState(0, 0, 0, 0, 0, 0, 0, 0, 0, "")


def a_machine(**changes: Any) -> Machine:
    return replace(Machine("mch_a", "qemu", "sha256-0", 4, P.MAKING, 1, 1, session="ses_a"), **changes)


class Bench:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.metrics = MachineMetrics(self.registry)

    def text(self, pool: PoolState = NO_POOL) -> str:
        self.metrics.look(pool)
        return generate_latest(self.registry).decode()


def test_a_machine_that_serves_is_counted_once() -> None:
    bench, machine = Bench(), a_machine()
    bench.metrics.machine(machine)
    assert 'transom_machines{phase="making"} 1.0' in bench.text()
    ready = replace(machine, phase=P.READY, stages={"machine": 200, "ready": 2400})
    bench.metrics.machine(ready)
    bench.metrics.machine(replace(ready, phase=P.OVER, outcome=Outcome.USED))
    text = bench.text()
    assert 'transom_machine_creations_total{driver="qemu",outcome="ok"} 1.0' in text
    assert 'transom_machine_stage_seconds_sum{driver="qemu",stage="ready"} 2.4' in text
    assert 'transom_machine_creation_success_ratio{driver="qemu"} 1.0' in text
    assert 'transom_machines{phase="ready"} 0.0' in text
    assert "transom_machine_failures_total{" not in text


def test_what_failed_is_counted_by_stage_and_in_the_ratio() -> None:
    bench = Bench()
    for number, outcome in enumerate((Outcome.FAILED, Outcome.FAILED, Outcome.CANCELLED)):
        stage = "display" if outcome is Outcome.FAILED else ""
        bench.metrics.machine(
            a_machine(id=f"mch_{number}", phase=P.OVER, outcome=outcome, failed_stage=stage)
        )
    bench.metrics.machine(a_machine(id="mch_ok", phase=P.PARKED, session=None, warm=True))
    text = bench.text()
    assert 'transom_machine_failures_total{driver="qemu",stage="display"} 2.0' in text
    assert 'transom_machine_creations_total{driver="qemu",outcome="cancelled"} 1.0' in text
    ratio = next(line for line in text.splitlines() if line.startswith("transom_machine_creation_success"))
    assert round(float(ratio.split()[1]), 3) == round(1 / 3, 3)


def test_a_parked_machine_that_is_claimed_is_not_counted_again() -> None:
    bench = Bench()
    parked = a_machine(session=None, warm=True, phase=P.PARKED)
    bench.metrics.machine(parked)
    bench.metrics.machine(replace(parked, phase=P.READY, session="ses_a"))
    assert 'outcome="ok"} 1.0' in bench.text()


def test_what_an_earlier_process_made_was_counted_then() -> None:
    bench = Bench()
    bench.metrics.adopted(a_machine(phase=P.READY))
    bench.metrics.machine(a_machine(phase=P.OVER, outcome=Outcome.USED))
    assert "transom_machine_creations_total{" not in bench.text()


def test_usage_is_shown_by_slot_until_the_machine_is_over() -> None:
    bench = Bench()
    bench.metrics.used("ses_a", Usage(1, {"memory_bytes": "5"}))
    bench.metrics.machine(a_machine(phase=P.READY))
    bench.metrics.used("ses_a", Usage(1, {"memory_bytes": "1048576", "pids": "-3", "cpu_ms": "9" * 30}))
    text = bench.text()
    assert 'transom_machine_memory_bytes{driver="qemu",slot="4"} 1.048576e+06' in text
    assert "transom_machine_pids{" not in text
    assert "mch_a" not in text
    assert "ses_a" not in text
    bench.metrics.machine(a_machine(phase=P.OVER, outcome=Outcome.LOST))
    assert "transom_machine_memory_bytes{" not in bench.text()


def test_the_pool_as_it_stands() -> None:
    text = Bench().text(PoolState(1, 4, 2, 1, 1, 2**20, 3, 1, 0, ""))
    assert 'transom_pool_machines{state="parked"} 1.0' in text
    assert 'transom_pool_looks{found="yes"} 3.0' in text
    assert "transom_pool_memory_bytes 1.048576e+06" in text


def test_clones_are_counted_by_what_came_of_them() -> None:
    bench = Bench()
    for outcome in ("restored", "booted", "restored"):
        bench.metrics.restored("qemu", outcome)
    text = bench.text()
    assert 'transom_machine_restores_total{driver="qemu",outcome="restored"} 2.0' in text
    assert 'transom_machine_restores_total{driver="qemu",outcome="booted"} 1.0' in text
