"""What doctor finds, and the mend that comes with it."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.unit.transom.cli.conftest import Run
from transom.cli import checks
from transom.cli.checks import run_checks
from transom.cli.serve import read_settings
from transom.drivers import local
from transom.model.errors import DriverError
from transom.model.finding import Finding, Standing
from transom.model.machine import Probe, Problem
from transom.settings import Settings
from transom.store.database import Store


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        state=tmp_path / "state", images_dir=tmp_path / "images", web_dir=tmp_path / "web", port=0
    )


def only(findings: Iterator[Finding]) -> Finding:
    (finding,) = findings
    return finding


def test_missing_programs_come_with_their_packages(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert only(checks.programs(settings)).standing is Standing.OK
    monkeypatch.setenv("PATH", str(tmp_path))
    found = only(checks.programs(settings))
    assert found.standing is Standing.PROBLEM
    assert "bwrap" in found.what
    assert "apt-get install -y bubblewrap mmdebstrap nodejs npm tar" in found.mend


def test_no_image_and_a_broken_one(settings: Settings) -> None:
    assert only(checks.image(settings)).mend == "transom image build"
    settings.images_dir.mkdir()
    (settings.images_dir / "current").write_text("sha256-" + "0" * 64)
    found = list(run_checks(settings, [checks.image]))
    assert found[0].standing is Standing.PROBLEM
    assert found[0].mend


def test_what_each_driver_says_is_passed_on(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its problems are the installation's where it is the one in use, and else notes."""

    class Standin:
        def __init__(self, name: str) -> None:
            self.name = name

        async def probe(self) -> Probe:
            if self.name == "firecracker":
                raise DriverError("it is lost", mend="find it")
            if self.name == "qemu":
                return Probe(True, (), ())
            return Probe(False, (Problem("no user namespaces", "sysctl x"),), (Problem("no cpu limit", "y"),))

    monkeypatch.setattr(local, "local_driver", lambda settings, images, source: Standin(settings.driver))
    assert list(checks.machines(settings)) == [
        Finding("machines", Standing.PROBLEM, "no user namespaces", "sysctl x", "namespace"),
        Finding("machines", Standing.WARNING, "no cpu limit", "y", "namespace"),
        Finding("machines", Standing.NOTE, "this host can run them, too", "", "qemu"),
        Finding("machines", Standing.NOTE, "it is lost", "find it", "firecracker"),
    ]
    virtual = list(checks.machines(settings.model_copy(update={"driver": "qemu"})))
    assert [each.standing for each in virtual] == [Standing.NOTE, Standing.NOTE, Standing.OK, Standing.NOTE]


def test_the_host_is_looked_at(settings: Settings) -> None:
    found = list(checks.host(settings))
    assert {"kernel", "memory", "control groups", "door", "swap", "kvm"} <= {each.subject for each in found}
    assert all(each.mend for each in found if each.standing is not Standing.OK)


def test_a_page_without_its_dependencies(settings: Settings) -> None:
    assert only(checks.page(settings)).mend.startswith("npm ci --prefix")
    rfb = settings.web_dir / "node_modules/@novnc/novnc/core/rfb.js"
    rfb.parent.mkdir(parents=True)
    rfb.touch()
    assert only(checks.page(settings)).standing is Standing.OK


