from __future__ import annotations

import os
from pathlib import Path

import pytest

from transom.drivers.qemu import accelerator as module
from transom.drivers.qemu.accelerator import Accelerators

KERNEL = Path("/nowhere/vmlinux")


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A VMM that writes down how often it ran, on a host whose /dev/kvm opens."""
    (tmp_path / "kvm").touch()
    monkeypatch.setattr(module, "KVM", tmp_path / "kvm")
    return says(tmp_path, "echo Kernel panic - not syncing")


def says(folder: Path, script: str) -> Path:
    program = folder / "qemu"
    program.write_text(f"#!/bin/sh\necho run >> {folder}/runs\n{script}\n")
    program.chmod(0o755)
    return program


def runs(program: Path) -> int:
    path = program.with_name("runs")
    return len(path.read_text().split()) if path.exists() else 0


def test_kvm_is_chosen_where_a_kernel_gets_through_it_and_asked_once(program: Path) -> None:
    accelerators = Accelerators(program, "auto")
    assert [accelerators.choose(KERNEL) for _ in range(3)] == ["kvm"] * 3
    assert runs(program) == 1


def test_a_kvm_that_hangs_or_does_nothing_is_none(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TRIAL_SECONDS", 0.2)
    for script in ("exec sleep 60", "exit 1", "true"):
        says(program.parent, script)
        assert Accelerators(program, "auto").choose(KERNEL) == "tcg"
    assert Accelerators(program.with_name("nobody"), "auto").choose(KERNEL) == "tcg"


def test_without_the_device_nothing_is_tried(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KVM", program.with_name("no-kvm"))
    assert Accelerators(program, "auto").choose(KERNEL) == "tcg"
    assert runs(program) == 0


@pytest.mark.parametrize("wanted", ["kvm", "tcg"])
def test_what_is_wanted_is_taken_untried(program: Path, wanted: str) -> None:
    assert Accelerators(program, wanted).choose(KERNEL) == wanted
    assert runs(program) == 0 and os.access(program, os.X_OK)
