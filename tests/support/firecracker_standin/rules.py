"""What Firecracker's API takes, when, and what it says when it does not: the stand-in's mind, without its hands.

Written from the documentation and held to `schema.json` by a complete JSON Schema implementation, which is
another one than the keeper's. Where the real one offers more than machines here need (vsock, MMDS, balloon,
hot-plug, differential snapshots), this one refuses: it is never laxer.
"""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import jsonschema_rs

from transom_keeper.firecracker import schema
from transom_keeper.firecracker.version import Version, parse

PRE_BOOT = "The requested operation is not supported before starting the microVM."
POST_BOOT = "The requested operation is not supported after starting the microVM."
BAD_JSON = "An error occurred when deserializing the json body of a request: {}."
Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, its content, and whether the process ends with it."""

    status: int
    content: Body | None = None
    fatal: bool = False


class Fault(Exception):
    """A 400 with its fault_message."""


class Fatal(Fault):
    """The same, after which the process is too dirty to go on."""


@dataclass(slots=True)
class Config:
    """What has been configured before the start; what a snapshot's state file holds."""

    machine: Body = field(default_factory=lambda: {"vcpu_count": 1, "mem_size_mib": 128, "smt": False})
    boot_source: Body | None = None
    drives: dict[str, Body] = field(default_factory=dict)
    interfaces: dict[str, Body] = field(default_factory=dict)
    entropy: Body | None = None
    serial: Body = field(default_factory=dict)


class Hypervisor(Protocol):
    """What really runs a guest. Each may raise OSError."""

    async def start(self, config: Config) -> None: ...
    async def pause(self) -> None: ...
    async def resume(self) -> None: ...
    async def save(self, config: Config, state: Path, memory: Path) -> None: ...
    async def load(self, config: Config, memory: Path) -> None: ...


_DOCUMENT = schema.document()
_WHOLE = {
    name: jsonschema_rs.validator_for({"$defs": _DOCUMENT["$defs"], "$ref": f"#/$defs/{name}"})
    for name in _DOCUMENT["$defs"]
}


@dataclass(slots=True)
class Microvm:
    """One Firecracker process: not started, running or paused."""

    hypervisor: Hypervisor
    version: str
    id: str = "anonymous-instance"
    state: str = "Not started"
    config: Config = field(default_factory=Config)
    configured: bool = False
    """Something other than logger, metrics and serial was configured: no snapshot can be loaded any more."""

    async def handle(self, method: str, path: str, raw: bytes) -> Answer:
        """Answer one request."""
        try:
            return await self._handle(method, path, raw)
        except Fault as fault:
            return Answer(400, {"fault_message": str(fault)}, isinstance(fault, Fatal))

    async def _handle(self, method: str, path: str, raw: bytes) -> Answer:
        if method == "GET":
            return self._look(path, raw)
        if method in ("PUT", "PATCH") and not raw:
            raise Fault(f"Empty {method} request.")
        body = self._body(method, path, raw)
        step, _, rest = path.strip("/").partition("/")
        if step in ("drives", "network-interfaces"):
            _check_id(rest, body["drive_id" if step == "drives" else "iface_id"])
        if method == "PATCH":
            await self._change(step, body)
        elif step == "actions":
            await self._act(body["action_type"])
        elif step == "snapshot":
            await (self._save(body) if rest == "create" else self._load(body))
        else:
            self._configure(step, rest, body)
        return Answer(204)

    def _look(self, path: str, raw: bytes) -> Answer:
        if raw:
            raise Fault("GET request cannot have a body.")
        match path.rstrip("/"):
            case "":
                about = {"app_name": "Firecracker", "id": self.id, "state": self.state}
                return Answer(200, about | {"vmm_version": self.version})
            case "/version":
                return Answer(200, {"firecracker_version": self.version})
            case "/machine-config":
                return Answer(200, dict(self.config.machine))
        raise Fault(f"Invalid request method and/or path: GET {path.strip('/').partition('/')[0]}.")

    def _body(self, method: str, path: str, raw: bytes) -> Body:
        name = schema.definition(method, path.rstrip("/"))
        if name is None:
            raise Fault(f"Invalid request method and/or path: {method} {path.strip('/').partition('/')[0]}.")
        try:
            body = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise Fault(BAD_JSON.format(error)) from error
        for error in _WHOLE[name].iter_errors(body):
            raise Fault(BAD_JSON.format(error.message))
        version = parse(self.version) or Version(0, 0, 0)
        for field_name, rule in _DOCUMENT["$defs"][name]["properties"].items():
            since = parse(rule.get("x-since", "0.0.0"))
            if field_name in body and since is not None and version < since:
                raise Fault(BAD_JSON.format(f"unknown field `{field_name}`"))
        return dict(body)

    def _configure(self, step: str, name: str, body: Body) -> None:
        if self.state != "Not started":
            raise Fault(POST_BOOT)
        self.configured = self.configured or step not in ("logger", "metrics", "serial")
        match step:
            case "machine-config":
                _check_machine(body)
                self.config.machine = body
            case "boot-source":
                _check_boot_source(body)
                self.config.boot_source = body
            case "drives":
                _check_drive(body, self.config.drives)
                self.config.drives[name] = body
            case "network-interfaces":
                _check_interface(body, self.config.interfaces)
                self.config.interfaces[name] = body
            case "entropy":
                self.config.entropy = body
            case "serial":
                self.config.serial = body

    async def _act(self, action: str) -> None:
        if action != "InstanceStart":
            if self.state == "Not started":
                raise Fault(PRE_BOOT)
            if action == "SendCtrlAltDel":
                raise Fault("The stand-in has no keyboard.")
            return
        if self.state != "Not started":
            raise Fault(POST_BOOT)
        if self.config.boot_source is None:
            raise Fault("Start microvm error: Cannot start microvm without kernel configuration.")
        try:
            await self.hypervisor.start(self.config)
        except OSError as error:
            raise Fault(f"Start microvm error: {error}") from error
        self.state = "Running"

    async def _change(self, step: str, body: Body) -> None:
        if self.state == "Not started":
            raise Fault(PRE_BOOT)
        if step != "vm":
            raise Fault("The stand-in changes no device of a running machine.")
        wanted = "Paused" if body["state"] == "Paused" else "Running"
        if wanted != self.state:
            await (self.hypervisor.pause() if wanted == "Paused" else self.hypervisor.resume())
            self.state = wanted

    async def _save(self, body: Body) -> None:
        if self.state == "Not started":
            raise Fault(PRE_BOOT)
        if self.state != "Paused":
            raise Fault(
                "Create snapshot error: Cannot save the microVM state: "
                "Operation not allowed: save/restore unavailable while running"
            )
        if body.get("snapshot_type", "Full") != "Full":
            raise Fault("Create snapshot error: The stand-in saves full snapshots only.")
        try:
            state, memory = Path(body["snapshot_path"]), Path(body["mem_file_path"])
            await self.hypervisor.save(self.config, state, memory)
        except OSError as error:
            raise Fault(f"Create snapshot error: {error}") from error

    async def _load(self, body: Body) -> None:
        if self.state != "Not started":
            raise Fault(POST_BOOT)
        if self.configured:
            raise Fault(
                "Load snapshot error: Loading a microVM snapshot not allowed after configuring "
                "boot-specific resources."
            )
        backend = body.get("mem_backend") or {"backend_type": "File", "backend_path": body["mem_file_path"]}
        try:
            if backend["backend_type"] != "File":
                raise ValueError("the stand-in loads memory from files only")
            config = Config(**json.loads(Path(body["snapshot_path"]).read_text()))
            _override(config, body.get("network_overrides", []))
            _check_again(config)
            await self.hypervisor.load(config, Path(backend["backend_path"]))
            if body.get("resume_vm"):
                await self.hypervisor.resume()
        except (OSError, ValueError, TypeError, KeyError, Fault) as error:
            raise Fatal(f"Load snapshot error: Failed to restore from snapshot: {error}") from error
        self.config = config
        self.state = "Running" if body.get("resume_vm") else "Paused"


