"""The part that needs no display; the rest is in tests/integration/test_image_trial.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from transom.images import probe
from transom.images.probe import MARK, Probe


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Programs of the image: `good` says a version, `bad` fails, gst-inspect-1.0 knows one element."""
    scripts = {
        "good": "echo good 1.2.3",
        "bad": "echo no library >&2; exit 3",
        "slow": "exec sleep 60",
        "gst-inspect-1.0": '[ "$2" = webrtcbin ]',
    }
    for name, body in scripts.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    path = f"{tmp_path}:/usr/bin:/bin"
    monkeypatch.setenv("PATH", path)
    monkeypatch.setitem(probe.ENVIRONMENT, "PATH", path)
    return tmp_path


def asked(**wishes: Any) -> dict[str, Any]:
    return Probe({"browser": None, "elements": [], "commands": [], "seconds": 20, **wishes}).run()


def test_versions(programs: Path) -> None:
    found = asked(commands=["good", "bad", "missing"])
    assert found["said"]["good"] == "good 1.2.3"
    assert found["wrong"][0] == "bad --version fails: no library"
    assert found["wrong"][1].startswith("missing --version fails")


def test_elements(programs: Path) -> None:
    assert asked(elements=["webrtcbin", "x264enc"])["wrong"] == ["GStreamer has no x264enc"]


def test_a_program_that_hangs_is_given_up(programs: Path) -> None:
    (sentence,) = asked(commands=["slow"], seconds=0.2)["wrong"]
    assert "timed out" in sentence


def test_it_runs_with_nothing_of_ours_on_the_path(tmp_path: Path) -> None:
    source = Path(probe.__file__).read_text().replace('"/home/user"', f'"{tmp_path}/home"')
    (tmp_path / "probe.py").write_text(source.replace('"/run/user/1000"', f'"{tmp_path}/run"'))
    wishes = json.dumps({"browser": None, "elements": [], "commands": [], "seconds": 1})
    done = subprocess.run(
        [sys.executable, "-S", "-I", str(tmp_path / "probe.py"), wishes],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
        env={"PATH": os.environ["PATH"]},
    )
    (line,) = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
    assert json.loads(line.removeprefix(MARK)) == {"wrong": [], "said": {}, "painted_ms": None}


def test_the_display_is_the_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asking = Probe({"browser": "chromium", "elements": [], "commands": [], "seconds": 1})
    monkeypatch.setattr(probe, "XORG_FILE", str(tmp_path / "xorg.conf"))
    monkeypatch.setattr(probe, "XORG_SERVER", str(tmp_path / "none"))
    assert asking.server()[0] == "Xvnc"
    monkeypatch.setattr(probe, "XORG_SERVER", str(tmp_path))
    assert asking.server()[0].endswith("Xorg")
    for part in ('"dummy"', '"vnc"', '"inputtest"'):
        assert part in (tmp_path / "xorg.conf").read_text()
