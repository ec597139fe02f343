"""Control groups end with all that is in them."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

import pytest

from tests.support.helper_lab import LIMITS
from transom_helper import groups
from transom_helper.refusal import Refusal
from transom_keeper import cgroups

NAME = "mch_grouptest-0123abcd"


def test_what_is_in_ends_and_nothing_else() -> None:
    places = cgroups.own_bases()
    made = groups.make(NAME, LIMITS, places)
    bystander = subprocess.Popen(["sleep", "60"])
    # a shell that starts more for as long as it can
    inside = subprocess.Popen(["sh", "-c", "while :; do sleep 60 & sleep 0.01; done"])
    pidfd = os.pidfd_open(inside.pid)
    try:
        groups.join(made, pidfd, inside.pid)
        for folder in made.folders:
            assert inside.pid in cgroups.processes(folder)
    finally:
        if not made.folders:
            inside.kill()
        groups.end(map(str, made.folders))
        made.close()
        os.close(pidfd)
    if made.folders:
        assert inside.wait(10) == -9
    assert not [folder for folder in made.folders if folder.exists()]
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()
    assert set(map(str, made.folders)) <= set(groups.folders(NAME, places))


def test_a_process_that_ended_meanwhile_is_told() -> None:
    child = subprocess.Popen(["true"])
    pidfd = os.pidfd_open(child.pid)
    child.wait()
    with pytest.raises(Refusal, match="has ended"):
        groups.join(cgroups.Groups(), pidfd, child.pid)
    assert groups.ended(pidfd)
    os.close(pidfd)


def test_what_was_never_made_is_no_error(tmp_path: Path) -> None:
    groups.end([str(tmp_path / "none")])


def test_a_group_that_cannot_be_removed_is_told(tmp_path: Path) -> None:
    stubborn = tmp_path / "group"
    stubborn.mkdir()
    (stubborn / "file").touch()
    with pytest.raises(Refusal, match="cannot be removed"):
        groups.end([str(stubborn)], seconds=0.05)
    with contextlib.suppress(FileNotFoundError):
        (stubborn / "pids.max").unlink()


def test_a_trial_tells_what_a_machine_would_be_limited_in_and_leaves_nothing() -> None:
    places = cgroups.own_bases()
    made = groups.make(NAME, LIMITS, places)
    made.close()
    groups.end(map(str, made.folders))
    assert groups.trial() == made.controllers
    assert not [path for base in places for path in base.path.glob(f"trial-{os.getpid()}")]


def test_a_helper_that_can_make_no_groups_finds_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nowhere = [cgroups.Base(tmp_path / "gone" / "transom", 2, cgroups.CONTROLLERS)]
    for places in ([], nowhere):
        monkeypatch.setattr(cgroups, "own_bases", lambda places=places: places)
        assert groups.trial() == ()
