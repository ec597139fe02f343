"""How dense the desktop's pixels are, as programs are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from transom_guest.desktop import density


def test_the_file_says_dots_per_inch_in_1024ths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {"XDG_RUNTIME_DIR": str(tmp_path)}
    density.prepare(environment)
    assert (tmp_path / "xsettings").read_text() == "Xft/DPI 98304\n"
    (tmp_path / "xsettings").write_text("Xft/DPI 196608\n")
    density.prepare(environment)
    assert (tmp_path / "xsettings").read_text() == "Xft/DPI 196608\n", (
        "a program that died finds what was wanted"
    )
    assert density.command(environment) == ["xsettingsd", "-c", str(tmp_path / "xsettings")]


async def test_another_density_is_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(density, "PROGRAM", "no-such-program")
    await density.set_density(150)
    assert (tmp_path / "xsettings").read_text() == "Xft/DPI 147456\n"


def test_where_it_is_missing_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(density.shutil, "which", lambda name: None)
    assert not density.has_density({})
    monkeypatch.setattr(density.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert density.has_density({})
    assert not density.has_density({"TRANSOM_EMULATED": "1"})
