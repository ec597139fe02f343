"""The stand-in refuses what Firecracker's documentation says is refused, so that a machine that works with it is
one that the real one takes. Where a real one can run, the same requests are put to that."""

from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.firecracker_lab import jailer_of
from tests.support.firecracker_standin.jailer import parse
from tests.support.firecracker_standin.rules import POST_BOOT, PRE_BOOT, Answer, Config, Microvm
from tests.support.firecracker_standin.server import Server
from transom_keeper.firecracker import bodies
from transom_keeper.firecracker.api import Api, ApiError

Body = dict[str, Any]


@dataclass
class Silent:
    """Runs nothing, and remembers what it was asked."""

    asked: list[str] = field(default_factory=list)
    broken: bool = False

    async def start(self, config: Config) -> None:
        self._note("start")

    async def pause(self) -> None:
        self._note("pause")

    async def resume(self) -> None:
        self._note("resume")

    async def save(self, config: Config, state: Path, memory: Path) -> None:
        self._note("save")
        state.write_text(json.dumps({"boot_source": config.boot_source, "interfaces": config.interfaces}))

    async def load(self, config: Config, memory: Path) -> None:
        self._note("load")

    def _note(self, what: str) -> None:
        self.asked.append(what)
        if self.broken:
            raise OSError("broken")


@pytest.fixture
def silent() -> Silent:
    return Silent()


@pytest.fixture
def microvm(silent: Silent) -> Microvm:
    return Microvm(silent, "1.16.1")


@pytest.fixture
def kernel(tmp_path: Path) -> str:
    path = tmp_path / "kernel"
    path.write_bytes(b"\x7fELF")
    return str(path)


async def ask(microvm: Microvm, line: str, body: Body | str | None = None) -> Answer:
    method, _, path = line.partition(" ")
    raw = b"" if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
    return await microvm.handle(method, path, raw)


async def refused(microvm: Microvm, line: str, body: Body | str | None = None) -> str:
    answer = await ask(microvm, line, body)
    assert answer.status == 400 and answer.content is not None
    return str(answer.content["fault_message"])


async def taken(microvm: Microvm, line: str, body: Body) -> None:
    assert await ask(microvm, line, body) == Answer(204)


async def started(microvm: Microvm, kernel: str) -> Microvm:
    await taken(microvm, "PUT /boot-source", {"kernel_image_path": kernel})
    await taken(microvm, "PUT /actions", {"action_type": "InstanceStart"})
    return microvm


@pytest.mark.parametrize(
    ("line", "body", "words"),
    [
        ("PUT /machine-config", {"vcpu_count": 1, "mem_size_mib": 64, "ht_enabled": True}, "deserializing"),
        ("PUT /machine-config", {"vcpu_count": 1}, "deserializing"),
        ("PUT /machine-config", {"vcpu_count": "1", "mem_size_mib": 64}, "deserializing"),
        ("PUT /machine-config", {"vcpu_count": 33, "mem_size_mib": 64}, "deserializing"),
        ("PUT /machine-config", {"vcpu_count": 3, "mem_size_mib": 64, "smt": True}, "number of vCPUs"),
        ("PUT /machine-config", "{not json", "deserializing"),
        ("PUT /machine-config", None, "Empty PUT request."),
        ("PATCH /vm", None, "Empty PATCH request."),
        ("GET /", {}, "GET request cannot have a body."),
        ("GET /nowhere", None, "Invalid request method and/or path: GET nowhere."),
        ("PUT /nowhere", {}, "Invalid request method and/or path: PUT nowhere."),
        ("DELETE /vm", {}, "Invalid request method and/or path"),
        ("PUT /boot-source", {"kernel_image_path": "/none"}, "kernel file cannot be opened"),
        ("PUT /drives/ro-ot", {"drive_id": "ro-ot", "is_root_device": False}, "alphanumeric"),
        ("PUT /drives/root", {"drive_id": "other", "is_root_device": False}, "does not match the id"),
        ("PUT /drives/root", {"drive_id": "root", "is_root_device": False}, "Drive config error"),
        ("PUT /network-interfaces/eth0", {"iface_id": "eth0", "host_dev_name": "no-such"}, "Open tap device failed"),
        ("PUT /actions", {"action_type": "InstanceStart"}, "without kernel configuration"),
        ("PUT /actions", {"action_type": "Dance"}, "deserializing"),
        ("PUT /actions", {"action_type": "FlushMetrics"}, PRE_BOOT),
        ("PATCH /vm", {"state": "Paused"}, PRE_BOOT),
        ("PATCH /drives/root", {"drive_id": "root"}, PRE_BOOT),
        ("PUT /snapshot/create", {"snapshot_path": "/s", "mem_file_path": "/m"}, PRE_BOOT),
        ("PUT /snapshot/load", {"snapshot_path": "/s"}, "deserializing"),
        (
            "PUT /snapshot/load",
            {"snapshot_path": "/s", "mem_file_path": "/m", "mem_backend": {"backend_type": "File"}},
            "deserializing",
        ),
    ],
)  # fmt: skip
async def test_before_the_start(microvm: Microvm, line: str, body: Body | str | None, words: str) -> None:
    assert words in await refused(microvm, line, body)
    assert microvm.state == "Not started"


