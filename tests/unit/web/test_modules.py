"""The page's modules: their own tests under Node, and their types."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

WEB = Path(__file__).resolve().parents[3] / "web"


def run(*command: str) -> str:
    """Run in web/; its output when it succeeds."""
    done = subprocess.run(command, cwd=WEB, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


def test_node_tests() -> None:
    out = run("node", "--import", "./tests/register.js", "--test", "tests/")
    counted = re.search(r"(?:#|ℹ) pass (\d+)", out)
    assert counted and int(counted[1]) > 100


def test_types() -> None:
    run("node_modules/.bin/tsc", "--project", "tsconfig.json")


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
