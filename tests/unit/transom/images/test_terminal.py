from __future__ import annotations

import io

import pytest
from rich.console import Console

from transom.images.build import STEPS, Progress
from transom.images.terminal import NAMES, WEIGHTS, described, percent, shown


def test_every_step_has_a_name_and_a_weight() -> None:
    assert set(STEPS) == set(NAMES) == set(WEIGHTS)
    assert sum(WEIGHTS.values()) == 100


def test_percent_only_rises() -> None:
    shares = [percent(Progress(step, fraction / 4)) for step in STEPS for fraction in range(5)]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 100)


def test_what_a_program_said_is_cleaned() -> None:
    assert described(Progress("bootstrap", 0, "a\x1b[31mb" + "x" * 500)).startswith("Debian packages (a[31mb")
    assert len(described(Progress("bootstrap", 0, "x" * 500))) < 100


@pytest.mark.parametrize("terminal", [True, False])
def test_each_steps_time_is_printed(terminal: bool) -> None:
    out = io.StringIO()
    with shown(Console(file=out, force_terminal=terminal, width=100)) as report:
        report(Progress("check", 0.5, "[bold]not markup"))
        report(Progress("check", 1.0, seconds=0.25))
        report(Progress("bootstrap", 1.0, seconds=61.5))
    assert "image 1/6 looking at this host: 0.2 s" in out.getvalue()
    assert "image 2/6 Debian packages: 61.5 s" in out.getvalue()
