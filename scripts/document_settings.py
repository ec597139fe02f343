"""Write docs/reference/settings.md from the settings' own docstrings."""

from __future__ import annotations

import ast
import itertools
import sys
from pathlib import Path

from pydantic_core import PydanticUndefined

from transom.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("settings.py", "settings_stream.py")
HEAD = """# Settings

Environment variables; the command line's options win over them. Made by `python scripts/document_settings.py`.

| variable | default | meaning |
|---|---|---|
"""


def sentences() -> dict[str, str]:
    """Field name -> the docstring below it."""
    trees = [ast.parse((ROOT / "src/transom" / name).read_text()) for name in SOURCES]
    bodies = [node.body for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)]
    found = {}
    for field, text in itertools.chain.from_iterable(itertools.pairwise(body) for body in bodies):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
        ):
            found[field.target.id] = " ".join(ast.literal_eval(text.value).split())
    return found


def variable(name: str) -> str:
    """The variable's name: an alias where the field has one."""
    alias = Settings.model_fields[name].validation_alias
    named = [str(each) for each in getattr(alias, "choices", ()) if str(each).isupper()]
    return named[0] if named else f"TRANSOM_{name.upper()}"


def default(name: str) -> str:
    """The default as a reader would type it; folders that depend on who runs it are described instead."""
    field = Settings.model_fields[name]
    value = field.default
    if value is PydanticUndefined or isinstance(value, Path):
        return "see text"
    if value in (None, ()):
        return "unset"
    return f"`{value}`"


def main() -> int:
    """Write the page, or print it with `--print`."""
    texts = sentences()
    rows = [f"| `{variable(name)}` | {default(name)} | {texts[name]} |" for name in Settings.model_fields]
    page = HEAD + "\n".join(rows) + "\n"
    if "--print" in sys.argv[1:]:
        sys.stdout.write(page)
    else:
        (ROOT / "docs/reference/settings.md").write_text(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
