"""A strict codec between frozen dataclasses and JSON.

Fields are `str`, `int`, `float`, `bool`, `bytes` (base64 in JSON), `X | None`, `tuple[X, ...]`,
`dict[str, str]` or another message, limited by `Annotated` marks from this module. An unknown field,
a missing field, a wrong type or a value past its limit is a WireError: the peer may be an attacker.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import types
from collections.abc import Iterable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, ClassVar, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints


class WireError(ValueError):
    """What arrived is not a message of this protocol; the text says why and never quotes the value."""


@dataclass(frozen=True)
class Text:
    """A string of at most `limit` characters that matches `pattern` as a whole."""

    limit: int
    pattern: str = r"[\s\S]*"


@dataclass(frozen=True)
class Range:
    """A number from `low` to `high`, both allowed."""

    low: float
    high: float


@dataclass(frozen=True)
class Blob:
    """At most `limit` bytes."""

    limit: int


@dataclass(frozen=True)
class Many:
    """At most `limit` items."""

    limit: int


Mark = Text | Range | Blob | Many
DEFAULT_TEXT = Text(256)
DEFAULT_RANGE = Range(-(2**53), 2**53)
DEFAULT_BLOB = Blob(4096)
DEFAULT_MANY = Many(64)


class Message(Protocol):
    """A frozen dataclass with a TYPE that names it on the wire."""

    TYPE: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Any]]


M = TypeVar("M")


def encode(message: Message) -> bytes:
    """Return `message` as compact JSON. Limits are the receiver's to check: a sender keeps to them by its own code."""
    body = {"type": message.TYPE, **_dump(message)}
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def decode(body: bytes, allowed: Iterable[type[M]]) -> M:
    """Return the message in `body`, which must be one of `allowed`. Raises WireError."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise WireError("not JSON") from error
    if not isinstance(parsed, dict):
        raise WireError("not an object")
    kind = parsed.pop("type", None)
    for cls in allowed:
        if kind == cls.TYPE:  # type: ignore[attr-defined]
            return load(cls, parsed)
    raise WireError("unknown or unexpected message type")


def load(cls: type[M], value: Any) -> M:
    """Return a `cls` built from the JSON object `value`. Raises WireError."""
    if not isinstance(value, dict):
        raise WireError(f"{cls.__name__}: not an object")
    hints = _hints(cls)  # type: ignore[arg-type]
    unknown = value.keys() - hints.keys()
    if unknown:
        raise WireError(f"{cls.__name__}: unknown field")
    found: dict[str, Any] = {}
    for field in fields(cls):  # type: ignore[arg-type]
        if field.name in value:
            found[field.name] = _read(hints[field.name], value[field.name], f"{cls.__name__}.{field.name}")
        elif field.default is MISSING and field.default_factory is MISSING:
            raise WireError(f"{cls.__name__}.{field.name}: missing")
    return cls(**found)


@cache
def _hints(cls: type) -> dict[str, Any]:
    hints = get_type_hints(cls, include_extras=True)
    return {field.name: hints[field.name] for field in fields(cls)}


def _dump(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _dump(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, tuple | list):
        return [_dump(item) for item in value]
    return value


def _read(hint: Any, value: Any, where: str) -> Any:
    marks: tuple[Any, ...] = ()
    if get_origin(hint) is Annotated:
        hint, *rest = get_args(hint)
        marks = tuple(rest)
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        (inner,) = [arg for arg in get_args(hint) if arg is not type(None)]
        return _read(Annotated[(inner, *marks)] if marks else inner, value, where)
    if origin is tuple:
        return _read_many(get_args(hint)[0], marks, value, where)
    if origin is dict:
        return _read_mapping(marks, value, where)
    if isinstance(hint, type) and is_dataclass(hint):
        return load(hint, value)
    return _read_plain(hint, marks, value, where)


def _mark(marks: tuple[Any, ...], default: Any) -> Any:
    return next((mark for mark in marks if isinstance(mark, type(default))), default)


def _read_many(item: Any, marks: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list) or len(value) > _mark(marks, DEFAULT_MANY).limit:
        raise WireError(f"{where}: not a list, or too long")
    rest = tuple(mark for mark in marks if not isinstance(mark, Many))
    return tuple(_read(Annotated[(item, *rest)] if rest else item, each, where) for each in value)


def _read_mapping(marks: tuple[Any, ...], value: Any, where: str) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > _mark(marks, DEFAULT_MANY).limit:
        raise WireError(f"{where}: not an object, or too large")
    return {
        _read_text(DEFAULT_TEXT, key, where): _read_text(_mark(marks, DEFAULT_TEXT), item, where)
        for key, item in value.items()
    }


def _read_text(mark: Text, value: Any, where: str) -> str:
    if not isinstance(value, str) or len(value) > mark.limit or not re.fullmatch(mark.pattern, value):
        raise WireError(f"{where}: not a string within its limits")
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise WireError(f"{where}: a lone surrogate")
    return value


def _read_plain(hint: Any, marks: tuple[Any, ...], value: Any, where: str) -> Any:
    if hint is bool:
        if not isinstance(value, bool):
            raise WireError(f"{where}: not a boolean")
        return value
    if hint is str:
        return _read_text(_mark(marks, DEFAULT_TEXT), value, where)
    if hint in (int, float):
        kinds = (int,) if hint is int else (int, float)
        mark = _mark(marks, DEFAULT_RANGE)
        if isinstance(value, bool) or not isinstance(value, kinds):
            raise WireError(f"{where}: not a number")
        if isinstance(value, float) and not math.isfinite(value):
            raise WireError(f"{where}: not a number")
        if not mark.low <= value <= mark.high:
            raise WireError(f"{where}: out of range")
        return value
    if hint is bytes:
        return _read_blob(_mark(marks, DEFAULT_BLOB), value, where)
    raise TypeError(f"{where}: the codec has no form for {hint!r}")


def _read_blob(mark: Blob, value: Any, where: str) -> bytes:
    if not isinstance(value, str) or len(value) > mark.limit * 4 // 3 + 4:
        raise WireError(f"{where}: not bytes within the limit")
    try:
        blob = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise WireError(f"{where}: not base64") from error
    if len(blob) > mark.limit:
        raise WireError(f"{where}: too many bytes")
    return blob
