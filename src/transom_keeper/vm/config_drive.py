"""The config drive: how a virtual machine learns who it is, whatever its VMM. Pure.

A raw disk of CONFIG_BYTES: CONFIG_MAGIC, one JSON object, zeros. Nothing in it lasts: the boot token works once,
and the rest is no secret.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from transom_wire.keeper_config import KeeperConfig
from transom_wire.vm import CONFIG_BYTES, CONFIG_MAGIC, GATEWAY, GUEST

VERSION = 1
HOSTNAME = "transom"
"""Until a claim gives another."""


@dataclass(frozen=True, slots=True)
class DriveConfig:
    """What the guest's init reads. Sizes in pixels; `machine_id` as machine-id(5)."""

    machine: str
    boot_token: str
    machine_id: str
    hostname: str
    width: int
    height: int
    program: str
    emulated: bool
    """True: no processor of the host's runs it, so the browser must do without its compiler."""
    address: str = GUEST
    gateway: str = GATEWAY
    version: int = VERSION


def describe(config: KeeperConfig, boot_token: str, machine_id: str) -> DriveConfig:
    """What the machine of `config` is told."""
    return DriveConfig(
        machine=config.machine,
        boot_token=boot_token,
        machine_id=machine_id,
        hostname=HOSTNAME,
        width=config.width,
        height=config.height,
        program=config.program,
        emulated=config.vm is not None and config.vm.accelerator == "tcg",
    )


def encode_drive(config: DriveConfig) -> bytes:
    """The whole drive. Raises ValueError for what does not fit."""
    content = CONFIG_MAGIC + json.dumps(asdict(config)).encode()
    if len(content) >= CONFIG_BYTES:
        raise ValueError("the configuration is longer than its drive")
    return content.ljust(CONFIG_BYTES, b"\0")
