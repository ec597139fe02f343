"""From the driver's call to a keeper that nobody has to wait for: daemon, place, rights, loop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import importlib
import importlib.abc
import importlib.machinery
import json
import logging
import os
import random
import shutil
import signal
import socket
import stat
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import ModuleType

from transom_keeper import cgroups, log
from transom_keeper.control import bind
from transom_keeper.firecracker import machine as firecracker
from transom_keeper.image_hold import hold
from transom_keeper.keeper import Keeper, Place
from transom_keeper.launch import launch
from transom_keeper.log import GuestOutput
from transom_keeper.machine import Launcher, LaunchError
from transom_keeper.machine_id import MachineIdFile
from transom_keeper.privileges import drop
from transom_keeper.sandbox import tag_of
from transom_keeper.vm import qemu
from transom_keeper.vm.arguments import vmm_limits
from transom_wire.codec import WireError, decode
from transom_wire.framing import HEADER, MAX_FRAME
from transom_wire.keeper_config import KeeperConfig

logger = logging.getLogger("keeper.start")

SOCKET, LOG, GUEST_LOG = "keeper.sock", "keeper.log", "guest.log"
KVM = "/dev/kvm"
CONFIG_SECONDS = 10
CLAIM_TRIES, CLAIM_WAIT_SECONDS = 25, 0.02
"""Whoever only looks for a keeper holds the lock for a moment, too."""
_LATE_MODULES = (
    "encodings.idna",
    "concurrent.futures.thread",
    "traceback",
    "linecache",
    "tokenize",
    "stringprep",
)
"""Imported by the standard library only when first needed: after rights are dropped that may be too late."""


class StartError(LaunchError):
    """The keeper cannot even begin."""


def read_config(stream: int) -> KeeperConfig:
    """The one frame on standard input. Raises StartError."""
    try:
        (size,) = HEADER.unpack(_read(stream, HEADER.size))
        if not 0 < size <= MAX_FRAME:
            raise StartError("the configuration is too long")
        return decode(_read(stream, size), (KeeperConfig,))
    except WireError as error:
        raise StartError(f"the configuration is not one: {error}") from error


def _read(stream: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = os.read(stream, size - len(data))
        if not more:
            raise StartError("the configuration is cut short")
        data += more
    return data


def daemonize() -> int:
    """Leave the caller's session. Returns in the daemon with the descriptor to report on; the process that
    was called prints the report and ends with it."""
    reader, writer = os.pipe()
    if os.fork():
        os.close(writer)
        _pass_on(reader)
    os.close(reader)
    os.setsid()
    if os.fork():
        os._exit(0)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.close(null)
    return writer


def _pass_on(reader: int) -> None:
    """Print what the daemon reports, and end. Never returns."""
    report = b""
    while more := os.read(reader, 4096):
        report += more
    os.write(1, report or json.dumps({"error": "the keeper died while it started", "mend": ""}).encode())
    os._exit(0 if b'"ready"' in report else 1)


def prepare(config: KeeperConfig, starter: int) -> Place:
    """Everything that wants rights or the machine's folder. Raises StartError, OSError."""
    folder = Path(config.folder)
    os.chdir(folder)
    _claim(folder)
    for source in (config.image_root, config.guest_source):
        try:
            hold(Path(source))
        except OSError as error:
            raise StartError(
                f"what it starts from is not there: {error}", "transom image list", "image"
            ) from error
    log.start(Path(LOG))
    output = log.GuestOutput(log.BoundedFile(Path(GUEST_LOG)))
    tag = tag_of(folder)
    control = bind(SOCKET)
    public = bind_door(config.door_address, config.door_port_low, config.door_port_high)
    groups = _make_groups(config, tag)
    place = Place(
        control=control,
        public=public,
        groups=groups,
        allowed_uids=frozenset({0, starter, starter if config.uid is None else config.uid}),
        launcher=_launcher(config, tag, groups, output),
    )
    if config.uid is not None:
        for name in (".", LOG, GUEST_LOG):
            os.chown(name, config.uid, config.uid, follow_symlinks=False)
    return place


def _launcher(config: KeeperConfig, tag: str, groups: cgroups.Groups, output: GuestOutput) -> Launcher:
    """How this driver's machines are made, with all in hand that wants rights. Raises StartError, LaunchError,
    OSError."""
    if config.driver == "firecracker":
        return firecracker.prepare(config, tag, output)
    if config.driver == "qemu":
        return qemu.prepare(config, tag, groups, output)
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        raise StartError("bubblewrap is not installed", "apt-get install bubblewrap")
    return partial(launch, bwrap, config, tag, groups, output, MachineIdFile.make(Path()))


