"""The golden image, looked at and lived in: one machine, one walk through a desktop's life."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.image_machine import FIRST, SECOND, THIRD
from tests.support.image import GoldenImage, golden_image
from transom.images.verify import verify

__all__ = ["golden_image"]
pytestmark = pytest.mark.machine

ROOT = Path(__file__).parents[2]
UID = 64_999
"""An id of nobody's on this host; the sandbox maps it to 1000."""
DEADLINE = 200.0


@pytest.fixture(scope="module")
def sources() -> Iterator[Path]:
    """The guest's sources where an unprivileged user can read them, as an installed controller has them."""
    folder = Path(tempfile.mkdtemp(prefix="transom-image-test-"))
    try:
        for name in ("transom_guest", "transom_wire"):
            shutil.copytree(ROOT / "src" / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "tests" / "integration" / "image_machine.py", folder)
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def seen(golden_image: GoldenImage, sources: Path) -> dict[str, Any]:
    """What `image_machine` saw."""
    drop = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*drop, *sandbox(golden_image.root(golden_image.digest), sources), "python3", "-m", "image_machine"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    if done.returncode:
        pytest.fail(done.stderr[-2000:], pytrace=False)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    found["log"] = done.stderr
    return found


def sandbox(root: Path, sources: Path) -> list[str]:
    return [
        *("bwrap", "--unshare-all", "--uid", "1000", "--gid", "1000", "--die-with-parent", "--new-session"),
        *("--hostname", "desktop", "--ro-bind", str(root), "/", "--proc", "/proc", "--dev", "/dev"),
        *("--tmpfs", "/tmp", "--tmpfs", "/run", "--tmpfs", "/home", "--tmpfs", "/dev/shm"),
        *(
            "--ro-bind",
            str(sources),
            "/opt/transom",
            "--clearenv",
            "--setenv",
            "PATH",
            "/usr/local/bin:/usr/bin:/bin",
        ),
        *(
            "--setenv",
            "PYTHONPATH",
            "/opt/transom",
            "--setenv",
            "TRANSOM_LINK",
            "127.0.0.1:4001",
            "--chdir",
            "/",
        ),
    ]


def test_the_root_is_right_without_booting(golden_image: GoldenImage) -> None:
    assert verify(golden_image.root(golden_image.digest)) == []


def test_the_stages_come_in_order(seen: dict[str, Any]) -> None:
    words = [said for _, role, said in seen["heard"] if role == "boot"]
    order = [words.index(each) for each in ("progress display", "progress browser", "ready")]
    assert order == sorted(order)
    assert words.index("progress desktop") < words.index("ready")
    assert words.count("ready") == 1


def test_both_services_start_and_are_logged(seen: dict[str, Any]) -> None:
    for name in ("webrtc", "signin"):
        assert f"[SUPERVISOR] {name} started" in seen["log"]


def test_the_start_page_fills_the_desktop_and_nothing_else_is_on_it(seen: dict[str, Any]) -> None:
    assert seen["first"] == FIRST
    assert seen["size"] == [1280, 720]
    assert seen["windows"] == ["Chromium-browser"]


def test_chromiums_own_sandbox_is_on(seen: dict[str, Any]) -> None:
    assert seen["renderers"]
    assert all(each["seccomp"] == 2 and each["namespaces"] >= 2 for each in seen["renderers"])
    assert seen["unsandboxed"] == []


def test_nothing_listens_but_the_link(seen: dict[str, Any]) -> None:
    assert seen["listening"] == ["0100007F:0FA1"]


def test_sockets_and_tokens_are_the_users_alone(seen: dict[str, Any]) -> None:
    assert set(seen["modes"].values()) == {0o600}


def test_the_environment_of_a_service(seen: dict[str, Any]) -> None:
    found = seen["environment"]
    assert found["SESSION_ID"] == "ses_test"
    assert found["DISPLAY"] == ":1"
    assert found["HTTPS_PROXY"] == found["https_proxy"] == "http://127.0.0.1:3128"
    assert not any("b" * 24 in value or "l" * 24 in value for value in found.values())


def test_urls_open_in_the_running_browser(seen: dict[str, Any]) -> None:
    assert seen["second"] == SECOND
    assert seen["xdg_open"] == [0, ""]
    assert seen["third"] == seen["third_resized"] == THIRD
    assert seen["xdg_open_file"][0] == 3


def test_rfb_comes_through_a_stream_link(seen: dict[str, Any]) -> None:
    assert seen["greeting"] == "RFB 003.008\n"


def test_the_tools_run_in_the_versions_that_are_pinned(seen: dict[str, Any]) -> None:
    package = json.loads((ROOT / "image/cli/package.json").read_text())
    pinned = {**package["dependencies"], **package["optionalDependencies"]}
    for name, (code, said) in seen["tools"].items():
        assert code == 0
        assert any(version in said for key, version in pinned.items() if name in key), (name, said)


def test_a_killed_browser_returns_with_its_tabs_and_asks_nothing(seen: dict[str, Any]) -> None:
    assert seen["black"] == "#000000"
    assert seen["restored"] == THIRD
    assert seen["windows_restored"] == ["Chromium-browser"]


def test_the_end_is_quick_and_clean(seen: dict[str, Any]) -> None:
    assert seen["left"] == []
