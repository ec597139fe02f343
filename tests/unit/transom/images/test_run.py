from __future__ import annotations

import time
from pathlib import Path

import pytest

from transom.images.errors import ImageError
from transom.images.run import KEPT_LINES, inside, missing, run

SH = "/bin/sh"


def test_lines_are_seen_and_the_last_ones_returned() -> None:
    seen: list[str] = []
    last = run([SH, "-c", "echo one; echo two >&2"], deadline=10, mend="", saw=seen.append)
    assert seen == ["one", "two"]
    assert last == "one\ntwo"


def test_a_failure_shows_the_last_lines_and_the_mend() -> None:
    with pytest.raises(ImageError) as caught:
        run(
            [SH, "-c", "i=0; while [ $i -lt 100 ]; do echo l$i; i=$((i+1)); done; exit 4"],
            deadline=10,
            mend="do x",
        )
    assert caught.value.mend == "do x"
    assert "exit 4" in caught.value.message
    assert len(caught.value.message.splitlines()) == KEPT_LINES + 1
    assert caught.value.message.endswith("l99")


def test_a_program_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(ImageError, match="did not end"):
        run([SH, "-c", "sleep 600 & sleep 600"], deadline=0.2, mend="")
    assert time.monotonic() - began < 15


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(ImageError, match="cannot be run"):
        run(["/nonexistent/program"], deadline=1, mend="")


def test_an_interruption_ends_the_program(tmp_path: Path) -> None:
    def interrupted(_line: str) -> None:
        raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run([SH, "-c", "echo x; sleep 600"], deadline=600, mend="", saw=interrupted)
    assert time.monotonic() - began < 15


def test_the_inside_has_no_network_and_no_environment() -> None:
    argv = inside(Path("/images/root"), ["true"])
    assert "--unshare-net" in argv
    assert "--clearenv" in argv
    assert argv[-1] == "true"


def test_missing() -> None:
    assert missing({"sh": "dash", "no-such-tool-1": "b", "no-such-tool-2": "a", "no-such-tool-3": "b"}) == [
        "a",
        "b",
    ]
