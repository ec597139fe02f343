"""A keeper's Snapshot for tests that have no keeper."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from transom_wire import WIRE_VERSION
from transom_wire.control import Snapshot

_SNAPSHOT = Snapshot(
    version=WIRE_VERSION,
    machine="mch_" + "a" * 20,
    session="ses_" + "a" * 20,
    exit=None,
    state="running",
    exit_reason="",
    started_at=1,
    deadline=2,
    door_address="127.0.0.1",
    door_port=43000,
    stages={"guest": "1"},
    roles=("boot",),
    width=1280,
    height=720,
    warnings=(),
    peers=(),
    counters={},
)


def snapshot(**changes: Any) -> Snapshot:
    """The snapshot with some fields changed."""
    return replace(_SNAPSHOT, **changes)
