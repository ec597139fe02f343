"""What a keeper shows of its machine: to a controller that attaches, and to whoever comes after its end."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from transom_keeper.deadline import now_ms
from transom_keeper.door import Door
from transom_keeper.forwarder import Forwarder
from transom_keeper.link import LinkRelay
from transom_keeper.outbox import Outbox
from transom_wire import WIRE_VERSION
from transom_wire.control import Snapshot
from transom_wire.keeper_config import KeeperConfig

MOST = {"warnings": 16, "peers": 64, "counters": 64}
"""The wire's limits."""


def snapshot(
    config: KeeperConfig,
    *,
    exit_reason: str | None,
    times: tuple[int, int],
    size: tuple[int, int],
    door_port: int,
    stages: Mapping[str, str],
    warnings: tuple[str, ...],
    link: LinkRelay | None,
    door: Door | None,
    counters: dict[str, str],
) -> Snapshot:
    """The machine now. `times` are its start and its deadline, Unix milliseconds; `size` is in pixels."""
    live = exit_reason is None
    return Snapshot(
        version=WIRE_VERSION,
        machine=config.machine,
        session=config.session,
        exit=config.exit.exit,
        state="running" if live else "exited",
        exit_reason=exit_reason or "",
        started_at=times[0],
        deadline=times[1],
        door_address=config.door_address,
        door_port=door_port,
        stages=dict(stages),
        roles=link.roles if link is not None and live else (),
        width=size[0],
        height=size[1],
        warnings=tuple(each[:500] for each in warnings[: MOST["warnings"]]),
        peers=door.peers()[: MOST["peers"]] if door is not None and live else (),
        counters=dict(list(counters.items())[: MOST["counters"]]),
    )


def counters(
    outbox: Outbox, link: LinkRelay | None, door: Door | None, forwarder: Forwarder | None
) -> dict[str, str]:
    """Every part's counters under its name, as decimal text."""
    found = {"outbox_dropped": str(outbox.dropped)}
    if link is not None:
        found |= {f"link_{name}": str(count) for name, count in link.counts.items()}
    for prefix, part in (("door", door), ("exit", forwarder)):
        if part is not None:
            found |= {f"{prefix}_{name}": count for name, count in part.counters().items()}
    return found


def note_exit(machine: str, reason: str) -> None:
    """Leave word, in the machine's folder, for whoever comes after the keeper."""
    note = {"machine": machine, "reason": reason, "at": now_ms()}
    with contextlib.suppress(OSError):
        Path("exit.json.new").write_text(json.dumps(note) + "\n")
        os.replace("exit.json.new", "exit.json")
