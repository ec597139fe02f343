from __future__ import annotations

import logging
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from transom_keeper import log
from transom_keeper.log import BoundedFile, GuestOutput, clean


def size_of(folder: Path) -> int:
    return sum(each.stat().st_size for each in folder.iterdir())


def test_two_files_are_all_there_ever_is(tmp_path: Path) -> None:
    file = BoundedFile(tmp_path / "log", limit=1000)
    for number in range(500):
        file.write(f"line {number}")
    assert {each.name for each in tmp_path.iterdir()} == {"log", "log.1"}
    assert size_of(tmp_path) <= 2000
    assert (tmp_path / "log").read_text().endswith("line 499\n")
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


def test_one_endless_line_is_cut(tmp_path: Path) -> None:
    BoundedFile(tmp_path / "log", limit=100).write("x" * 10_000)
    assert size_of(tmp_path) <= 101


def test_a_log_goes_on_where_it_was(tmp_path: Path) -> None:
    BoundedFile(tmp_path / "log", limit=100).write("a" * 60)
    BoundedFile(tmp_path / "log", limit=100).write("b" * 60)
    assert (tmp_path / "log.1").read_text() == "a" * 60 + "\n"


def test_a_folder_that_is_gone_loses_the_line_only(tmp_path: Path) -> None:
    file = BoundedFile(tmp_path / "log", limit=10)
    (tmp_path / "log").unlink()
    tmp_path.rmdir()
    for _ in range(3):
        file.write("x" * 9)


@given(st.binary(max_size=300))
def test_nothing_a_guest_prints_moves_a_terminal(line: bytes) -> None:
    text = clean(line)
    assert not any(ord(each) < 32 or 127 <= ord(each) < 160 for each in text)


def test_a_guest_that_prints_without_end_is_cut_to_a_rate(tmp_path: Path) -> None:
    output = GuestOutput(BoundedFile(tmp_path / "guest", limit=10**7))
    for _ in range(5000):
        output.feed(b"y" * 1000)
    assert size_of(tmp_path) < log.GUEST_BURST_BYTES * 2
    assert output.last == "y" * 300


def test_the_keeper_s_log_has_tracebacks(tmp_path: Path) -> None:
    root = logging.getLogger()
    before, level, raising = root.handlers, root.level, logging.raiseExceptions
    try:
        log.start(tmp_path / "log")
        try:
            raise ValueError("planted")
        except ValueError:
            logging.getLogger("keeper").exception("it broke")
    finally:
        root.handlers, logging.raiseExceptions = before, raising
        root.setLevel(level)
    text = (tmp_path / "log").read_text()
    assert "ERROR keeper: it broke" in text and "ValueError: planted" in text
