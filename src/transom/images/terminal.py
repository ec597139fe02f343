"""Shows a build in a terminal: one bar, the step's name, and each step's time as it ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from transom.images.build import STEPS, Progress, Report

WEIGHTS = {"check": 1, "bootstrap": 65, "tools": 10, "configure": 1, "clean": 4, "seal": 19}
"""Percent of a whole build's time, as measured."""
NAMES = {
    "check": "looking at this host",
    "bootstrap": "Debian packages",
    "tools": "command-line tools",
    "configure": "configuration",
    "clean": "cleaning, caches",
    "seal": "digest, checks",
}
TEXT_WIDTH = 50


@contextmanager
def shown(console: Console) -> Iterator[Report]:
    """Yield a `progress` for `build`; in a terminal a bar, else a line for each step."""
    columns = (TextColumn("image: {task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
    with Bar(*columns, TimeElapsedColumn(), console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=100)

        def report(progress: Progress) -> None:
            bar.update(task, completed=percent(progress), description=described(progress))
            if progress.seconds is not None:
                number = STEPS.index(progress.step) + 1
                name = NAMES[progress.step]
                console.print(
                    f"image {number}/{len(STEPS)} {name}: {progress.seconds:.1f} s", highlight=False
                )

        yield report


def percent(progress: Progress) -> float:
    """How much of the whole build is done, 0..100."""
    before = sum(WEIGHTS[step] for step in STEPS[: STEPS.index(progress.step)])
    return before + WEIGHTS[progress.step] * progress.fraction


def described(progress: Progress) -> str:
    """The step's name, and what it is at."""
    text = "".join(char for char in progress.text if char.isprintable())[:TEXT_WIDTH]
    return f"{NAMES[progress.step]} ({text})" if text else NAMES[progress.step]
