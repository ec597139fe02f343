"""The root part without root: its boot is a shell script, and taking an identity is written down."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from tests.unit.transom_guest.vm.test_config import drive
from tests.unit.transom_guest.vm.test_identity import SELF
from transom_guest.vm import agent, identity
from transom_guest.vm.agent import Attendant, environment, read_drive
from transom_guest.vm.config import ConfigError, decode

CONFIG = decode(drive())


class Rig:
    """An attendant, and the other ends of all it holds."""

    def __init__(self, tmp_path: Path) -> None:
        self.log = tmp_path / "console"
        console = os.open(self.log, os.O_WRONLY | os.O_CREAT)
        words, self.says = os.pipe()
        asked, self.asks = os.pipe()
        self.answers, answer = os.pipe()
        self.ended, self.end = os.pipe()
        self.attendant = Attendant(console, words, asked, answer)
        self.thread = threading.Thread(target=self.attendant.attend, args=(self.ended,))
        self.thread.start()

    def ask(self, line: bytes) -> bytes:
        os.write(self.asks, line)
        return os.read(self.answers, 4096)

    def close(self) -> str:
        os.close(self.end)
        self.thread.join(10)
        assert not self.thread.is_alive()
        return self.log.read_text()


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(identity, "take", lambda self: found.append(self.hostname))
    return found


def test_the_boot_learns_where_its_keeper_is_and_nothing_of_the_token() -> None:
    found = environment(CONFIG)
    assert found["TRANSOM_LINK"] == "192.168.100.1:4001"
    assert found["TRANSOM_ADDRESS"] == "192.168.100.10"
    assert found["HTTP_PROXY"] == found["HTTPS_PROXY"] == "http://192.168.100.1:3128"
    assert (found["DISPLAY"], found["TRANSOM_EMULATED"]) == (":1", "1")
    assert "SESSION_ID" in found
    assert not any(CONFIG.boot_token in value for value in found.values())
    assert "TRANSOM_EMULATED" not in environment(decode(drive(emulated=False)))


def test_the_drive_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "drive"
    path.write_bytes(drive())
    assert read_drive(str(path)).machine == "mch_a"
    assert not path.exists()
    path.write_bytes(b"x")
    with pytest.raises(ConfigError):
        read_drive(str(path))
    assert not path.exists()


def test_one_identity_is_taken(tmp_path: Path, taken: list[str]) -> None:
    rig = Rig(tmp_path)
    assert rig.ask(identity.encode(SELF)) == identity.TAKEN
    assert os.read(rig.answers, 1) == b""
    with pytest.raises(BrokenPipeError):
        os.write(rig.asks, identity.encode(SELF))
    rig.close()
    assert taken == ["desk-1"]


@pytest.mark.parametrize("line", [b"{}\n", b"\n", b"x" * 3000, b"\xff\xfe\n"])
def test_garbage_is_answered_and_ends_the_channel(tmp_path: Path, taken: list[str], line: bytes) -> None:
    rig = Rig(tmp_path)
    answer = rig.ask(line)
    assert answer != identity.TAKEN and len(answer) <= 200
    assert "no identity" in rig.close()
    assert taken == []


def test_a_kernel_that_refuses_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: object) -> None:
        raise PermissionError(1, "not permitted")

    monkeypatch.setattr(identity, "take", refuse)
    rig = Rig(tmp_path)
    assert b"not permitted" in rig.ask(identity.encode(SELF))
    rig.close()


def test_a_boot_that_lets_go_of_its_channel_is_not_asked_again(tmp_path: Path, taken: list[str]) -> None:
    rig = Rig(tmp_path)
    os.close(rig.asks)
    os.write(rig.says, b"[SUPERVISOR] display started\n")
    os.close(rig.says)
    assert "display started" in rig.close()


def test_words_reach_the_console_cleaned_and_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "OUTPUT_LIMIT", 20)
    rig = Rig(tmp_path)
    os.write(rig.says, b"\x1b[2Jone\ntwo\n" + b"x" * 100)
    os.close(rig.says)
    while len(rig.log.read_bytes()) < 20:
        pass
    assert rig.close() == "?[2Jone\ntwo\n" + "x" * 8


def test_a_boot_is_started_with_its_token_and_its_channel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = (
        'read token; echo "$token $TRANSOM_ROOT_FDS"; echo ask >&3; read answer <&4; echo "$answer";'
        ' for each in /proc/$$/fd/*; do echo -n "${each##*/} "; done'
    )
    monkeypatch.setattr(agent, "BOOT", ("/bin/sh", "-c", script))
    monkeypatch.setattr(agent, "UID", os.getuid())
    monkeypatch.setattr(agent, "HOME", str(tmp_path))
    pid, words, asked, answer = agent.start(CONFIG)
    assert os.read(asked, 10) == b"ask\n"
    os.write(answer, b"yes\n")
    said = b""
    while data := os.read(words, 4096):
        said += data
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    token, reply, descriptors = said.decode().splitlines()
    assert (token, reply) == (f"{CONFIG.boot_token} 3,4", "yes")
    assert set(descriptors.split()) <= {"0", "1", "2", "3", "4", "5", "10"}


def test_a_boot_that_cannot_be_started_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "BOOT", ("/nonexistent",))
    monkeypatch.setattr(agent, "UID", os.getuid())
    monkeypatch.setattr(agent, "HOME", "/")
    pid, words, asked, answer = agent.start(CONFIG)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0
    for descriptor in (words, asked, answer):
        os.close(descriptor)


def test_a_machine_without_a_drive_says_so_on_its_console(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    console = tmp_path / "console"
    console.touch()
    monkeypatch.setattr(agent, "CONSOLES", ("/nonexistent", str(console)))
    monkeypatch.setattr(agent, "DRIVE", str(tmp_path / "none"))
    assert agent.main() == 1
    assert "[SUPERVISOR] vm-browser-agent started" in console.read_text()
    assert "cannot begin" in console.read_text()
