from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.transom.images.recipes import write_recipe
from transom.images import recipe
from transom.images.errors import ImageError

REAL = Path(__file__).parents[4] / "image"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_recipe(tmp_path / "recipe")


def test_packages_are_gathered_without_comments(folder: Path) -> None:
    found = recipe.load(folder)
    assert found.layers["base"] == ("ca-certificates",)
    assert found.packages == ("ca-certificates", "git", "gstreamer1.0-tools", "systemd", "xterm")
    assert found.modules == ("virtio-net",)


def test_a_line_may_be_for_one_architecture(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for machine, kernel in (("x86_64", "linux-a"), ("aarch64", "linux-b")):
        monkeypatch.setattr("platform.machine", lambda machine=machine: machine)
        assert recipe.load(folder).fetched == ("busybox-static", kernel)


def test_layers_left_out_take_what_is_theirs(folder: Path) -> None:
    whole, small = recipe.load(folder), recipe.load(folder, without=("vm", "cli"))
    assert sorted(small.layers) == ["base", "desktop", "gstreamer"]
    assert (small.fetched, small.modules, small.commands, small.prune) == ((), (), {}, ())
    assert small.digest != whole.digest
    assert small.bootstrap_digest != whole.bootstrap_digest
    assert recipe.load(folder, ext4=True).digest != whole.digest


@pytest.mark.parametrize("layer", ["base", "nothing", ""])
def test_what_is_no_layer_cannot_be_left_out(folder: Path, layer: str) -> None:
    with pytest.raises(ImageError, match="not a layer") as caught:
        recipe.load(folder, without=(layer,))
    assert "cli, desktop, gstreamer, vm" in caught.value.mend


def test_the_digest_follows_every_file_and_nothing_else(folder: Path) -> None:
    seen = {recipe.load(folder).digest}
    (folder / "README.md").write_text("words change no image")
    (folder / "cli/node_modules").mkdir()
    (folder / "cli/node_modules/x").touch()
    assert recipe.load(folder).digest in seen
    script = folder / "overlay/usr/local/bin/xdg-open"
    for change in (
        lambda: script.write_text("#!/bin/sh\nexit\n"),
        lambda: script.chmod(0o644),
        lambda: (folder / "overlay/usr/local/bin/x-www-browser").unlink(),
        lambda: (folder / "overlay/new").touch(),
        lambda: (folder / "cli/package-lock.json").write_text("{ }"),
    ):
        change()
        digest = recipe.load(folder).digest
        assert digest not in seen
        seen.add(digest)


def test_suite_and_mirror_count(folder: Path) -> None:
    plain = recipe.load(folder)
    assert recipe.load(folder, suite="sid").digest != plain.digest
    assert recipe.load(folder, mirror="http://m.example/").bootstrap_digest != plain.bootstrap_digest


def test_only_packages_decide_the_bootstrap(folder: Path) -> None:
    before = recipe.load(folder).bootstrap_digest
    (folder / "overlay/new").touch()
    assert recipe.load(folder).bootstrap_digest == before
    (folder / "packages/more.txt").write_text("less")
    assert recipe.load(folder).bootstrap_digest != before


@pytest.mark.parametrize("line", ["-o=Debug", "Xterm", "a b", "x;y", "../x", "$(id)", "x [sparc]"])
def test_a_package_line_that_is_no_package(folder: Path, line: str) -> None:
    (folder / "packages/base.txt").write_text(line)
    with pytest.raises(ImageError, match="not a whole recipe"):
        recipe.load(folder)


@pytest.mark.parametrize(
    "commands",
    [
        {"commands": {"codex": {"x64": "../../bin/sh", "arm64": "../x"}}, "prune": []},
        {"commands": {"codex": {"x64": "/bin/sh", "arm64": "/bin/sh"}}, "prune": []},
        {"commands": {"../sh": {"x64": "a", "arm64": "a"}}, "prune": []},
        {"commands": {"codex": {}}, "prune": []},
        {"commands": {}, "prune": ["../*"]},
        {"commands": []},
        [],
        None,
    ],
)
def test_commands_that_reach_outside(folder: Path, commands: object) -> None:
    (folder / "cli/commands.json").write_text(json.dumps(commands))
    with pytest.raises(ImageError, match="not a whole recipe"):
        recipe.load(folder)


@given(st.text(max_size=40))
def test_suites_and_mirrors_are_checked(text: str) -> None:
    for words in ({"suite": text}, {"mirror": text}):
        try:
            found = recipe.load(REAL, **words)
        except ImageError as error:
            assert error.mend
        else:
            assert recipe.SUITE.fullmatch(found.suite)


def test_no_recipe_at_all(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="not a whole recipe"):
        recipe.load(tmp_path)


def test_an_architecture_nobody_builds_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(ImageError, match="riscv64"):
        recipe.load(folder)


def test_the_real_recipe_pins_what_it_installs() -> None:
    found = recipe.load(REAL)
    assert {"codex", "claude", "gemini", "node"} <= found.commands.keys()
    assert sorted(found.layers) == ["base", "cli", "desktop", "gstreamer", "vm"]
    assert found.init.stat().st_mode & 0o100
    package = json.loads((REAL / "cli/package.json").read_text())
    lock = json.loads((REAL / "cli/package-lock.json").read_text())["packages"]
    for name, version in {**package["dependencies"], **package["optionalDependencies"]}.items():
        assert lock[f"node_modules/{name}"]["version"] == version
    assert all("resolved" not in item for item in lock.values())
    assert all(item.get("integrity", "").startswith("sha512-") for path, item in lock.items() if path)


def test_the_browser_is_told_to_be_quiet() -> None:
    policies = json.loads((REAL / "overlay/etc/chromium/policies/managed/transom.json").read_text())
    wanted = {
        "MetricsReportingEnabled": False,
        "ComponentUpdatesEnabled": False,
        "SafeBrowsingProtectionLevel": 0,
        "SearchSuggestEnabled": False,
        "SyncDisabled": True,
        "TranslateEnabled": False,
        "DnsOverHttpsMode": "off",
        "QuicAllowed": False,
        "BackgroundModeEnabled": False,
        "PasswordManagerEnabled": False,
        "WebRtcIPHandling": "disable_non_proxied_udp",
    }
    assert wanted.items() <= policies.items()
    assert policies["ProxySettings"]["ProxyServer"] == "http://127.0.0.1:3128"
