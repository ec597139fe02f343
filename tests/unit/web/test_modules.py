"""The page's modules: their own tests under Node, and their types."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.image import golden_image
from transom.api.pack import pack

__all__ = ["golden_image"]

MODULES = {
    "count.js": 'let n = 0;\nconsole.log("count");\nexport function count() {\n  return ++n;\n}\n',
    "shape.js": 'import * as counts from "./count.js";\ncounts.count();\nconsole.log("shape");\n'
    'export default class Shape {\n  name = "square";\n}\n',
    "later.js": 'import { count as next } from "./count.js";\nconsole.log("later");\nconsole.log(String(next()));\n',
    "page.js": 'import Shape from "./shape.js";\nimport {\n  count,\n} from "./count.js";\nconsole.log("page");\n'
    'console.log(String(count()));\nconsole.log(new Shape().name);\nawait import("./later.js");\n',
}
WEB = Path(__file__).resolve().parents[3] / "web"


def run(*command: str) -> str:
    """Run in web/; its output when it succeeds."""
    done = subprocess.run(command, cwd=WEB, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


def node(request: pytest.FixtureRequest) -> str:
    """Node 20 or newer: this host's, or the golden image's where this host's is older (Debian 12 has 18)."""
    told = run("node", "--version") if shutil.which("node") else "v0"
    if int(told.lstrip("v").split(".")[0]) >= 20:
        return "node"
    image = request.getfixturevalue("golden_image")
    (found,) = image.root(image.digest).glob("opt/cli/node_modules/node-linux-*/bin/node")
    return str(found)


def test_node_tests(request: pytest.FixtureRequest) -> None:
    out = run(node(request), "--import", "./tests/register.js", "--test", "tests/")
    counted = re.search(r"(?:#|ℹ) pass (\d+)", out)
    assert counted and int(counted[1]) > 100


def test_types() -> None:
    run("node_modules/.bin/tsc", "--project", "tsconfig.json")


def test_a_pack_runs_as_its_modules_do(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """With one that is loaded later, and finds the instance that is there."""
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "js").mkdir()
    for name, text in MODULES.items():
        (tmp_path / "js" / name).write_text(text)
    made = pack("js/page.js", lambda path: (tmp_path / path).read_text())
    beside = tmp_path / "pack-page"
    beside.mkdir()
    for name in MODULES:
        path = f"js/{name}"
        stub = made.stub(path) if path in made.modules else MODULES[name]
        (beside / name).write_text(made.text if name == "page.js" else stub)
    ran = [
        run(
            node(request),
            "--import",
            "data:text/javascript,globalThis.window=globalThis",
            str(folder / "page.js"),
        )
        for folder in (tmp_path / "js", beside)
    ]
    assert ran[0].split() == ["count", "shape", "page", "2", "square", "later", "3"]
    assert ran[1] == ran[0]


def test_pages_have_no_inline_script_or_style() -> None:
    for page in WEB.glob("*.html"):
        text = page.read_text()
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", text), page.name
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text)), page.name


def test_markup_is_never_built_from_text() -> None:
    unsafe = re.compile(
        r"\.innerHTML\s*=|outerHTML\s*=|insertAdjacentHTML|document\.write|\beval\(|new Function"
    )
    for module in (WEB / "static/js").glob("*.js"):
        assert not unsafe.search(module.read_text()), module.name


def test_the_lock_names_no_host() -> None:
    assert "resolved" not in (WEB / "package-lock.json").read_text()
