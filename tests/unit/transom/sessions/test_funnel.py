"""What became of a machine, read from its session's row."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.fakes import START, a_session
from transom.model.machine import FAILED_STAGES, Outcome
from transom.model.session import EndReason
from transom.sessions.funnel import failed_stage, stages_of, verdict
from transom.sessions.usage import numbers
from transom_wire.control import Usage

BOOTED = ("accepted", "machine", "guest", "display", "desktop", "browser")


@pytest.mark.parametrize(
    ("reached", "stage"),
    [(1, "boot"), (2, "guest"), (3, "display"), (4, "desktop"), (5, "browser"), (6, "ready")],
)
def test_it_failed_at_the_first_stage_it_did_not_reach(reached: int, stage: str) -> None:
    assert failed_stage(BOOTED[:reached]) == stage
    assert stage in FAILED_STAGES


@pytest.mark.parametrize(
    ("changes", "outcome", "stage"),
    [
        ({"wanted_end": EndReason.BOOT_TIMEOUT}, Outcome.FAILED, "boot"),
        ({"wanted_end": EndReason.STOPPED}, Outcome.CANCELLED, ""),
        ({"wanted_end": EndReason.STOPPED, "timeline": {"ready": 9}}, Outcome.USED, ""),
        ({"wanted_end": EndReason.MACHINE_GONE, "timeline": {"ready": 9}}, Outcome.LOST, "running"),
        (
            {"wanted_end": EndReason.IDLE, "timeline": {"ready": 9}, "last_seen_at": START + 5},
            Outcome.USED,
            "first_frame",
        ),
        (
            {
                "wanted_end": EndReason.IDLE,
                "timeline": {"ready": 9, "first_frame": 12},
                "last_seen_at": START + 5,
            },
            Outcome.USED,
            "",
        ),
    ],
)
def test_the_verdict(changes: dict[str, Any], outcome: Outcome, stage: str) -> None:
    found = verdict(a_session(**changes))
    assert found[:2] == (outcome, stage)
    assert bool(found[2]) == bool(stage)


def test_a_cause_has_its_reason_and_its_detail() -> None:
    session = a_session(wanted_end=EndReason.MACHINE_GONE, end_detail="out of memory")
    assert verdict(session)[2] == "machine_gone: out of memory"


def test_stages_count_from_the_machines_own_beginning() -> None:
    session = a_session(timeline={"accepted": 0, "machine": 10, "ready": 90})
    assert stages_of(session, START - 5000) == {"machine": 5010, "ready": 5090}
    assert stages_of(session, START + 20) == {"machine": 0, "ready": 70}


def test_only_whole_numbers_are_taken_from_a_keeper() -> None:
    usage = Usage(1, {"memory_bytes": "12", "pids": "1.5", "cpu_ms": "-1", "disk_bytes": "٣", "other": "7"})
    assert numbers(usage) == {"memory_bytes": 12}
    assert numbers(None) == {}