async def test_a_second_root_device_is_refused(microvm: Microvm, kernel: str) -> None:
    drive = {"drive_id": "a", "is_root_device": True, "is_read_only": True, "path_on_host": kernel}
    await taken(microvm, "PUT /drives/a", drive)
    assert "already exists" in await refused(microvm, "PUT /drives/b", drive | {"drive_id": "b"})


async def test_a_second_card_with_the_same_address_is_refused(microvm: Microvm) -> None:
    card = {"iface_id": "eth0", "host_dev_name": "lo", "guest_mac": "06:00:00:00:00:01"}
    await taken(microvm, "PUT /network-interfaces/eth0", card)
    said = await refused(microvm, "PUT /network-interfaces/eth1", card | {"iface_id": "eth1"})
    assert "already in use" in said


@pytest.mark.parametrize(
    ("line", "body"),
    [
        ("PUT /machine-config", {"vcpu_count": 1, "mem_size_mib": 64}),
        ("PUT /boot-source", {"kernel_image_path": "/none"}),
        ("PUT /drives/a", {"drive_id": "a", "is_root_device": False}),
        ("PUT /network-interfaces/eth0", {"iface_id": "eth0", "host_dev_name": "lo"}),
        ("PUT /entropy", {}),
        ("PUT /serial", {}),
        ("PUT /logger", {}),
        ("PUT /actions", {"action_type": "InstanceStart"}),
        ("PUT /snapshot/load", {"snapshot_path": "/s", "mem_file_path": "/m"}),
    ],
)
async def test_nothing_is_configured_after_the_start(
    microvm: Microvm, kernel: str, line: str, body: Body
) -> None:
    assert await refused(await started(microvm, kernel), line, body) == POST_BOOT


async def test_a_failed_start_leaves_the_process_as_it_was(
    microvm: Microvm, silent: Silent, kernel: str
) -> None:
    await taken(microvm, "PUT /boot-source", {"kernel_image_path": kernel})
    silent.broken = True
    assert "Start microvm error" in await refused(microvm, "PUT /actions", {"action_type": "InstanceStart"})
    silent.broken = False
    await taken(microvm, "PUT /actions", {"action_type": "InstanceStart"})


async def test_pausing_and_resuming_twice_changes_nothing(
    microvm: Microvm, silent: Silent, kernel: str
) -> None:
    await started(microvm, kernel)
    for state in ("Paused", "Paused", "Resumed", "Resumed"):
        await taken(microvm, "PATCH /vm", {"state": state})
    assert silent.asked == ["start", "pause", "resume"]


async def test_only_a_paused_machine_is_saved(microvm: Microvm, kernel: str, tmp_path: Path) -> None:
    await started(microvm, kernel)
    paths = {"snapshot_path": str(tmp_path / "s"), "mem_file_path": str(tmp_path / "m")}
    assert "unavailable while running" in await refused(microvm, "PUT /snapshot/create", paths)
    await taken(microvm, "PATCH /vm", {"state": "Paused"})
    await taken(microvm, "PUT /snapshot/create", paths)