def _check_id(in_path: str, in_body: str) -> None:
    if not in_path:
        raise Fault("The ID cannot be empty.")
    if not all(each == "_" or each.isalnum() for each in in_path):
        raise Fault("API Resource IDs can only contain alphanumeric characters and underscores.")
    if in_path != in_body:
        raise Fault("The id from the path does not match the id from the body!")


def _check_machine(body: Body) -> None:
    if body.get("smt") and body["vcpu_count"] > 1 and body["vcpu_count"] % 2:
        raise Fault(
            "Machine config error: The number of vCPUs must be greater than 0, less than 32 and must be 1 or "
            "an even number if SMT is enabled."
        )


def _check_boot_source(body: Body) -> None:
    for name, words in (("kernel_image_path", "kernel"), ("initrd_path", "initrd")):
        if name in body:
            try:
                os.close(os.open(body[name], os.O_RDONLY))
            except OSError as error:
                raise Fault(
                    f"Boot source error: The {words} file cannot be opened: {error.strerror}"
                ) from error


def _check_drive(body: Body, known: dict[str, Body]) -> None:
    if "socket" in body or "path_on_host" not in body or "is_read_only" not in body:
        raise Fault("Drive config error: Unable to create the virtio block device: Invalid configuration")
    others = [each for each in known.values() if each["drive_id"] != body["drive_id"]]
    if body["is_root_device"] and any(each["is_root_device"] for each in others):
        raise Fault("Drive config error: A root block device already exists!")
    try:
        os.close(os.open(body["path_on_host"], os.O_RDONLY if body["is_read_only"] else os.O_RDWR))
    except OSError as error:
        raise Fault(f"Drive config error: Unable to create the virtio block device: {error}") from error


def _check_interface(body: Body, known: dict[str, Body]) -> None:
    others = [each for each in known.values() if each["iface_id"] != body["iface_id"]]
    if any(each.get("guest_mac") == body.get("guest_mac", "") for each in others):
        raise Fault(f"Network config error: The MAC address is already in use: {body['guest_mac']}")
    try:
        socket.if_nametoindex(body["host_dev_name"])
    except OSError as error:
        raise Fault(
            "Network config error: Could not create the network device: Open tap device failed: "
            f"no interface {body['host_dev_name']}"
        ) from error


def _override(config: Config, overrides: list[Body]) -> None:
    for each in overrides:
        if each["iface_id"] not in config.interfaces:
            raise ValueError("unknown network device")
        config.interfaces[each["iface_id"]]["host_dev_name"] = each["host_dev_name"]


def _check_again(config: Config) -> None:
    """Whatever the snapshot's machine had must be there for this one, under the same paths."""
    for drive in config.drives.values():
        _check_drive(drive, {})
    for interface in config.interfaces.values():
        _check_interface(interface, {})
