"""Tests and scripts are not typed: what they take from a module of this tree is looked up in its text here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOTS = (ROOT / "src", ROOT, ROOT / "scripts")
"""Where a module's name begins: the packages, `tests` and `scripts`, and what one script takes of another."""
OURS = ("transom", "tests", "scripts")


@cache
def module(name: str) -> Path | None:
    """The file of a module of this tree."""
    parts = Path(*name.split("."))
    found = (root / place for root in ROOTS for place in (parts.with_suffix(".py"), parts / "__init__.py"))
    return next((path for path in found if path.is_file()), None)


@cache
def names(path: Path) -> frozenset[str]:
    """What a module's text gives a name to at its top, in whatever branch."""
    found: set[str] = {"__name__", "__file__", "__doc__"}
    waiting: list[ast.AST] = [ast.parse(path.read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(each.asname or each.name).split(".")[0] for each in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        waiting += ast.iter_child_nodes(node)
    return frozenset(found)


def lacking(text: str) -> Iterator[str]:
    """What `text` takes from this tree and is not there: modules, their names, and names of imported modules."""
    tree = ast.parse(text)
    modules: dict[str, Path] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names if ours(each.name) and module(each.name) is None)
            modules |= {
                each.asname: found for each in node.names if each.asname and (found := module(each.name))
            }
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level and ours(node.module):
            source = module(node.module)
            for each in node.names:
                beside = module(f"{node.module}.{each.name}")
                if beside is not None:
                    modules[each.asname or each.name] = beside
                elif source is None or each.name not in names(source):
                    yield f"{node.module}.{each.name}"
    for alias, name in taken(tree):
        if alias in modules and name not in names(modules[alias]):
            yield f"{alias}.{name}"


def taken(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """(variable, attribute): `held.NAME`, `setattr(held, "NAME", ...)`."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(ast.Name(held), name):
                yield held, name
            case ast.Call(ast.Attribute(_, "setattr"), [ast.Name(held), ast.Constant(str(name)), *_]):
                yield held, name


def ours(name: str) -> bool:
    """True for a module of this tree."""
    return name.startswith(OURS)


def test_what_tests_and_scripts_take_of_this_tree_is_there() -> None:
    users = [path for folder in ("tests", "scripts") for path in (ROOT / folder).rglob("*.py")]
    seen = {str(path.relative_to(ROOT)): list(lacking(path.read_text())) for path in users}
    assert {path: missing for path, missing in seen.items() if missing} == {}


def test_what_is_not_there_is_seen() -> None:
    assert list(
        lacking(
            "from transom.stream import broker, nothing\n"
            "from transom.stream.broker import Broker, Broken\n"
            "import transom.nowhere\n"
            "broker.ANSWER_MS, broker.ANSWERS\n"
            "def test(monkeypatch): monkeypatch.setattr(broker, 'BOOTS', 1)\n"
        )
    ) == [
        "transom.stream.nothing",
        "transom.stream.broker.Broken",
        "transom.nowhere",
        "broker.ANSWERS",
        "broker.BOOTS",
    ]
