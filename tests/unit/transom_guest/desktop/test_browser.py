from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from transom_guest.desktop import browser
from transom_guest.desktop.urls import UrlRefused

WRAPPER = Path(__file__).parents[4] / "image" / "overlay" / "usr" / "local" / "bin" / "chromium"


def test_the_sandbox_stays_on_and_the_page_comes_last() -> None:
    argv = browser.command("https://a.example/", 1280, 720, again=False)
    assert argv[0] == browser.BINARY
    assert argv[-1] == "https://a.example/"
    assert not any("sandbox" in flag or "remote-debugging" in flag for flag in argv)
    assert "--window-size=1280,720" in argv


def test_after_a_death_the_tabs_come_back_and_no_bubble() -> None:
    argv = browser.command("https://a.example/", 1280, 720, again=True)
    assert "--restore-last-session" in argv
    assert "--hide-crash-restore-bubble" in argv
    assert "https://a.example/" not in argv


@pytest.mark.parametrize("url", ["", "file:///etc/passwd", "--no-sandbox", "javascript:0"])
def test_a_bad_start_page_is_blank(url: str) -> None:
    assert browser.command(url, 1, 1, again=False)[-1] == "about:blank"


def test_the_images_wrapper_hands_over_to_the_same_profile() -> None:
    text = WRAPPER.read_text()
    assert browser.BINARY in text
    assert "--user-data-dir" not in text + " ".join(browser.FLAGS)
    words = text.replace("\\\n", " ").split()
    assert {word for word in words if word.startswith("--")} <= {*browser.FLAGS}


def test_prepare_clears_a_dead_browsers_locks_and_its_crash(tmp_path: Path) -> None:
    folder = tmp_path / "chromium"
    (folder / "Default").mkdir(parents=True)
    (folder / "SingletonLock").symlink_to("desktop-999999999")
    (folder / "SingletonSocket").symlink_to("/nonexistent/socket")
    preferences = folder / "Default" / "Preferences"
    preferences.write_text(json.dumps({"profile": {"exit_type": "Crashed", "name": "kept"}, "more": [1]}))
    browser.prepare(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["Default"]
    assert json.loads(preferences.read_text()) == {
        "profile": {"exit_type": "Normal", "exited_cleanly": True, "name": "kept"},
        "more": [1],
    }


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"profile": 3}', "[" * 100_000, "\udcff"])
def test_prepare_survives_any_preferences(tmp_path: Path, content: str) -> None:
    (tmp_path / "Default").mkdir()
    path = tmp_path / "Default" / "Preferences"
    path.write_bytes(content.encode(errors="surrogateescape"))
    browser.prepare(tmp_path)
    assert path.read_bytes() == content.encode(errors="surrogateescape")


@pytest.mark.parametrize(
    "target", ["desktop", "desktop-", "desktop-abc", "desktop--5", "desktop-1", "x-99999999999999"]
)
def test_a_lock_of_nobody(tmp_path: Path, target: str) -> None:
    (tmp_path / "SingletonLock").symlink_to(target)
    assert browser.lock_owner(tmp_path) is None


def test_a_stray_browser_that_holds_the_profile_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleep = os.path.realpath(shutil.which("sleep") or "")
    monkeypatch.setattr(browser, "BINARY", sleep)
    with subprocess.Popen([sleep, "600"]) as stray:
        (tmp_path / "SingletonLock").symlink_to(f"desktop-{stray.pid}")
        browser.prepare(tmp_path)
        assert stray.wait(10) == -9


class Chromium:
    """What listens on a running Chromium's profile."""

    def __init__(self, home: Path) -> None:
        self.home, self.answer = home, b"ACK"
        self.socket = home / ".config" / "chromium" / "SingletonSocket"
        self.heard: list[list[str]] = []

    async def start(self) -> asyncio.Server:
        self.socket.parent.mkdir(parents=True)
        return await asyncio.start_unix_server(self._serve, self.socket)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heard.append((await reader.read()).decode().split("\0"))
        writer.write(self.answer)
        writer.close()


