"""Hypothesis strategies for messages, made from the very marks that the codec enforces."""

from __future__ import annotations

import types
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from transom_wire.codec import (
    DEFAULT_BLOB,
    DEFAULT_MANY,
    DEFAULT_RANGE,
    DEFAULT_TEXT,
    Blob,
    Many,
    Range,
    Text,
)

SHORT = 64
"""Characters or bytes: longer values take time and teach nothing; the limits have tests of their own."""


def message(cls: type[Any]) -> st.SearchStrategy[Any]:
    """Instances of `cls` within its limits."""
    hints = get_type_hints(cls, include_extras=True)
    return st.builds(cls, **{each.name: _of(hints[each.name], ()) for each in fields(cls)})


def _of(hint: Any, marks: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    if get_origin(hint) is Annotated:
        hint, *own = get_args(hint)
        return _of(hint, (*own, *marks))
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        (inner,) = [each for each in get_args(hint) if each is not type(None)]
        return st.none() | _of(inner, marks)
    many = _mark(marks, DEFAULT_MANY)
    if origin is tuple:
        rest = tuple(each for each in marks if not isinstance(each, Many))
        return st.lists(_of(get_args(hint)[0], rest), max_size=min(many.limit, 3)).map(tuple)
    if origin is dict:
        values = _text(_mark(marks, DEFAULT_TEXT))
        return st.dictionaries(_text(DEFAULT_TEXT), values, max_size=min(many.limit, 3))
    if is_dataclass(hint):
        return message(hint)  # type: ignore[arg-type]
    return _plain(hint, marks)


def _plain(hint: Any, marks: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    limits: Range = _mark(marks, DEFAULT_RANGE)
    if hint is bool:
        return st.booleans()
    if hint is int:
        return st.integers(int(limits.low), int(limits.high))
    if hint is float:
        return st.floats(limits.low, limits.high)
    if hint is bytes:
        blob: Blob = _mark(marks, DEFAULT_BLOB)
        return st.binary(max_size=min(blob.limit, SHORT))
    assert hint is str
    return _text(_mark(marks, DEFAULT_TEXT))


def _text(mark: Text) -> st.SearchStrategy[str]:
    if mark.pattern == DEFAULT_TEXT.pattern:
        return st.text(st.characters(exclude_categories=["Cs"]), max_size=min(mark.limit, SHORT))
    return st.from_regex(mark.pattern, fullmatch=True).filter(
        lambda text: len(text) <= mark.limit and not any("\ud800" <= char <= "\udfff" for char in text)
    )


def _mark(marks: tuple[Any, ...], default: Any) -> Any:
    return next((each for each in marks if isinstance(each, type(default))), default)
