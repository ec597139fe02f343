"""A terminal as the desktop's one program: for tools without pages, and where a browser would take minutes."""

from __future__ import annotations

FONT, POINTS = "DejaVu Sans Mono", 11


def command() -> list[str]:
    """xterm's argv: the whole desktop, a font that can be read through a video stream."""
    return ["xterm", "-maximized", "-fa", FONT, "-fs", str(POINTS), "-T", "Terminal"]
