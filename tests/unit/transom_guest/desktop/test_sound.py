"""PulseAudio's command line, and where it is left out."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import pytest

from transom_guest.desktop import programs, sound


def test_it_listens_on_its_users_socket_alone_and_the_desktop_is_sink_0() -> None:
    argv = sound.command({"XDG_RUNTIME_DIR": "/run/user/1000"})
    modules = [word for before, word in pairwise(argv) if before == "-L"]
    assert modules[0].startswith("module-null-sink sink_name=desktop ")
    assert "socket=/run/user/1000/pulse/native" in modules[-1]
    assert not any("tcp" in module for module in modules)


def test_an_emulated_machine_and_one_without_pulseaudio_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert sound.has_sound({})
    assert not sound.has_sound({"TRANSOM_EMULATED": "1"})
    monkeypatch.setattr(sound.shutil, "which", lambda name: None)
    assert not sound.has_sound({})
    assert "sound" not in [each.name for each in programs.programs("browser", clones=False)]
    assert "sound" in [each.name for each in programs.programs("browser", clones=False, beside=["sound"])]


def test_what_a_dead_one_left_does_not_keep_the_next_from_listening(tmp_path: Path) -> None:
    environment = {"XDG_RUNTIME_DIR": str(tmp_path)}
    sound.prepare(environment)
    (tmp_path / "pulse/native").write_text("")
    sound.prepare(environment)
    assert os.listdir(tmp_path / "pulse") == []