async def test_a_snapshot_loads_into_a_fresh_process_only(
    microvm: Microvm, silent: Silent, kernel: str, tmp_path: Path
) -> None:
    paths = {"snapshot_path": str(tmp_path / "s"), "mem_file_path": str(tmp_path / "m")}
    await started(microvm, kernel)
    await taken(microvm, "PATCH /vm", {"state": "Paused"})
    await taken(microvm, "PUT /snapshot/create", paths)
    used, fresh = Microvm(silent, "1.16.1"), Microvm(silent, "1.16.1")
    await taken(used, "PUT /logger", {"level": "Info"})
    await taken(used, "PUT /machine-config", {"vcpu_count": 1, "mem_size_mib": 64})
    assert "not allowed after configuring" in await refused(used, "PUT /snapshot/load", paths)
    await taken(fresh, "PUT /logger", {"level": "Info"})
    await taken(fresh, "PUT /snapshot/load", paths | {"resume_vm": True, "clock_realtime": True})
    assert fresh.state == "Running" and silent.asked[-2:] == ["load", "resume"]


@pytest.mark.parametrize("overrides", [[{"iface_id": "eth9", "host_dev_name": "lo"}], []])
async def test_a_load_that_fails_is_the_end_of_the_process(
    microvm: Microvm, silent: Silent, tmp_path: Path, overrides: list[Body]
) -> None:
    (tmp_path / "s").write_text('{"interfaces": {"eth0": {"host_dev_name": "none", "iface_id": "eth0"}}}')
    body = {"snapshot_path": str(tmp_path / "s"), "mem_file_path": "/m", "network_overrides": overrides}
    answer = await ask(microvm, "PUT /snapshot/load", body)
    assert answer.status == 400 and answer.fatal
    assert silent.asked == []


async def test_an_older_version_does_not_know_what_came_later(silent: Silent) -> None:
    body = {"snapshot_path": "/s", "mem_file_path": "/m", "clock_realtime": True}
    said = await refused(Microvm(silent, "1.15.1"), "PUT /snapshot/load", body)
    assert "unknown field `clock_realtime`" in said


async def test_the_keepers_client_understands_it(microvm: Microvm, kernel: str, tmp_path: Path) -> None:
    listening = await Server(microvm.handle).listen(tmp_path / "api")
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(tmp_path / "api"))
    api = await Api.over(connection)
    with pytest.raises(ApiError, match="before starting the microVM"):
        await api.tell(bodies.pause())
    await started(microvm, kernel)
    await api.tell(bodies.pause(), bodies.resume())
    assert (await api.state(), str(api.version)) == ("Running", "1.16.1")
    await api.close()
    listening.close()
    await asyncio.sleep(0)


@pytest.mark.parametrize(
    "wrong",
    [
        ["--id", "under_score"],
        ["--id", "x" * 65],
        ["--exec-file", "/bin/sh"],
        ["--uid", "nobody"],
        ["--resource-limit", "memory=1"],
        ["--daemonize"],
        ["--enable-pci"],
        ["--seccomp-level", "0"],
    ],
)
def test_the_jailer_refuses_what_it_does_not_know(tmp_path: Path, wrong: list[str]) -> None:
    program = tmp_path / "firecracker"
    program.touch()
    right = ["--id", "a-1", "--exec-file", str(program), "--uid", "1", "--gid", "1"]
    told, extra = parse([*right, "--", "--api-sock", "/run/x"])
    assert (told.id, extra) == ("a-1", ["--api-sock", "/run/x"])
    with pytest.raises(SystemExit):
        parse([*right, *wrong])


@pytest.mark.parametrize(
    ("firecracker", "jailer"),
    [("firecracker", "jailer"), ("firecracker-v1.16.1-x86_64", "jailer-v1.16.1-x86_64")],
)
def test_a_real_one_s_jailer_is_the_one_beside_it(tmp_path: Path, firecracker: str, jailer: str) -> None:
    for name in (firecracker, jailer):
        (tmp_path / name).touch()
    assert jailer_of(tmp_path / firecracker) == tmp_path / jailer