def test_a_port_in_use(settings: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = settings.model_copy(update={"port": taken.getsockname()[1]})
        found = only(checks.port(busy))
        assert found.standing is Standing.PROBLEM
        assert "in use" in found.what
        assert found.mend == f"transom serve --port {busy.port + 1}"
    assert only(checks.port(busy)).standing is Standing.OK


async def test_a_database_in_each_of_its_standings(settings: Settings) -> None:
    assert "will be made" in only(checks.database(settings)).what
    store = Store(settings.database_url)
    await store.open()
    await store.close()
    assert "up to date" in only(checks.database(settings)).what
    Path(settings.state / "transom.db").write_bytes(b"nonsense " * 1000)
    found = only(run_checks(settings, [checks.database]))
    assert found.standing is Standing.PROBLEM
    assert "not a database" in found.what


def test_a_key_that_others_read(settings: Settings) -> None:
    assert "will be made" in only(checks.vault_key(settings)).what
    settings.kek.parent.mkdir()
    settings.kek.write_bytes(bytes(range(224, 256)))
    settings.kek.chmod(0o644)
    found = only(run_checks(settings, [checks.vault_key]))
    assert found.standing is Standing.PROBLEM
    assert "chmod 600" in found.what
    settings.kek.chmod(0o600)
    assert only(checks.vault_key(settings)).standing is Standing.OK


def test_disks_that_machines_may_fill_together_are_held_against_the_room_there_is(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are sparse: each costs what is written to it."""
    monkeypatch.setattr(checks, "_closed_folder", lambda folder: None)
    machines = checks.machines_max(settings)
    for driver, mib, standing in (
        ("qemu", settings.disk_mib * machines - 1, Standing.NOTE),
        ("firecracker", settings.disk_mib * machines - 1, Standing.NOTE),
        ("qemu", settings.disk_mib * machines, Standing.OK),
        ("namespace", settings.disk_mib * machines - 1, Standing.OK),
    ):
        usage = SimpleNamespace(free=mib * 2**20)
        monkeypatch.setattr(shutil, "disk_usage", lambda path, usage=usage: usage)
        found = only(checks.state_folder(settings.model_copy(update={"driver": driver})))
        assert found.standing is standing
        assert ("TRANSOM_DISK_MIB" in found.mend) == (standing is Standing.NOTE)


def test_a_state_folder(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(checks, "_closed_folder", lambda folder: None)
    assert only(checks.state_folder(settings)).standing is Standing.OK
    monkeypatch.setattr(checks, "FREE_MIB", 2**60)
    assert only(checks.state_folder(settings)).standing is Standing.WARNING
    (tmp_path / "file").touch()
    blocked = settings.model_copy(update={"state": tmp_path / "file"})
    assert only(checks.state_folder(blocked)).standing is Standing.PROBLEM


def test_a_folder_that_machines_cannot_pass(tmp_path: Path) -> None:
    inner = tmp_path / "closed" / "open"
    inner.mkdir(parents=True)
    os.chmod(tmp_path / "closed", 0o700)
    for parent in tmp_path.parents:
        if not parent.stat().st_mode & 1:
            assert checks._closed_folder(inner) in (parent, *parent.parents)
            return
    assert checks._closed_folder(inner) in (tmp_path / "closed", tmp_path)


def test_a_check_that_fails_is_a_finding(settings: Settings) -> None:
    def ours(settings: Settings) -> Iterator[Finding]:
        raise DriverError("it is broken", mend="mend it")
        yield

    def hosts(settings: Settings) -> Iterator[Finding]:
        raise PermissionError(13, "Permission denied", "/secret/path")
        yield

    def slow(settings: Settings) -> Iterator[Finding]:
        raise TimeoutError
        yield

    found = list(run_checks(settings, [ours, hosts, slow]))
    assert [each.subject for each in found] == ["ours", "hosts", "slow"]
    assert found[0] == Finding("ours", Standing.PROBLEM, "it is broken", "mend it")
    assert "Permission denied" in found[1].what
    assert "in time" in found[2].what


def test_the_report(transom: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def good(settings: Settings) -> Iterator[Finding]:
        yield Finding("good", Standing.OK, "as it should be")

    def weak(settings: Settings) -> Iterator[Finding]:
        yield Finding("weak", Standing.WARNING, "it \x1b[2J could be better", "do this")

    def bad(settings: Settings) -> Iterator[Finding]:
        yield Finding("bad", Standing.PROBLEM, "it is not there", "make it")

    state = ("--state", str(tmp_path))
    monkeypatch.setattr(run_checks, "__defaults__", ([good, weak],))
    healthy = transom("doctor", *state)
    assert healthy.exit_code == 0
    assert "mend: do this" in healthy.stdout
    assert "\x1b" not in healthy.stdout
    monkeypatch.setattr(run_checks, "__defaults__", ([good, bad],))
    assert transom("doctor", *state).exit_code == 1
    as_json = transom("doctor", "--json", *state)
    assert as_json.exit_code == 1
    report = json.loads(as_json.stdout)
    assert report["healthy"] is False
    assert report["findings"][1] == {
        "group": "server",
        "subject": "bad",
        "standing": "problem",
        "what": "it is not there",
        "mend": "make it",
    }


def test_the_report_is_grouped_and_notes_are_no_illness(
    transom: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def mixed(settings: Settings) -> Iterator[Finding]:
        for group in ("qemu", "host", "namespace", "server", "qemu"):
            yield Finding(f"of {group}", Standing.NOTE, "worth knowing", group=group)

    monkeypatch.setattr(run_checks, "__defaults__", ([mixed],))
    said = transom("doctor", "--state", str(tmp_path))
    assert said.exit_code == 0
    groups = [line.split()[1] for line in said.stdout.splitlines()]
    assert groups == ["server", "host", "namespace", "qemu", "qemu"]
    report = json.loads(transom("doctor", "--json", "--state", str(tmp_path)).stdout)
    assert [each["group"] for each in report["findings"]] == groups


def test_settings_come_from_the_environment_and_the_command_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TRANSOM_PORT", "4100")
    assert read_settings(state=tmp_path, port=None).port == 4100
    assert read_settings(state=tmp_path, port=4200).port == 4200
