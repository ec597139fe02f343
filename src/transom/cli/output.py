"""What commands print: a table or lines for people, JSON for programs. Text from elsewhere is cleaned."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from transom.cli.failure import printable

PIPE_WIDTH = 4000
"""Columns when nobody looks: no line is folded."""


def show_json(value: Any) -> None:
    """One JSON document on standard output."""
    json.dump(value, sys.stdout, indent=2 if sys.stdout.isatty() else None, ensure_ascii=True)
    sys.stdout.write("\n")


def show_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool, none: str) -> None:
    """A table of `columns`, or the sentence `none`; as JSON the rows whole."""
    if as_json:
        show_json([dict(row) for row in rows])
        return
    if not rows:
        print(none)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(Text(word(column, row.get(column))) for column in columns))
    Console(width=None if sys.stdout.isatty() else PIPE_WIDTH).print(table)


def show_fields(fields: Mapping[str, Any], *, as_json: bool) -> None:
    """One thing, a line for each of its fields."""
    if as_json:
        show_json(dict(fields))
        return
    width = max(map(len, fields), default=0)
    for name, value in fields.items():
        print(f"{name.replace('_', ' '):<{width}}  {word(name, value)}".rstrip())


def word(name: str, value: Any) -> str:
    """A value in words. A field that ends in `_at` is a time in Unix milliseconds."""
    if value is None or value == "":
        return "-"
    if name.endswith("_at") or name == "at":
        return when(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return printable(", ".join(str(item) for item in value)) or "-"
    if isinstance(value, dict):
        return printable(", ".join(f"{key} {item}" for key, item in value.items())) or "-"
    return printable(str(value))


def when(milliseconds: Any) -> str:
    """A time in the reader's own zone, to the minute; `-` for what is none."""
    try:
        moment = datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone()
    except (TypeError, ValueError, OverflowError, OSError):
        return "-"
    return moment.strftime("%Y-%m-%d %H:%M")
