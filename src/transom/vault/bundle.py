"""What is sealed: `{"v": 1, "files": {path: base64}}` as UTF-8 JSON. The guest wrote it, so an attacker may have."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any

from transom.model.credential import CredentialFileContent
from transom.model.errors import VaultError

VERSION = 1
MAX_FILES = 8
MAX_BYTES = 128 * 1024
"""Of a whole bundle: what one message of the link carries."""
EMPTY_BYTES = len(b'{"v":1,"files":{}}')
MAX_PATH = 200
_SEGMENT = re.compile(r"[A-Za-z0-9._-](?:[A-Za-z0-9._ -]*[A-Za-z0-9._-])?")


def safe_path(path: str) -> bool:
    """True for a relative path of plain names: nothing that climbs, hides a separator or ends in a blank."""
    if not 0 < len(path) <= MAX_PATH:
        return False
    return all(_SEGMENT.fullmatch(part) and part.strip(".") for part in path.split("/"))


def safe_paths(paths: tuple[str, ...]) -> bool:
    """True for 1 to MAX_FILES safe paths that can lie in one folder, on a file system without case too."""
    if not 0 < len(paths) <= MAX_FILES or not all(map(safe_path, paths)):
        return False
    folded = [path.casefold() for path in paths]
    if len(set(folded)) < len(folded):
        return False
    return not any(other.startswith(path + "/") for path in folded for other in folded)


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return the bundle of `files`. Raises VaultError for paths that `unpack` would refuse."""
    if not safe_paths(tuple(files)):
        raise VaultError("these file names cannot be stored")
    contents = {path: base64.b64encode(content).decode() for path, content in files.items()}
    return json.dumps({"v": VERSION, "files": contents}).encode()


def unpack(bundle: bytes) -> tuple[CredentialFileContent, ...]:
    """Return the files, by path. Raises VaultError, which quotes nothing of the content."""
    files = _files(bundle)
    if not safe_paths(tuple(files)):
        raise VaultError("the stored credential has file names that are not allowed")
    return tuple(CredentialFileContent(path, _content(files[path])) for path in sorted(files))


def _files(bundle: bytes) -> dict[str, Any]:
    if len(bundle) > MAX_BYTES:
        raise VaultError("the stored credential is too large")
    try:
        body = json.loads(bundle.decode("utf-8"))
    except (ValueError, RecursionError):
        raise VaultError("the stored credential is not a bundle of files") from None
    if not isinstance(body, dict) or body.keys() != {"v", "files"} or body["v"] != VERSION:
        raise VaultError("the stored credential is not a bundle of files")
    if not isinstance(body["files"], dict):
        raise VaultError("the stored credential is not a bundle of files")
    return body["files"]


def _content(text: object) -> bytes:
    try:
        if not isinstance(text, str):
            raise ValueError
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise VaultError("the stored credential has a file that cannot be read") from None
