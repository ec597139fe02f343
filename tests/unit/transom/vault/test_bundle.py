"""What was sealed, read as if an attacker had written it."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom.model.errors import VaultError
from transom.vault.bundle import MAX_FILES, pack, safe_path, safe_paths, unpack

NAMES = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,10}", fullmatch=True)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


@given(st.dictionaries(PATHS, st.binary(max_size=200), min_size=1, max_size=MAX_FILES))
def test_what_is_packed_comes_back(files: dict[str, bytes]) -> None:
    if not safe_paths(tuple(files)):
        with pytest.raises(VaultError):
            pack(files)
        return
    assert {file.path: file.content for file in unpack(pack(files))} == files


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_no_bytes_break_the_reader(body: bytes) -> None:
    try:
        files = unpack(body)
    except VaultError:
        return
    assert safe_paths(tuple(file.path for file in files))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON)
def test_no_structure_breaks_the_reader(files: object, version: object) -> None:
    body = json.dumps({"v": version, "files": files}).encode()
    try:
        unpack(body)
    except VaultError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "../x",
        "a/../b",
        "a/..",
        ".",
        "./a",
        "a//b",
        "a/",
        "...",
        "a\\b",
        "a\0b",
        "a\nb",
        " a",
        "a ",
        "a/ b",
        "é",
        "a:b",
        "~/x*",
        "x" * 201,
    ],
)
def test_paths_that_are_not_allowed(path: str) -> None:
    assert not safe_path(path)
    body = json.dumps({"v": 1, "files": {path: "QQ=="}}).encode()
    with pytest.raises(VaultError):
        unpack(body)


@pytest.mark.parametrize(
    "path", ["auth.json", ".codex/auth.json", "a b/c-d_e.yml", "..a/x", ".claude/.c.json"]
)
def test_paths_that_are(path: str) -> None:
    assert safe_path(path)


@pytest.mark.parametrize(
    "paths",
    [(), ("a", "a/b"), ("A/b", "a"), ("a", "A"), tuple(f"f{n}" for n in range(MAX_FILES + 1))],
)
def test_files_that_cannot_lie_together(paths: tuple[str, ...]) -> None:
    assert not safe_paths(paths)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b'{"v":1,"files":{}}',
        b'{"v":2,"files":{"a":"QQ=="}}',
        b'{"v":1,"files":{"a":"QQ=="},"more":1}',
        b'{"v":1,"files":{"a":"not base64!"}}',
        b'{"v":1,"files":{"a":7}}',
        b'{"v":1,"files":["a"]}',
        b"[" * 100_000,
        b'{"v":1,"files":{"a":"' + base64.b64encode(b"x" * 100_000) + b'"}}',
    ],
)
def test_bundles_that_are_refused(body: bytes) -> None:
    with pytest.raises(VaultError):
        unpack(body)
