"""What a jail is planned from, and how it ends. A started one is in tests/integration/test_helper_jail.py."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.firecracker_standin import install
from tests.support.helper_lab import CALLER, LIMITS, OWNER, TAG
from tests.unit.transom_helper.test_living import new_network
from transom_helper.jail import Jails
from transom_helper.jailer import PLACES
from transom_helper.refusal import Refusal
from transom_wire.helper import StartJail

REQUEST = StartJail("mch_jail", TAG, OWNER, LIMITS, False)


@pytest.fixture
def jails(tmp_path: Path) -> Jails:
    return Jails(tmp_path / "base", *install(tmp_path, 2_000_000))


@pytest.fixture
def files(tmp_path: Path) -> Iterator[dict[str, int]]:
    """A right descriptor for each place, the snapshot's for reading."""
    with ExitStack() as stack:
        found = {"network": new_network()}
        reader, found["console"] = os.pipe()
        stack.callback(os.close, reader)
        for name, _, writable in PLACES:
            if name not in found:
                path = tmp_path / name.replace(" ", "-")
                path.write_text(name)
                path.chmod(0o644)
                if writable:
                    os.chown(path, CALLER, CALLER)
                found[name] = os.open(path, os.O_RDWR if writable else os.O_RDONLY)
        yield found
        for each in found.values():
            os.close(each)


def test_a_plan_names_each_file_and_whether_it_may_be_written(
    jails: Jails, files: dict[str, int], tmp_path: Path
) -> None:
    plan = jails.plan(CALLER, REQUEST, list(files_in_order(files)[:-2]))
    written = {place: writable for place, _, writable in plan.files}
    assert written == {
        "/kernel": False,
        "/initramfs": False,
        "/rootfs": False,
        "/config": False,
        "/overlay": True,
    }
    assert (plan.namespace, plan.console) == (files["network"], files["console"])
    assert plan.program == tmp_path / "firecracker"
    plan = jails.plan(CALLER, replace(REQUEST, restore=True), files_in_order(files))
    assert {place: writable for place, _, writable in plan.files}["/memory"] is False


def files_in_order(files: dict[str, int]) -> list[int]:
    return [files[name] for name, _, _ in PLACES]


@pytest.mark.parametrize("name", [name for name, _, _ in PLACES])
def test_each_descriptor_must_be_what_its_place_wants(jails: Jails, files: dict[str, int], name: str) -> None:
    wrong = os.open("/dev/null", os.O_RDWR)
    with pytest.raises(Refusal):
        jails.plan(CALLER, replace(REQUEST, restore=True), files_in_order({**files, name: wrong}))
    os.close(wrong)


def test_places_may_not_be_exchanged(jails: Jails, files: dict[str, int]) -> None:
    exchanged = {**files, "kernel": files["overlay"], "overlay": files["kernel"]}
    with pytest.raises(Refusal):
        jails.plan(CALLER, REQUEST, files_in_order(exchanged)[:-2])


def test_a_count_that_is_wrong(jails: Jails, files: dict[str, int]) -> None:
    for request, given in ((REQUEST, files_in_order(files)), (replace(REQUEST, restore=True), [])):
        with pytest.raises(Refusal, match="descriptors"):
            jails.plan(CALLER, request, given)


def test_to_save_the_snapshot_s_files_are_written(
    jails: Jails, files: dict[str, int], tmp_path: Path
) -> None:
    saving = replace(REQUEST, save=True)
    with pytest.raises(Refusal, match="snapshot state"):
        jails.plan(CALLER, saving, files_in_order(files))
    for name in ("snapshot state", "snapshot memory"):
        path = tmp_path / name.replace(" ", "-")
        os.close(files[name])
        os.chown(path, OWNER, OWNER)
        files[name] = os.open(path, os.O_RDWR)
    plan = jails.plan(CALLER, saving, files_in_order(files))
    assert {place: writable for place, _, writable in plan.files}["/memory"] is True
    with pytest.raises(Refusal, match="not both"):
        jails.plan(CALLER, replace(saving, restore=True), files_in_order(files))


def test_an_old_firecracker_is_refused_and_a_new_one_seen(tmp_path: Path) -> None:
    jails = Jails(tmp_path / "base", *install(tmp_path, 2_000_000, "1.14.3"))
    assert "1.14.3 has known holes" in jails.trouble()
    install(tmp_path, 2_000_000, "1.14.4")
    assert jails.trouble() == ""
    (tmp_path / "jailer").unlink()
    assert "jailer" in jails.trouble()


def test_all_that_has_its_root_in_the_jail_ends(tmp_path: Path) -> None:
    jails = Jails(tmp_path, None, None)
    root = tmp_path / "firecracker" / "an-id" / "root"
    root.mkdir(parents=True)
    inside = "import os, sys, time; os.chroot(sys.argv[1]); time.sleep(60)"
    inmate = subprocess.Popen([sys.executable, "-c", inside, root])
    bystander = subprocess.Popen(["sleep", "60"])
    while os.readlink(f"/proc/{inmate.pid}/root") == "/":
        assert inmate.poll() is None
    jails.remove("an-id")
    assert inmate.wait(10) == -9
    assert bystander.poll() is None
    assert not (tmp_path / "firecracker" / "an-id").exists()
    jails.remove("an-id")
    bystander.kill()
    bystander.wait()


@pytest.mark.parametrize("told", ["firecracker-v1.14.4-x86_64", ""])
def test_a_jail_of_an_earlier_release_goes_under_a_new_one_and_under_none(tmp_path: Path, told: str) -> None:
    """`told` is empty in what an earlier helper wrote down."""
    (tmp_path / "bin").mkdir()
    upgraded, none = Jails(tmp_path, *install(tmp_path / "bin", 2_000_000)), Jails(tmp_path, None, None)
    for jails in (upgraded, none):
        folders = [tmp_path / "firecracker-v1.14.4-x86_64" / id for id in ("an-id", "another-id")]
        for folder in folders:
            (folder / "root").mkdir(parents=True, exist_ok=True)
        jails.remove("an-id", told)
        assert [each.exists() for each in folders] == [False, True]
