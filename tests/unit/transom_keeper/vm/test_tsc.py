from __future__ import annotations

import platform
from pathlib import Path

import pytest

from transom_keeper.vm.tsc import measure_khz, stated_khz


def test_the_counter_is_measured_and_again_the_same() -> None:
    assert platform.machine() == "x86_64"
    one, other = measure_khz(), measure_khz()
    assert 100_000 < one < 20_000_000
    assert abs(one - other) * 1000 < one, "a guest's clock would run away"


def test_where_no_code_may_be_made_the_host_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refused(*arguments: object, **options: object) -> None:
        raise PermissionError

    monkeypatch.setattr("transom_keeper.vm.tsc.mmap.mmap", refused)
    (tmp_path / "cpuinfo").write_text("processor\t: 0\ncpu MHz\t\t: 2700.005\n")
    assert measure_khz(tmp_path / "cpuinfo") == 2_700_005


def test_a_host_that_says_nothing_is_an_error() -> None:
    with pytest.raises(OSError, match="how fast"):
        stated_khz("processor: 0\n")
