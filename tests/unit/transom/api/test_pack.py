"""A page's modules in one file: what is read, in which order they run, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from transom.api.assets import Assets
from transom.api.pack import ELSEWHERE, PackError, pack, parse, resolve
from transom.api.pages import PACKED

WEB = Path(__file__).resolve().parents[4] / "web"


def packed(files: dict[str, str], entry: str = "js/a.js") -> list[str]:
    """The modules of a page, in the order they run in."""
    return list(pack(entry, files.__getitem__).modules)


@pytest.mark.parametrize(
    ("line", "becomes"),
    [
        ('import { a, b as c } from "./x.js";', 'const { a, b: c } = window.packed["js/x.js"];'),
        ('import {\n  a,\n  b,\n} from "./x.js";', 'const { a, b } = window.packed["js/x.js"];'),
        ("import * as all from '../lib/x.js';", 'const all = window.packed["lib/x.js"];'),
        ('import X from "/static/novnc/x.js"', 'const { default: X } = window.packed["novnc/x.js"];'),
        ('import "./x.js";', ""),
        ("// import { a } from nowhere", "// import { a } from nowhere"),
        ('const later = import("./x.js");', 'const later = import("./x.js");'),
    ],
)
def test_imports_take_from_what_ran_before(line: str, becomes: str) -> None:
    assert parse("js/a.js", line).text == becomes


@pytest.mark.parametrize(
    ("line", "text", "exports"),
    [
        ("export class A {}", "class A {}", {"A": "A"}),
        ("export async function f() {}", "async function f() {}", {"f": "f"}),
        ("export const a = 1;", "const a = 1;", {"a": "a"}),
        ("export default class A {}", "class A {}", {"default": "A"}),
        ("export default { a: 1 };", "const default_ = { a: 1 };", {"default": "default_"}),
        ("export { a, b as c };", "", {"a": "a", "c": "b"}),
    ],
)
def test_exports_are_handed_on(line: str, text: str, exports: dict[str, str]) -> None:
    module = parse("js/a.js", line)
    assert (module.text, module.exports) == (text, exports)


@pytest.mark.parametrize(
    "line", ['export * from "./b.js";', "export let a = 1;", "import a, { b } from './b.js';", 'import "b";']
)
def test_a_form_that_is_not_read_is_refused(line: str) -> None:
    with pytest.raises(PackError):
        parse("js/a.js", line)


def test_each_runs_once_and_after_what_it_imports() -> None:
    files = {
        "js/a.js": 'import "./b.js";\nimport "./c.js";',
        "js/b.js": 'import "./c.js";\nimport "/static/novnc/d.js";',
        "js/c.js": "export const c = 1;",
        "novnc/d.js": 'import "./core/util/browser.js";',
        "js/platform.js": "",
    }
    assert packed(files) == ["js/c.js", "js/platform.js", "novnc/d.js", "js/b.js", "js/a.js"]


@pytest.mark.parametrize(
    "files",
    [
        {"js/a.js": 'import "./b.js";', "js/b.js": 'import "./a.js";'},
        {"js/a.js": 'import "./b.js";', "js/b.js": "const waited = await fetch('/');"},
        {"js/a.js": 'import "../../b.js";'},
    ],
)
def test_circles_and_modules_that_wait_are_refused(files: dict[str, str]) -> None:
    with pytest.raises(PackError):
        packed(files)


def test_the_pages_own_module_may_wait() -> None:
    assert packed({"js/a.js": "await begin();"}) == ["js/a.js"]


def test_every_page_is_one_file() -> None:
    made = Assets(WEB)
    found = set()
    for name in sorted(each.name for each in WEB.glob("*.html")):
        page = made.page(name)
        assert page is not None
        scripts = re.findall(r'<script type="module" src="/static/v/\w+/([^"]+)">', page.text)
        (entry,) = re.findall(r'type="module" src="/static/js/(\w+)\.js', (WEB / name).read_text())
        assert scripts == [f"pack-{entry}/{entry}.js"], name
        found.add(entry)
    assert found == PACKED, "what a page begins with is served as one file only where it is listed"


def test_what_stands_in_for_novncs_look_at_the_browser_has_what_its_keyboard_asks() -> None:
    core = WEB / "node_modules/@novnc/novnc/core"
    for asked, given in ELSEWHERE.items():
        has = set(parse(given, (WEB / "static" / given).read_text()).exports)
        (novnc,) = (path for path in [core.parent / asked.removeprefix("novnc/")] if path.exists())
        assert novnc.name == "browser.js"
        for module in ("keyboard.js", "util.js"):
            asks = set(re.findall(r"\bbrowser\.(\w+)\(", (core / "input" / module).read_text()))
            assert asks and asks <= has, module


@pytest.mark.parametrize("name", ["/elsewhere/x.js", "x.js", "https://example.org/x.js", "../../x.js"])
def test_nothing_from_elsewhere_is_packed(name: str) -> None:
    with pytest.raises(PackError):
        resolve(name, "js/a.js")


def test_what_nobody_exports_is_refused() -> None:
    with pytest.raises(PackError, match="exports no such thing"):
        packed({"js/a.js": 'import { b } from "./b.js";', "js/b.js": "export const a = 1, b = 2;"})


def test_a_stub_of_what_an_older_page_has_not_takes_the_file() -> None:
    stub = pack(
        "js/a.js", {"js/a.js": 'import { b } from "./b.js";', "js/b.js": "export const b = 1;"}.__getitem__
    )
    assert 'window.packed["js/b.js"] ?? (await import("../js/b.js"))' in stub.stub("js/b.js")
