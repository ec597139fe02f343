"""What is printed, for people and for programs."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom.cli.failure import printable
from transom.cli.output import show_fields, show_rows, when, word


@given(st.text())
def test_no_text_commands_the_terminal(text: str) -> None:
    assert printable(text).isprintable()
    assert word("x", text).isprintable()


@given(st.integers() | st.none() | st.text(max_size=3) | st.floats())
def test_no_time_breaks_the_clock(value: object) -> None:
    assert when(value)


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("x", None, "-"),
        ("x", "", "-"),
        ("x", [], "-"),
        ("x", ["a", "b"], "a, b"),
        ("x", {"ready": 12}, "ready 12"),
        ("x", True, "yes"),
        ("expires_at", None, "-"),
        ("x", 7, "7"),
    ],
)
def test_words(name: str, value: object, shown: str) -> None:
    assert word(name, value) == shown


def test_a_table_keeps_markup_and_length(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"id": "[bold]x[/bold]", "detail": "y" * 300}]
    show_rows(rows, ("id", "detail"), as_json=False, none="none")
    shown = capsys.readouterr().out
    assert "[bold]x[/bold]" in shown
    assert "y" * 300 in shown
    show_rows([], ("id",), as_json=False, none="Nothing here.")
    assert capsys.readouterr().out == "Nothing here.\n"


def test_json_is_whole_and_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    show_rows([{"id": "é\x1b", "more": 1}], ("id",), as_json=True, none="none")
    shown = capsys.readouterr().out
    assert shown.isascii()
    assert json.loads(shown) == [{"id": "é\x1b", "more": 1}]
    show_fields({"a": 1}, as_json=True)
    assert json.loads(capsys.readouterr().out) == {"a": 1}


def test_fields_are_lines(capsys: pytest.CaptureFixture[str]) -> None:
    show_fields({"id": "x", "state_of_it": None}, as_json=False)
    assert capsys.readouterr().out == "id           x\nstate of it  -\n"
