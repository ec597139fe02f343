"""Request bodies held to the API's own schema, which is `schema.json`: the API refuses what it does not know,
and so nothing unknown is sent. Pure once loaded.

Only the keywords that the file uses are understood, and a test compares with a complete implementation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any

from transom_keeper.firecracker.version import Version, parse

_DOCUMENT: dict[str, Any] = json.loads((resources.files(__package__) / "schema.json").read_bytes())
_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": Mapping,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
}
KEYWORDS = frozenset(
    ("type", "properties", "required", "additionalProperties", "enum", "minimum", "maximum", "items", "oneOf")
)


class SchemaError(ValueError):
    """The body is not one that the API takes; says where and why, and never repeats a value."""


def document() -> dict[str, Any]:
    """The whole schema."""
    return _DOCUMENT


def definition(method: str, path: str) -> str | None:
    """The name of the body's definition for `method` on `path`; None for a request that is not known."""
    for request, name in _DOCUMENT["x-requests"].items():
        known_method, _, pattern = request.partition(" ")
        if known_method == method and _fits(pattern.split("/"), path.split("/")):
            return str(name)
    return None


def _fits(pattern: list[str], steps: list[str]) -> bool:
    """A step in braces stands for any one step."""
    return len(pattern) == len(steps) and all(
        known == step or (known.startswith("{") and step != "")
        for known, step in zip(pattern, steps, strict=True)
    )


def check(method: str, path: str, body: object, version: Version) -> None:
    """Raises SchemaError when Firecracker `version` would refuse `body`."""
    name = definition(method, path)
    if name is None:
        raise SchemaError(f"{method} {path} is not a request of the API")
    for problem in problems(_DOCUMENT["$defs"][name], body, version):
        raise SchemaError(f"{method} {path}: {problem}")


def problems(rule: Mapping[str, Any], value: object, version: Version, at: str = "body") -> Iterator[str]:
    """What is wrong with `value`, each with the place it is at."""
    if "$ref" in rule:
        rule = _DOCUMENT["$defs"][rule["$ref"].rpartition("/")[2]]
    kind = rule.get("type")
    if kind is not None and not _is(kind, value):
        yield f"{at} is not of type {kind}"
        return
    if "enum" in rule and value not in rule["enum"]:
        yield f"{at} is none of its values"
    if isinstance(value, int):
        yield from _range(rule, value, at)
    if isinstance(value, list) and "items" in rule:
        for number, each in enumerate(value):
            yield from problems(rule["items"], each, version, f"{at}[{number}]")
    if isinstance(value, Mapping):
        yield from _fields(rule, value, version, at)


def _is(kind: str, value: object) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES[kind])


def _range(rule: Mapping[str, Any], value: int, at: str) -> Iterator[str]:
    if not rule.get("minimum", value) <= value <= rule.get("maximum", value):
        yield f"{at} is out of its range"


def _fields(rule: Mapping[str, Any], value: Mapping[str, object], version: Version, at: str) -> Iterator[str]:
    known = rule.get("properties", {})
    for name in rule.get("required", ()):
        if name not in value:
            yield f"{at} lacks the field {name}"
    for name, inner in value.items():
        if name in known:
            yield from _too_new(known[name], version, f"{at}.{name}")
            yield from problems(known[name], inner, version, f"{at}.{name}")
        elif rule.get("additionalProperties") is False:
            yield f"{at} has an unknown field"
    if "oneOf" in rule:
        fitting = [each for each in rule["oneOf"] if not any(problems(each, value, version, at))]
        if len(fitting) != 1:
            yield f"{at} must have exactly one of several fields"


def _too_new(rule: Mapping[str, Any], version: Version, at: str) -> Iterator[str]:
    since = parse(rule["x-since"]) if "x-since" in rule else None
    if since is not None and version < since:
        yield f"{at} came with a later version"