def kvm_group(config: KeeperConfig) -> int | None:
    """The group that may use KVM, for a machine that is to. Raises OSError."""
    if config.vm is None or config.vm.accelerator != "kvm":
        return None
    found = os.stat(KVM)
    return found.st_gid if found.st_mode & stat.S_IRGRP and found.st_gid else None


def _make_groups(config: KeeperConfig, tag: str) -> cgroups.Groups:
    if config.driver == "firecracker" or (config.helper is not None and os.geteuid() != 0):
        return cgroups.Groups()  # the root helper makes them
    limits = config.limits if config.vm is None else vmm_limits(config.limits, config.vm.accelerator)
    groups = cgroups.make(f"{config.machine}-{tag}", limits, cgroups.own_bases())
    for warning in groups.warnings:
        logger.warning("%s", warning)
    return groups


def _claim(folder: Path) -> None:
    """Hold the folder's lock for life: whoever can take it knows that no keeper lives. Raises StartError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for _ in range(CLAIM_TRIES):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(CLAIM_WAIT_SECONDS)
    raise StartError("this machine has a keeper already")


def bind_door(address: str, low: int, high: int, *, tries: int = 64) -> socket.socket:
    """A UDP socket on a free port of the range. An address that is not this host's own (a cloud's public one)
    means every address. Raises StartError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    ports: Sequence[int] = range(low, high + 1)
    if len(ports) == 0:
        raise StartError(f"the door's range of ports {low}-{high} is empty", stage="network")
    chosen = random.sample(ports, min(tries, len(ports)))
    for port in chosen:
        public = socket.socket(family, socket.SOCK_DGRAM)
        try:
            _bind_one(public, address, port)
        except OSError as error:
            public.close()
            failure = error
            continue
        public.setblocking(False)
        return public
    raise StartError(
        f"no free UDP port for the door in {low}-{high}: {failure.strerror}",
        "widen the door's range of ports, or end sessions",
        "network",
    )


def _bind_one(public: socket.socket, address: str, port: int) -> None:
    try:
        public.bind((address, port))
    except OSError as error:
        if error.errno != errno.EADDRNOTAVAIL:
            raise
        logger.info("%s is not an address of this host: the door listens on all", address)
        public.bind(("::" if ":" in address else "0.0.0.0", port))


class _LateImport(importlib.abc.MetaPathFinder):
    """Says so when a module is looked for after the rights to read it may be gone."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        logger.warning("late import of %s", name)
        return None


def preload() -> None:
    """Import what will be needed once files of the host cannot be read any more."""
    for name in _LATE_MODULES:
        importlib.import_module(name)
    sys.meta_path.insert(0, _LateImport())


async def keep(config: KeeperConfig, place: Place, report: int) -> None:
    """Run the machine; the first word goes to `report`."""
    keeper = Keeper(config, place)
    machine = await keeper.start()
    _report(report, {"ready": True, "pid": os.getpid()})
    await keeper.run(machine)


def _report(descriptor: int, word: dict[str, object]) -> None:
    os.write(descriptor, json.dumps(word).encode())
    os.close(descriptor)


def main(machine: str, folder: str) -> None:
    """The whole life of a keeper."""
    signal.alarm(CONFIG_SECONDS)
    config = read_config(0)
    signal.alarm(0)
    if (config.machine, config.folder) != (machine, folder):
        raise StartError("the configuration is of another machine")
    if config.uid == 0 or (config.uid is None and os.geteuid() == 0):
        raise StartError("a machine never runs as root: the keeper was told no user to become")
    starter = os.getuid()
    report = daemonize()
    for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(ignored, signal.SIG_IGN)
    try:
        place = prepare(config, starter)
        preload()
        drop(config.uid, kvm_group(config))
        asyncio.run(keep(config, place, report))
    except (LaunchError, OSError) as error:
        logger.error("%s", error)
        with contextlib.suppress(OSError):
            stage = getattr(error, "stage", "boot")
            _report(report, {"error": str(error), "mend": getattr(error, "mend", ""), "stage": stage})
        os._exit(1)
    except BaseException:
        logger.exception("the keeper ends, and its machine with it")
        os._exit(1)
    os._exit(0)
