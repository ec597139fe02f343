"""Machines and the warm pool, for administrators: what stands, what was made, what failed and why."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query

from transom.api.access import Administrator, P
from transom.api.bodies import FunnelView, MachineLog, MachinesView, MachineView, PoolView
from transom.api.parts import Parts
from transom.model.errors import NotFound
from transom.model.ids import is_id
from transom.model.machine import Machine, MachinePhase
from transom.sessions.usage import numbers

router = APIRouter(tags=["machines"])
DAY_MS = 86_400_000
Limit = Annotated[int, Query(ge=0, le=1000)]


@router.get("/api/machines")
async def get_machines(who: Administrator, parts: P, limit: Limit = 100) -> MachinesView:
    """The pool, the funnel of the last day, all machines that stand and the newest `limit` that are over."""
    counts = await parts.machines.machine_counts(since=parts.clock() - DAY_MS)
    rows = await parts.machines.list_machines(living=False, limit=limit)
    parked = parts.pool.usage()
    return MachinesView(
        pool=PoolView(**asdict(parts.pool.state())),
        funnel=[
            FunnelView(driver=driver, warm=warm, outcome=outcome, failed_stage=stage, count=count)
            for driver, warm, outcome, stage, count in counts
        ],
        machines=[view(row, _usage(parts, row, parked.get(row.id, 0))) for row in rows],
    )


@router.get("/api/machines/{machine}/log")
async def get_log(machine: str, who: Administrator, parts: P) -> MachineLog:
    """What a failed machine wrote: the ends of its logs. The guest's part may say anything."""
    text = await parts.machines.machine_log(machine) if is_id(machine, "mch") else None
    if text is None:
        raise NotFound("there is no log of such a machine")
    return MachineLog(machine=machine, log=text)


def view(row: Machine, usage: dict[str, int]) -> MachineView:
    """The object of `docs/reference/http.md`."""
    return MachineView(
        **asdict(row)
        | {
            "phase": row.phase.value,
            "outcome": row.outcome.value if row.outcome else None,
            "stages": dict(row.stages),
            "usage": usage or dict(row.usage),
        }
    )


def _usage(parts: Parts, row: Machine, parked_bytes: int) -> dict[str, int]:
    if row.phase is MachinePhase.OVER:
        return {}
    if row.session is not None:
        return numbers(parts.guests.usage(row.session))
    return {"memory_bytes": parked_bytes} if parked_bytes else {}
