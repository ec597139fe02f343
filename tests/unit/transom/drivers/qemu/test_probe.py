from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from transom.drivers.namespace import probe as sandboxes
from transom.drivers.qemu.probe import Facts, ask_helper, judge, version_of
from transom.model.machine import Problem

SANDBOX = sandboxes.Facts("/usr/bin/bwrap", "x86_64", {}, True, sandboxes.Trial(True, ""), (), (), ())
GOOD = Facts(
    SANDBOX, "/usr/bin/qemu-system-x86_64", "QEMU emulator version 7.2.22", None, (), (), "auto", True
)


def test_a_host_with_everything() -> None:
    found = judge(GOOD)
    assert found.usable and found.problems == () and found.warnings == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sandbox": replace(SANDBOX, architecture="aarch64")}, "no virtual machines on aarch64"),
        ({"sandbox": replace(SANDBOX, bwrap=None)}, "bubblewrap"),
        ({"version": None}, "does not run"),
        ({"version": "QEMU emulator version 6.2.0"}, "too old"),
        ({"version": "something else"}, "too old"),
        ({"program": "/opt/qemu/bin/qemu"}, "not below /usr"),
        ({"helper": Problem("no root helper listens", "start it")}, "no root helper"),
        ({"missing": ("image sha256-1 has no vmlinux",)}, "no vmlinux"),
        ({"accelerator": "kvm", "kvm_works": False}, "KVM does not work"),
    ],
)
def test_each_problem_comes_with_its_mend(change: dict[str, object], words: str) -> None:
    found = judge(replace(GOOD, **change))  # type: ignore[arg-type]
    assert not found.usable
    assert any(words in each.what for each in found.problems)
    assert all(each.mend for each in found.problems)


def test_emulation_is_a_warning() -> None:
    for change in ({"kvm_works": False}, {"accelerator": "tcg", "kvm_works": None}):
        found = judge(replace(GOOD, **change))  # type: ignore[arg-type]
        assert found.usable and "emulated" in found.warnings[0].what and found.warnings[0].mend


def test_limits_that_the_helper_cannot_give_are_warnings() -> None:
    found = judge(replace(GOOD, unlimited=("memory", "pids")))
    assert found.usable and all(each.mend for each in found.warnings)
    assert [each.what[:30] for each in found.warnings] == [
        "machines get no memory limit: ",
        "machines get no pids limit: th",
    ]


def test_versions() -> None:
    assert version_of("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)") == (7, 2)
    assert version_of("QEMU emulator version 10.0.2") == (10, 0)
    assert version_of("") is None


def test_a_helper_that_is_not_there_is_a_problem_with_its_mend(tmp_path: Path) -> None:
    found, missing = ask_helper(tmp_path / "nobody")
    assert missing == () and found is not None and "no root helper" in found.what and found.mend
