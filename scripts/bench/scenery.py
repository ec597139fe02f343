"""What the X client shows: a long web page, painted once by the viewer's own browser, kept as raw pixels."""

from __future__ import annotations

import io
from pathlib import Path

import av
from playwright.sync_api import Browser

from bench.stage import HEIGHT, ROOT, WIDTH

PAGES = 6
STYLE = """body{margin:0;padding:20px 60px;font:15px/1.5 sans-serif;color:#24292f;background:#fff}
h2{font-size:24px} pre{background:#f3f4f6;padding:12px;font-size:13px} svg{width:520px;height:240px;margin:10px}"""
PHOTO = (
    "<svg viewBox='0 0 520 240'><filter id=f{n}><feTurbulence type=fractalNoise baseFrequency=.02 numOctaves=5 "
    "seed={n} /></filter><rect width=520 height=240 filter='url(#f{n})' /></svg>"
)


def page() -> str:
    """Prose, code and things like photographs, from the project's own documents."""
    texts = [ROOT / name for name in ("README.md", "LIMITS.md", "THREATS.md", "SPECIFICATION.md")]
    parts = []
    for number, block in enumerate("\n\n".join(path.read_text() for path in texts).split("\n\n")):
        safe = block.replace("&", "&amp;").replace("<", "&lt;")
        tag = "h2" if safe.startswith("#") else "pre" if safe.startswith(("```", "|")) else "p"
        parts.append(f"<{tag}>{safe[:1500]}</{tag}>")
        if number % 8 == 7:
            parts.append(PHOTO.replace("{n}", str(number)) + PHOTO.replace("{n}", str(number + 1)))
    return f"<!doctype html><meta charset=utf-8><style>{STYLE}</style>" + "".join(parts)


def paint(browser: Browser, to: Path) -> None:
    """Write `PAGES` screens of the page to a file: rows of BGRx pixels, as wide as a desktop."""
    seen = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    seen.set_content(page())
    shot = seen.screenshot(clip={"x": 0, "y": 0, "width": WIDTH, "height": HEIGHT * PAGES}, full_page=True)
    seen.close()
    with av.open(io.BytesIO(shot), "r") as image:
        frame = next(image.decode(video=0)).reformat(format="bgra")
    plane = frame.planes[0]
    whole = bytes(plane)
    rows = [whole[y * plane.line_size :][: WIDTH * 4] for y in range(frame.height)]
    to.write_bytes(b"".join(rows))
