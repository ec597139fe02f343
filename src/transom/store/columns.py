"""Two types of column make SQLite and PostgreSQL behave alike: `Line` for text from outside, `Json` for small
structures that nobody queries."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator


class Line(TypeDecorator[str]):
    """Text from outside. PostgreSQL has no NUL and no lone surrogate: both become U+FFFD, on every database."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        whole = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return whole.replace("\0", "\ufffd")


class Json(TypeDecorator[Any]):
    """A small structure kept as ASCII JSON text; None inside stays JSON's null."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        return json.dumps(value, separators=(",", ":"), allow_nan=False)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)
