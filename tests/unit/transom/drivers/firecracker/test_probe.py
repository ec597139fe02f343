"""What a host lacks for Firecracker, and the mend of each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from transom.drivers.firecracker import probe
from transom.drivers.firecracker.probe import Facts, judge
from transom_keeper.firecracker.version import Version
from transom_keeper.helper import HelperError

GOOD = Facts(
    kvm=True,
    said="Firecracker v1.16.1\n",
    helper=None,
    jail="",
    unlimited=(),
    lacking=(),
)


def test_a_host_with_everything_can() -> None:
    found = judge(GOOD)
    assert found.usable and not found.problems and not found.warnings


@pytest.mark.parametrize(
    ("facts", "what", "mend"),
    [
        (replace(GOOD, kvm=False), "/dev/kvm is not there", "firmware"),
        (replace(GOOD, said=None), "does not run", "install at least 1.14.4 or 1.15.1"),
        (replace(GOOD, said="Firecracker v1.15.0"), "1.15.0 has known holes", "1.15.1"),
        (replace(GOOD, said="hello"), "this firecracker has known holes", "1.15.1"),
        (replace(GOOD, helper=HelperError("no helper", "start it")), "no helper", "start it"),
        (replace(GOOD, jail="two versions"), "no jail: two versions", "--jailer"),
        (replace(GOOD, lacking=("no vmlinux",)), "no vmlinux", "transom image build"),
    ],
)
def test_what_is_missing_is_said_with_its_mend(facts: Facts, what: str, mend: str) -> None:
    found = judge(facts)
    assert not found.usable
    assert [what in each.what and mend in each.mend for each in found.problems] == [True]


@pytest.mark.parametrize(
    ("facts", "what"),
    [
        (replace(GOOD, said="Firecracker v1.15.1"), "clock of their snapshot"),
        (replace(GOOD, unlimited=("memory",)), "no memory limit: the root helper"),
    ],
)
def test_what_is_weaker_is_a_warning(facts: Facts, what: str) -> None:
    found = judge(facts)
    assert found.usable
    assert [what in each.what for each in found.warnings] == [True]
    assert all(each.mend for each in found.warnings)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "firecracker"
    path.write_text("#!/bin/sh\necho Firecracker v1.14.4\n")
    path.chmod(0o755)
    return path


def test_looks_at_this_host(program: Path, tmp_path: Path) -> None:
    facts = probe.gather(program, str(tmp_path / "no.sock"), ("no kernel",), kvm=False)
    assert facts.kvm and facts.said == "Firecracker v1.14.4\n"
    assert facts.helper is not None and "no root helper" in facts.helper.reason
    assert facts.lacking == ("no kernel",)


def test_a_program_that_is_none_says_nothing(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho v1.16.0; exit 1\n")
    broken.chmod(0o755)
    assert probe.version_of(tmp_path / "none") is None
    assert probe.version_of(broken) is None


def test_a_program_says_its_version(program: Path) -> None:
    assert probe.version_of(program) == Version(1, 14, 4)
