from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.transom.images.conftest import Workshop
from transom.images.build import build
from transom.images.verify import PLUGINS, verify


@pytest.fixture
def root(workshop: Workshop) -> Path:
    return workshop.store.root(build(workshop.recipe, workshop.store))


def test_a_built_root_is_right(root: Path) -> None:
    assert verify(root) == []


def test_what_is_missing_is_named(root: Path) -> None:
    (root / "usr/bin/Xvnc").unlink()
    (root / "opt/cli/node_modules/@openai/codex/bin/codex").unlink()
    assert verify(root) == ["usr/bin/Xvnc is missing", "usr/local/bin/codex is missing"]


def test_links_are_followed_inside_the_root_only(root: Path) -> None:
    (root / "usr/bin/Xvnc").unlink()
    (root / "usr/bin/Xvnc").symlink_to("/bin/sh")
    assert verify(root) == ["usr/bin/Xvnc is missing"]
    (root / "usr/bin/Xvnc").unlink()
    (root / "usr/bin/Xvnc").symlink_to("/usr/bin/Xvnc")
    assert verify(root) == ["usr/bin/Xvnc is missing"]


@pytest.mark.parametrize(
    "path", ["root/.npmrc", "home/user/.codex/auth.json", "etc/id_rsa", "var/lib/x/.netrc"]
)
def test_secrets_are_found(root: Path, path: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).touch()
    assert verify(root) == [f"{path} looks like a secret"]


@pytest.mark.parametrize("word", ["", "$y$j9T$abc", "x"])
def test_passwords_are_found(root: Path, word: str) -> None:
    with (root / "etc/shadow").open("a") as file:
        file.write(f"mallory:{word}:1::::::\n")
    assert verify(root) == ["mallory has a password, or needs none"]


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("mallory::1001:1001::/:/bin/sh", "mallory has a password, or needs none, by /etc/passwd"),
        ("mallory:$6$a$b:1001:1001::/:/bin/sh", "mallory has a password, or needs none, by /etc/passwd"),
        ("mallory", "mallory has a password, or needs none, by /etc/passwd"),
        ("mallory:x:0:0::/:/bin/sh", "mallory is root by another name"),
    ],
)
def test_ways_in_by_the_list_of_users_are_found(root: Path, line: str, wrong: str) -> None:
    with (root / "etc/passwd").open("a") as file:
        file.write(f"{line}\n")
    assert verify(root) == [wrong]


@pytest.mark.parametrize("path", ["etc/passwd", "etc/shadow"])
def test_a_root_without_a_list_of_users_or_with_another_s_is_none(root: Path, path: str) -> None:
    (root / path).unlink()
    assert verify(root) == [f"{path} is no file"]
    (root / path).symlink_to(f"/{path}")
    assert verify(root) == [f"{path} is no file"]


def test_a_closed_folder_is_found(root: Path) -> None:
    (root / "opt").chmod(0o700)
    assert verify(root) == ["opt is closed to the machine's user"]


def test_plugins_are_asked_for(root: Path, workshop: Workshop) -> None:
    (workshop.tools / "fail-bwrap").touch()
    assert verify(root) == [f"GStreamer has no {name}" for name in PLUGINS]
    assert verify(root, ["base", "desktop", "cli"]) == []


def test_only_what_the_layers_promise_must_be_there(root: Path) -> None:
    (root / "usr/bin/Xvnc").unlink()
    assert verify(root, ["base", "cli"]) == []


@pytest.mark.parametrize("path", ["usr/sbin/sshd", "usr/sbin/dropbear", "usr/bin/x11vnc", "root/.ssh"])
def test_ways_in_that_nobody_asked_for(root: Path, path: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).touch()
    assert verify(root) == [f"{path} must not be there"]
