"""A keeper's configuration for tests that start none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from transom_wire.exit import NO_ROUTE
from transom_wire.keeper_config import KeeperConfig, Limits

_CONFIG = KeeperConfig(
    machine="mch_" + "a" * 20,
    session="ses_" + "a" * 20,
    folder="/nowhere/machines/mch_" + "a" * 20,
    driver="namespace",
    image_root="/nowhere/image",
    guest_source="/nowhere/guest",
    uid=None,
    width=1280,
    height=720,
    start_url="about:blank",
    exit=NO_ROUTE,
    door_address="127.0.0.1",
    door_port_low=43000,
    door_port_high=43999,
    deadline=2**45,
    limits=Limits(memory_bytes=2**30, cpu_millis=1000, pids=256),
)


def config(**changes: Any) -> KeeperConfig:
    """The configuration with some fields changed."""
    return replace(_CONFIG, **changes)
