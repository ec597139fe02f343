from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path

import pytest

from transom_guest.desktop import browser, programs
from transom_guest.signin_pages import install
from transom_wire.codec import WireError, decode, encode
from transom_wire.link import Welcome


def test_the_extension_s_id_is_its_key_s() -> None:
    digest = hashlib.sha256(base64.b64decode(install.KEY)).hexdigest()[:32]
    assert "".join(chr(ord("a") + int(digit, 16)) for digit in digest) == install.ID


def test_the_browser_finds_the_extension_and_the_host_beside_it(tmp_path: Path) -> None:
    home, profile = {"HOME": str(tmp_path), "DISPLAY": ":1"}, tmp_path / "profile"
    (profile / "Default").mkdir(parents=True)
    (profile / "Default" / "Preferences").write_text('{"kept": 1}')
    install.prepare(home, profile, ("idp.example/in",))
    (flag,) = install.flag(home)
    folder = Path(flag.partition("=")[2])
    manifest = json.loads((folder / "manifest.json").read_text())
    (scripts,) = manifest["content_scripts"]
    assert all(
        (folder / name).is_file() for name in [*scripts["js"], manifest["background"]["service_worker"]]
    )
    listed = (folder / "patterns.js").read_text()
    assert "accounts.google.com" in listed and '"idp.example/in"' in listed
    host = json.loads((profile / "NativeMessagingHosts" / "transom.signin_pages.json").read_text())
    assert os.access(host["path"], os.X_OK) and host["allowed_origins"] == [
        f"chrome-extension://{install.ID}/"
    ]
    preferences = json.loads((profile / "Default" / "Preferences").read_text())
    assert preferences["kept"] == 1 and preferences["extensions"]["settings"][install.ID] == {
        "incognito": True
    }
    argv = programs.command("browser", home, (800, 600), "about:blank", False)
    assert flag in argv and argv[-1] == "about:blank" and not any("debugging" in each for each in argv)
    assert install.leave_page(home, 5) == f"chrome-extension://{install.ID}/leave.html?since=5"


@pytest.mark.parametrize(("patterns", "more"), [(None, {}), ((), {"TRANSOM_EMULATED": "1"})])
def test_where_nothing_is_recorded_and_where_all_is_emulated_nobody_looks(
    tmp_path: Path, patterns: tuple[str, ...] | None, more: dict[str, str]
) -> None:
    home = {"HOME": str(tmp_path)} | more
    install.prepare(home, tmp_path / "profile", ())
    install.prepare(home, tmp_path / "profile", patterns)
    assert install.flag(home) == [] and not install.shown(home).exists()
    assert install.leave_page(home, 5) == "about:blank"
    assert browser.command("about:blank", 1, 1, again=False, more=install.flag(home))[0] == browser.BINARY


@pytest.mark.parametrize(
    "pattern", ["*", "*.example.com/a/b", "idp.example", "10.0.0.1/login", "*/sso", "!*/login"]
)
def test_patterns_that_are_some(pattern: str) -> None:
    welcome = Welcome(3, signin_pages=(pattern,))
    assert decode(encode(welcome), (Welcome,)) == welcome


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "https://a.example",
        "a b",
        "a.example/",
        "a*.example",
        'x/"];alert(1)//',
        "A",
        "!",
        "!!a.example",
        "a.example/!b",
    ],
)
def test_patterns_that_are_none(pattern: str) -> None:
    with pytest.raises(WireError):
        decode(encode(Welcome(3, signin_pages=(pattern,))), (Welcome,))
