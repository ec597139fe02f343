"""transom image, over a store of small images; the builder and the trials have stand-ins."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.transom.cli.conftest import Run
from tests.unit.transom.images.test_store import ONE, THREE, TWO, add
from transom.images import build, trial, verify
from transom.images.errors import ImageError
from transom.images.store import ImageStore
from transom.images.trial import Findings

FOUND = Findings((), {"codex": "codex-cli 0.1.2\nmore"}, 1234)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImageStore:
    monkeypatch.setenv("TRANSOM_IMAGES", str(tmp_path / "images"))
    monkeypatch.setenv("TRANSOM_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("TRANSOM_MIRROR", raising=False)
    store = ImageStore(tmp_path / "images")
    for found in (ONE, TWO, THREE):
        add(store, found)
        store.use(found.digest)
    return store


@pytest.fixture
def machine(store: ImageStore) -> Iterator[str]:
    """The digest of an image that a machine runs from."""
    keeper = os.open(store.folder / TWO.digest, os.O_RDONLY)
    fcntl.flock(keeper, fcntl.LOCK_SH)
    yield TWO.digest
    os.close(keeper)


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What verify's parts answer."""
    answers: dict[str, Any] = {"wrong": [], "sandbox": FOUND, "vm": FOUND, "asked": []}

    def give(name: str, *words: object) -> Any:
        answers["asked"].append((name, *words))
        if isinstance(answers[name], Exception):
            raise answers[name]
        return answers[name]

    monkeypatch.setattr(verify, "verify", lambda root, layers: list(give("wrong")))
    monkeypatch.setattr(trial, "in_sandbox", lambda store, digest: give("sandbox"))
    monkeypatch.setattr(trial, "in_machine", lambda *words: give("vm", *words[2:]))
    return answers


def test_list_marks_what_is_in_use_and_what_machines_run_from(
    transom: Run, store: ImageStore, machine: str
) -> None:
    rows = json.loads(transom("image", "list", "--json").stdout)
    assert [(row["digest"], row["in_use"], row["machines"]) for row in rows] == [
        (THREE.digest, True, False),
        (TWO.digest, False, True),
        (ONE.digest, False, False),
    ]
    assert rows[0]["layers"] == "base"


def test_rollback_and_use(transom: Run, store: ImageStore) -> None:
    assert transom("image", "rollback").stdout == f"new sessions start from {TWO.digest}\n"
    assert json.loads(transom("image", "rollback", "--json").stdout) == {"in_use": ONE.digest}
    ended = transom("image", "rollback")
    assert ended.exit_code == 1
    assert "no earlier image" in ended.stderr
    assert transom("image", "use", THREE.digest[7:27]).exit_code == 0
    assert store.current() == THREE.digest


def test_use_refuses_other_content(transom: Run, store: ImageStore) -> None:
    path = store.folder / ONE.digest / "vmlinux"
    path.write_text("?" * path.stat().st_size)
    ended = transom("image", "use", ONE.digest)
    assert ended.exit_code == 1
    assert "not as it was built" in ended.stderr
    assert store.current() == THREE.digest


def test_remove_spares_what_is_needed(transom: Run, store: ImageStore, machine: str) -> None:
    assert "is current" in transom("image", "remove", THREE.digest).stderr
    assert "machines use" in transom("image", "remove", machine).stderr
    assert transom("image", "remove", ONE.digest).stdout == f"removed {ONE.digest}\n"
    assert transom("image", "remove", ONE.digest).exit_code == 1
    assert [found.digest for found in store.list()] == [THREE.digest, TWO.digest]


def test_a_beginning_must_be_of_one_image(transom: Run, store: ImageStore) -> None:
    for wanted, said in (("", "several"), ("zz", "no whole image")):
        ended = transom("image", "remove", wanted)
        assert ended.exit_code == 1
        assert said in ended.stderr


def test_verify_prints_layers_and_what_the_tools_said(
    transom: Run, store: ImageStore, looked: dict[str, Any]
) -> None:
    ended = transom("image", "verify")
    assert ended.exit_code == 0
    assert f"{THREE.digest}: whole" in ended.stdout
    assert "sandbox: first picture after 1.2 s" in ended.stdout
    assert "codex: codex-cli 0.1.2\n" in ended.stdout
    assert "vmlinux" in ended.stdout
    assert [name for name, *_ in looked["asked"]] == ["wrong", "sandbox"]


def test_verify_in_a_machine(
    transom: Run, store: ImageStore, looked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSOM_ACCELERATOR", "tcg")
    found = json.loads(transom("image", "verify", "--vm", "--json").stdout)
    assert found["painted_ms"] == {"sandbox": 1234, "vm": 1234}
    assert looked["asked"][-1] == ("vm", Path("/usr/bin/qemu-system-x86_64"), "tcg")


def test_verify_gathers_all_that_is_wrong(transom: Run, store: ImageStore, looked: dict[str, Any]) -> None:
    looked["wrong"] = ["a is missing"]
    looked["sandbox"] = Findings(("it is dark",), {}, None)
    ended = transom("image", "verify")
    assert ended.exit_code == 1
    assert "broken" in ended.stdout
    assert "a is missing" in ended.stderr
    assert "in the sandbox: it is dark" in ended.stderr
    looked["sandbox"] = ImageError("bwrap failed")
    found = transom("image", "verify", "--json")
    assert found.exit_code == 1
    assert json.loads(found.stdout)["wrong"] == ["a is missing", "bwrap failed"]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """How the builder was called."""
    seen: dict[str, Any] = {}

    def made(recipe: Path, store: ImageStore, progress: object, **words: Any) -> str:
        seen.update(words)
        return ONE.digest

    monkeypatch.setattr(build, "build", made)
    return seen


def test_build_takes_its_wishes_from_the_command_line(
    transom: Run, store: ImageStore, asked: dict[str, Any]
) -> None:
    words = (
        "--suite",
        "sid",
        "--mirror",
        "http://m.example/",
        "--without",
        "cli",
        "--without",
        "vm",
        "--ext4",
    )
    ended = transom("image", "build", *words)
    assert ended.stdout == f"{ONE.digest}\n"
    assert asked == {
        "suite": "sid",
        "mirror": "http://m.example/",
        "without": ("cli", "vm"),
        "ext4": True,
    }
    assert f"transom image use {ONE.digest[7:19]}" in ended.stderr


def test_build_takes_its_wishes_from_the_settings(
    transom: Run, store: ImageStore, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("MIRROR", "http://m.example/"),
        ("IMAGE_SUITE", "forky"),
        ("IMAGE_WITHOUT", "cli,vm"),
    ):
        monkeypatch.setenv(f"TRANSOM_{name}", value)
    found = json.loads(transom("image", "build", "--json").stdout)
    assert (found["digest"], found["in_use"]) == (ONE.digest, False)
    assert (asked["mirror"], asked["suite"], asked["without"]) == (
        "http://m.example/",
        "forky",
        ("cli", "vm"),
    )
