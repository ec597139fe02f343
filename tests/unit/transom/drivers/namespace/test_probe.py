from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from transom.drivers.namespace.probe import Facts, Trial, closed_to, gather, judge

GOOD = Facts(
    bwrap="/usr/bin/bwrap",
    architecture="x86_64",
    sysctls={"user.max_user_namespaces": "96365"},
    seccomp=True,
    trial=Trial(True, ""),
    closed=(),
    missing=(),
    uncontrolled=(),
)
FAILED = Trial(False, "bwrap: No permissions to create new namespace")


def test_a_good_host_is_usable_without_a_word() -> None:
    probe = judge(GOOD)
    assert probe.usable and probe.problems == () and probe.warnings == ()


@pytest.mark.parametrize(
    ("facts", "what", "mend"),
    [
        (replace(GOOD, bwrap=None), "bubblewrap", "apt-get install bubblewrap"),
        (replace(GOOD, seccomp=False), "seccomp", "CONFIG_SECCOMP_FILTER"),
        (replace(GOOD, architecture="riscv64"), "riscv64", "x86_64"),
        (
            replace(GOOD, trial=FAILED, sysctls={"kernel.apparmor_restrict_unprivileged_userns": "1"}),
            "apparmor",
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        (
            replace(GOOD, trial=FAILED, sysctls={"kernel.unprivileged_userns_clone": "0"}),
            "unprivileged_userns_clone",
            "sysctl -w kernel.unprivileged_userns_clone=1",
        ),
        (
            replace(GOOD, trial=FAILED, sysctls={"user.max_user_namespaces": "0"}),
            "max_user_namespaces",
            "sysctl -w user.max_user_namespaces=",
        ),
        (replace(GOOD, trial=FAILED), "No permissions", "user namespaces"),
        (replace(GOOD, trial=Trial(False, "bwrap: Unknown option --perms")), "too old", "Debian 12"),
        (replace(GOOD, closed=("/root",)), "/root", "chmod o+x /root"),
        (replace(GOOD, missing=("/x",)), "/x", "image build"),
    ],
)
def test_each_problem_comes_with_its_mend(facts: Facts, what: str, mend: str) -> None:
    probe = judge(facts)
    assert not probe.usable
    assert any(what in each.what and mend in each.mend for each in probe.problems), probe.problems


def test_a_setting_that_hinders_nobody_is_no_problem() -> None:
    """Ubuntu restricts user namespaces and lets bubblewrap through by a profile of its own."""
    assert judge(replace(GOOD, sysctls={"kernel.apparmor_restrict_unprivileged_userns": "1"})).usable


def test_missing_groups_are_a_warning() -> None:
    probe = judge(replace(GOOD, uncontrolled=("memory", "cpu")))
    assert probe.usable
    assert ["memory" in each.what or "cpu" in each.what for each in probe.warnings] == [True, True]
    assert all(each.mend for each in probe.warnings)


def test_folders_a_stranger_cannot_enter_are_named(tmp_path: Path) -> None:
    inner = tmp_path / "open" / "shut" / "image"
    inner.mkdir(parents=True)
    for folder in (tmp_path, tmp_path / "open", inner):
        folder.chmod(0o711)
    (tmp_path / "open" / "shut").chmod(0o700)
    named = list(closed_to(inner, 4_000_000))
    assert str(tmp_path / "open" / "shut") in named
    assert str(tmp_path / "open") not in named and str(inner) not in named
    assert list(closed_to(inner, None)) == []
    owner = (tmp_path / "open" / "shut").stat().st_uid
    assert str(tmp_path / "open" / "shut") not in list(closed_to(inner, owner))
    assert list(closed_to(Path("/nowhere/at/all"), 4_000_000)) == []


def test_this_host_can_be_looked_at(tmp_path: Path) -> None:
    facts = gather(4_000_000 if os.geteuid() == 0 else None, (tmp_path / "gone",))
    assert facts.missing == (str(tmp_path / "gone"),)
    assert not judge(facts).usable
    assert facts.trial.worked or facts.trial.said
