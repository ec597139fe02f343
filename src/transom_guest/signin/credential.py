"""Reading credential files: is this one complete, and until when is it good? Pure; never quotes a value."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from transom_wire.link import CredentialFile

MAX_DEPTH = 32
MAX_EXPIRY = 2**53
SECONDS_UNTIL = 10**11
"""Epoch numbers below are seconds (until the year 5138), from there on milliseconds."""


class Incomplete(ValueError):
    """The file is not a finished credential; the text says what is missing and shows no content."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What the tool holds now, whole. Its repr shows no content."""

    files: Mapping[str, bytes]
    newest: int
    """Modification time of the newest file, nanoseconds."""
    expires_at: int | None
    digest: str

    def __repr__(self) -> str:
        return f"Holding({sorted(self.files)}, expires_at={self.expires_at})"


def hold(specs: Sequence[CredentialFile], found: Mapping[str, tuple[bytes, int]]) -> Holding:
    """Judge the files that were read (path -> bytes, modification time). Raises Incomplete."""
    files: dict[str, bytes] = {}
    expiries: list[int] = []
    for spec in specs:
        if spec.path not in found:
            if spec.required:
                raise Incomplete(f"{spec.path} is not there")
            continue
        body = found[spec.path][0]
        try:
            expires = judge(spec, body)
        except Incomplete:
            if spec.required:
                raise
            continue
        files[spec.path] = body
        if expires is not None:
            expiries.append(expires)
    if not files:
        raise Incomplete("no file is there")
    newest = max(found[path][1] for path in files)
    return Holding(files, newest, min(expiries, default=None), _digest(files))


def judge(spec: CredentialFile, body: bytes) -> int | None:
    """Return the expiry (Unix milliseconds) of one complete file, None when it says none. Raises Incomplete."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Incomplete(f"{spec.path} is not UTF-8") from error
    if not text.strip():
        raise Incomplete(f"{spec.path} is empty")
    if spec.format == "text":
        return None
    tree = _json(text, spec.path) if spec.format == "json" else read_mapping(text)
    for wanted in spec.must_have:
        if not any(_present(value) for value in values_at(tree, wanted)):
            raise Incomplete(f"{spec.path} has no {wanted}")
    return expiry(tree, spec.expires) if spec.expires else None


def values_at(tree: Any, path: str) -> Iterator[Any]:
    """Every value at a dotted path; `*` stands for any one key. A missing path has none."""
    nodes = [tree]
    for key in path.split("."):
        below: list[Any] = []
        for node in nodes:
            if isinstance(node, dict):
                below.extend(node.values() if key == "*" else [node[key]] if key in node else [])
        nodes = below
    yield from nodes


def expiry(tree: Any, path: str) -> int | None:
    """Unix milliseconds at `path` (see CredentialFile.expires), or None when there is nothing to read."""
    inside_jwt = path.startswith("jwt:")
    value = next(values_at(tree, path.removeprefix("jwt:")), None)
    return _instant(_jwt_expiry(value) if inside_jwt else value)


def read_mapping(text: str) -> dict[str, Any]:
    """The nested `key: value` part of YAML, all that credential files use. Other lines are passed over."""
    root: dict[str, Any] = {}
    open_maps: list[tuple[int, dict[str, Any]]] = [(-1, root)]
    for line in text.splitlines()[:2000]:
        found = re.fullmatch(r"( {0,64})([^\s:#'\"][^:]{0,199}):(?: (.{0,8000}))?", line.rstrip())
        if not found:
            continue
        indent, key, value = len(found.group(1)), found.group(2), (found.group(3) or "").strip()
        while open_maps[-1][0] >= indent:
            open_maps.pop()
        if value:
            open_maps[-1][1][key] = value.strip("'\"")
        elif len(open_maps) < MAX_DEPTH:
            child: dict[str, Any] = {}
            open_maps[-1][1][key] = child
            open_maps.append((indent, child))
    return root


def _json(text: str, path: str) -> Any:
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Incomplete(f"{path} is not JSON") from error
    if not isinstance(tree, dict) or not tree:
        raise Incomplete(f"{path} is not a filled object")
    return tree


def _present(value: Any) -> bool:
    return value is not None and value not in ("", {}, [])


def _jwt_expiry(token: Any) -> Any:
    """The `exp` of an unverified JWT: it is told to its owner as a hint, and decides nothing."""
    if not isinstance(token, str) or token.count(".") != 2:
        return None
    middle = token.split(".")[1]
    try:
        claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return None
    return claims.get("exp") if isinstance(claims, dict) else None


def _instant(value: Any) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,16}", value):
        value = int(value)
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.removesuffix("UTC").strip())
            value = moment.timestamp() if moment.tzinfo else None
        except (ValueError, OverflowError):
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < MAX_EXPIRY:
        return None
    return int(value * 1000) if value < SECONDS_UNTIL else int(value)


def _digest(files: Mapping[str, bytes]) -> str:
    whole = hashlib.sha256()
    for path, body in sorted(files.items()):
        whole.update(hashlib.sha256(path.encode()).digest() + hashlib.sha256(body).digest())
    return whole.hexdigest()