@pytest.fixture
async def chromium() -> AsyncIterator[Chromium]:
    with tempfile.TemporaryDirectory() as home:
        found = Chromium(Path(home))
        server = await found.start()
        yield found
        server.close()


async def test_a_page_is_left_for_a_blank_one_and_without_a_browser_none_is_there(
    chromium: Chromium, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = {"HOME": str(chromium.home)}
    await browser.leave_page(home)
    assert chromium.heard == [["START", "/", browser.BINARY, "about:blank"]]
    chromium.answer = b""
    with pytest.raises(OSError, match="did not take"):
        await browser.leave_page(home)
    monkeypatch.setattr(browser, "SOCKET_DEADLINE", 0.1)
    chromium.socket.unlink()
    await browser.leave_page(home)


async def test_open_url_hands_the_url_over(chromium: Chromium) -> None:
    await browser.open_url("https://a.example/x", {"HOME": str(chromium.home)})
    assert chromium.heard == [["START", "/", browser.BINARY, "https://a.example/x"]]


async def test_open_url_refuses_before_it_says_anything(chromium: Chromium) -> None:
    with pytest.raises(UrlRefused):
        await browser.open_url("file:///etc/passwd", {"HOME": str(chromium.home)})
    assert chromium.heard == []


@pytest.mark.parametrize("answer", [b"SHUTDOWN", b"", b"x" * 1000])
async def test_a_browser_that_does_not_take_the_url(chromium: Chromium, answer: bytes) -> None:
    chromium.answer = answer
    with pytest.raises(OSError, match="did not take"):
        await browser.open_url("https://a.example/", {"HOME": str(chromium.home)})


async def test_a_browser_that_says_nothing(chromium: Chromium, monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(*_: object) -> bytes:
        await asyncio.sleep(600)
        return b""

    monkeypatch.setattr(browser, "_tell", silent)
    monkeypatch.setattr(browser, "OPEN_DEADLINE", 0.02)
    with pytest.raises(TimeoutError):
        await browser.open_url("https://a.example/", {"HOME": str(chromium.home)})


async def test_open_url_waits_for_a_restarting_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as home:
        found = Chromium(Path(home))
        task = asyncio.create_task(browser.open_url("https://a.example/", {"HOME": home}))
        await asyncio.sleep(0)
        assert not task.done()
        server = await found.start()
        await task
        server.close()
        found.socket.unlink(missing_ok=True)
        monkeypatch.setattr(browser, "SOCKET_DEADLINE", 0.05)
        with pytest.raises(TimeoutError):
            await browser.open_url("https://a.example/", {"HOME": home})


def test_emulated_it_does_without_compiler_and_processes() -> None:
    plain = browser.command("about:blank", 800, 600, again=False)
    emulated = browser.command("about:blank", 800, 600, again=False, emulated=True)
    assert set(emulated) - set(plain) == set(browser.EMULATED)
    assert "--no-sandbox" not in plain


def test_downloads_go_to_the_folder_of_files_unless_the_user_chose(tmp_path: Path) -> None:
    folder = tmp_path / "chromium"
    browser.prepare(folder)
    browser.download_to(folder, tmp_path / "Files")
    preferences = folder / "Default" / "Preferences"
    assert json.loads(preferences.read_text())["download"] == {"default_directory": str(tmp_path / "Files")}
    preferences.write_text(json.dumps({"download": {"default_directory": "/elsewhere"}}))
    browser.download_to(folder, tmp_path / "Files")
    assert json.loads(preferences.read_text())["download"]["default_directory"] == "/elsewhere"
    for garbage in ("[", "[]", '{"download": 5}'):
        preferences.write_text(garbage)
        browser.download_to(folder, tmp_path / "Files")
        assert preferences.read_text() == garbage
