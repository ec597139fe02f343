"""Modules of a page in one file: what it imports at once, and what those import. Pure but for the reader it is given.

A page of eighty modules is eighty requests, and beside a first picture they are most of the work of a small host. Each
module becomes a function that is called once, in the order in which ES modules run; a module that is loaded later
finds the others' very instances by a `stub`. Read are the forms of `import` and `export` that our pages and noVNC's
keyboard use, at the beginning of a line; anything else raises PackError, and the page is sent as it is written.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass, field

IMPORT = re.compile(r"""^import\s+(?:([^"';]+?)\s+from\s+)?(["'])([^"']+)\2;?[ \t]*$""", re.MULTILINE)
DECLARED = re.compile(r"^export (?=(?:(?:async )?function\*?|class|const|let|var)\s+(\w+))", re.MULTILINE)
DEFAULT_NAMED = re.compile(r"^export default (?=(?:class|function)\s+(\w+))", re.MULTILINE)
DEFAULT = re.compile(r"^export default (?!class|function)", re.MULTILINE)
LISTED = re.compile(r"^export \{([^}]*)\};?[ \t]*$", re.MULTILINE)
NAME = re.compile(r"(\w+)(?:\s+as\s+(\w+))?")
LIVE = re.compile(r"^export (?:let|var)\b.*$", re.MULTILINE)
"""What may change after it was exported would stand still in a pack."""
UNREAD = re.compile(r"^(?:import\b(?!\(|\.)|export\b).*$", re.MULTILINE)
AWAITS = re.compile(r"^(?:(?:const|let|var)\b[^\n]*=\s*)?await\b|^\w+ = await\b", re.MULTILINE)
"""A module that waits while it is loaded is no function that is called once; but a page's own module may."""
ELSEWHERE = {"novnc/core/util/browser.js": "js/platform.js"}
"""noVNC's look at the browser decodes a picture before any module goes on; its keyboard asks which system this is."""
MODULES = 400
"""More are a circle, or no page of ours."""
WHOLE = "window.packed"
"""Where a page has its modules, by their paths."""

Read = Callable[[str], str]
"""A file's text by its path below `/static/`. Raises OSError."""


class PackError(ValueError):
    """These modules cannot be put into one file; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Module:
    """One file: its text without imports and exports, and what they were."""

    path: str
    text: str
    imports: dict[str, list[str]]
    """Path -> names that are taken out of it."""
    exports: dict[str, str] = field(default_factory=dict)
    """Name outside -> name inside."""


@dataclass(frozen=True, slots=True)
class Pack:
    """`text` is the file; `modules` are in it, by their paths."""

    text: str
    modules: dict[str, Module]

    def stub(self, path: str) -> str:
        """A module for those that are loaded later: the instance that is there. A page that is older than this pack
        may have none; it takes the file."""
        names = self.modules[path].exports
        plain = ", ".join(name for name in names if name != "default")
        default = "export default it.default;\n" if "default" in names else ""
        return (
            f'const it = {WHOLE}["{path}"] ?? (await import("../{path}"));\n'
            f"export const {{ {plain} }} = it;\n{default}"
        )


def pack(entry: str, read: Read) -> Pack:
    """The page's module `entry` and all that it imports. Raises PackError, OSError."""
    modules: dict[str, Module] = {}
    _collect(entry, read, modules, ())
    for module in modules.values():
        for path, names in module.imports.items():
            if missing := [name for name in names if name not in modules[path].exports]:
                raise PackError(
                    f"{module.path} imports {missing[0]} of {path}, which exports no such thing"[:200]
                )
    *others, last = modules.values()
    parts = [f"{WHOLE} = {{}};", *(_function(module) for module in others), last.text]
    return Pack("\n".join(parts), modules)


def _collect(path: str, read: Read, modules: dict[str, Module], above: tuple[str, ...]) -> None:
    if path in above or len(modules) > MODULES:
        raise PackError(f"{path} imports itself by {' '.join(above)}"[:500])
    module = parse(path, read(path))
    if above and AWAITS.search(module.text):
        raise PackError(f"{path} waits while it is loaded")
    for each in module.imports:
        if each not in modules:
            _collect(each, read, modules, (*above, path))
    modules[path] = module


def parse(path: str, text: str) -> Module:
    """One module. Raises PackError."""
    if live := LIVE.search(text):
        raise PackError(f"{path}: {live[0][:100]}")
    taken = _Statements(path)
    for form, replace in (
        (IMPORT, taken.imported),
        (DEFAULT_NAMED, taken.default_named),
        (DEFAULT, taken.default),
        (DECLARED, taken.declared),
        (LISTED, taken.listed),
    ):
        text = form.sub(replace, text)
    if unread := UNREAD.search(text):
        raise PackError(f"{path}: {unread[0][:100]}")
    return Module(path, text, taken.imports, taken.exports)


class _Statements:
    """Those of one module that are taken out of it, and what stands there instead. Raises PackError."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.imports: dict[str, list[str]] = {}
        self.exports: dict[str, str] = {}

    def imported(self, found: re.Match[str]) -> str:
        target = resolve(found[3], self._path)
        names = self.imports.setdefault(target, [])
        if not found[1]:
            return ""
        pattern, taken = _pattern(found[1], self._path)
        names += taken
        return f'const {pattern} = {WHOLE}["{target}"];'

    def declared(self, found: re.Match[str]) -> str:
        self.exports[found[1]] = found[1]
        return ""

    def default_named(self, found: re.Match[str]) -> str:
        self.exports["default"] = found[1]
        return ""

    def default(self, _found: re.Match[str]) -> str:
        self.exports["default"] = "default_"
        return "const default_ = "

    def listed(self, found: re.Match[str]) -> str:
        self.exports.update({outside or inside: inside for inside, outside in NAME.findall(found[1])})
        return ""


def resolve(name: str, importer: str) -> str:
    """The path below `/static/` that `name` means in `importer`. Raises PackError for what lies elsewhere."""
    if name.startswith("/static/"):
        path = name.removeprefix("/static/")
    elif name.startswith("."):
        path = posixpath.normpath(posixpath.join(posixpath.dirname(importer), name))
    else:
        raise PackError(f"{importer} imports {name}")
    if path.startswith(".."):
        raise PackError(f"{importer} imports {name}")
    return ELSEWHERE.get(path, path)


def _pattern(what: str, path: str) -> tuple[str, list[str]]:
    """What is imported, as a pattern that takes it out of an object, and the names that object must have."""
    if what.startswith("* as "):
        return what.removeprefix("* as "), []
    if what.startswith("{") and what.endswith("}"):
        found = NAME.findall(what)
        names = (f"{theirs}: {ours}" if ours else theirs for theirs, ours in found)
        return f"{{ {', '.join(names)} }}", [theirs for theirs, _ in found]
    if what.isidentifier():
        return f"{{ default: {what} }}", ["default"]
    raise PackError(f"{path}: import {what}"[:200])


def _function(module: Module) -> str:
    exports = ", ".join(f"{outside}: {inside}" for outside, inside in module.exports.items())
    return f'{WHOLE}["{module.path}"] = (() => {{\n{module.text}\nreturn {{ {exports} }};\n}})();'
