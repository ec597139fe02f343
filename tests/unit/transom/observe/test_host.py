"""What the host has left, as the kernel says it."""

from __future__ import annotations

from pathlib import Path

from transom.observe.host import available_bytes


def test_this_host_says(tmp_path: Path) -> None:
    assert available_bytes() > 2**20


def test_what_does_not_say_is_nothing(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    assert available_bytes(meminfo) == 0
    meminfo.write_text("MemTotal: 9 kB\nMemAvailable:\nMemAvailable: much\n")
    assert available_bytes(meminfo) == 0
    meminfo.write_text("MemTotal: 9 kB\nMemAvailable:    2048 kB\n")
    assert available_bytes(meminfo) == 2 * 2**20
