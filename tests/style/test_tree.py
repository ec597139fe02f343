"""Rules of the tree that a reader would otherwise have to remember."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from transom.cli.main import app

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


def test_every_command_is_in_the_reference() -> None:
    def commands(command: Any, words: str) -> list[str]:
        below = getattr(command, "commands", {})
        return [each for name in below for each in commands(below[name], f"{words} {name}")] or [words]

    page = (ROOT / "docs/reference/cli.md").read_text()
    every = commands(typer.main.get_group(app), "transom")
    assert len(every) > 30
    assert [each for each in every if f"`{each}" not in page] == []


def test_each_decision_has_a_number_of_its_own() -> None:
    paths = sorted((ROOT / "docs/decisions").glob("*.md"))
    numbers = [int(path.name.partition("-")[0]) for path in paths]
    assert numbers == list(range(1, len(paths) + 1))
    assert [path.read_text().split(" ", 2)[1] for path in paths] == [f"{number}." for number in numbers]


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


def missing_web_tests(specification: str, web: Path) -> list[str]:
    """Of the page's tests that are named, as `web/tests/x.test.js` or `web/tests/x.test.js::a test, or several`,
    those that are in no file."""
    missing = []
    for name, test in re.findall(r"`web/tests/([^`]*?)(?:::([^`]+))?`", specification):
        text = (web / name).read_text() if (web / name).is_file() else None
        titles = re.findall(r"\b(?:test|describe)\(\s*([\"'`])(.*?)(?<!\\)\1", text or "")
        if text is None or (test and test not in {title for _, title in titles}):
            missing.append(f"{name}::{test}" if test else name)
    return missing


def test_every_test_of_the_page_named_by_the_specification_exists() -> None:
    text = (ROOT / "SPECIFICATION.md").read_text()
    assert "`web/tests/" in text
    assert missing_web_tests(text, ROOT / "web/tests") == []
    assert "`tests/unit/web/test_modules.py` |" not in text, (
        "it runs all of the page's tests: name the one that holds"
    )


def test_a_test_of_the_page_that_is_deleted_is_missed(tmp_path: Path) -> None:
    (tmp_path / "a.test.js").write_text('describe("all", () => {\n  test("one, or two", () => {});\n});\n')
    rows = "`web/tests/a.test.js` `web/tests/a.test.js::one, or two` `web/tests/a.test.js::all`"
    assert missing_web_tests(rows, tmp_path) == []
    rows = "`web/tests/b.test.js` `web/tests/b.test.js::one` `web/tests/a.test.js::two`"
    assert missing_web_tests(rows, tmp_path) == ["b.test.js", "b.test.js::one", "a.test.js::two"]


def test_the_halves_of_all_tests_leave_none_out() -> None:
    """Each is told by the same words, once with `not` before them."""
    told = ("WORKERS", "PYTEST_ARGS", "MAKEFLAGS", "MAKEOVERRIDES")
    plain = {name: value for name, value in os.environ.items() if name not in told}
    words = ["make", "-n", "test"]
    done = subprocess.run(words, cwd=ROOT, env=plain, capture_output=True, text=True, check=True, timeout=30)
    runs = re.findall(r"-m pytest (.*)", done.stdout)
    alone = "machine or browser or vm or alone"
    assert [each.strip() for each in runs] == [f'-n 2 --dist loadfile -m "not ({alone})"', f'-m "{alone}"']
    ci = (ROOT / ".ci/run").read_text()
    assert re.findall(r"^make test-(\w+) \|\|", ci, re.MULTILINE) == ["beside", "alone"]
