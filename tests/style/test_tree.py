"""Rules of the tree that a reader would otherwise have to remember."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULE_LINES = 330
"""About 300: a module that grows past its name is split by meaning."""
FORBIDDEN_NAMES = {"utils", "helpers", "manager", "base", "common", "misc"}
PACKAGES = ("transom", "transom_wire", "transom_keeper", "transom_guest", "transom_helper")


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def sources() -> list[Path]:
    return [path for path in tracked("src/*.py") if path.stat().st_size]


def test_modules_stay_small() -> None:
    files = [*sources(), *tracked("web/static/*.js")]
    long = {
        str(p.relative_to(ROOT)): n for p in files if (n := len(p.read_text().splitlines())) > MODULE_LINES
    }
    assert not long


def test_modules_are_nouns_of_the_field() -> None:
    assert not [path for path in sources() if path.stem in FORBIDDEN_NAMES]


@pytest.mark.parametrize("package", PACKAGES)
def test_public_functions_say_what_they_do(package: str) -> None:
    missing = []
    for path in tracked(f"src/{package}/*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                public = not node.name.startswith("_")
                if (
                    public
                    and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
                    and not ast.get_docstring(node)
                ):
                    missing.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")
    assert not missing


def test_no_test_is_skipped_without_reason() -> None:
    skips = re.compile(r"pytest\.mark\.(skip|xfail)|pytest\.skip\(")
    found = [
        p for p in tracked("tests/*.py") if p != Path(__file__).resolve() and skips.search(p.read_text())
    ]
    assert not found


def test_no_registry_host_and_no_foreign_path_is_named() -> None:
    """A lock that names a host breaks behind a mirror; a path of one machine breaks on every other."""
    words = [r"registry\.npmjs" + r"\.org", r"files\.python" + "hosted", r"pypi" + r"\.org", "/work" + "/"]
    pattern = re.compile("|".join(words))
    texts = [p for p in tracked() if p.suffix not in {".png", ".webm"}]
    assert not [str(p.relative_to(ROOT)) for p in texts if pattern.search(p.read_text(errors="replace"))]


def test_every_setting_is_in_the_reference() -> None:
    before = (ROOT / "docs/reference/settings.md").read_text()
    command = [sys.executable, "scripts/document_settings.py", "--print"]
    page = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert before == page.stdout, "run: python scripts/document_settings.py"


def test_each_promise_of_the_specification_has_a_number_of_its_own() -> None:
    numbers = re.findall(r"^\| (\d+) \|", (ROOT / "SPECIFICATION.md").read_text(), re.MULTILINE)
    assert len(numbers) > 100
    assert sorted({each for each in numbers if numbers.count(each) > 1}) == []


def test_every_test_named_by_the_specification_exists() -> None:
    text = (ROOT / "SPECIFICATION.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text)
    assert named
    for path, function in named:
        assert (ROOT / path).is_file(), path
        if function:
            assert f"def {function}(" in (ROOT / path).read_text(), f"{path}::{function}"
