"""What pages load, under names that change with it: so a browser keeps it and asks no more, and never mixes two
versions. A page is written with `/static/...`; it is sent with `/static/v/VERSION/...`."""

from __future__ import annotations

import hashlib
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

OURS = re.compile(r'(?<=")/static/(?!novnc/|v/)')
"""Where a page names a file of ours; noVNC's have no version of ours."""
LOADED = re.compile(
    r'<(?:link rel="(?:modulepreload|stylesheet)" href|script(?: type="module")? src)="([^"]+)"'
)
"""What a page loads at once."""
FOREVER = "public, max-age=31536000, immutable"
NOVNC = "public, max-age=300, stale-while-revalidate=604800"
"""noVNC changes with its package alone: an old one serves once more while the new one is fetched."""
LOOK_S = 1.0
"""The files are looked at again after this long: who changes them sees it at the next load."""


@dataclass(slots=True)
class _Known:
    at: float
    version: str


class Assets:
    """The files below `web/static`, and the pages that name them."""

    def __init__(self, web: Path) -> None:
        self._web = web
        self._known: _Known | None = None
        self._pages: dict[str, tuple[int, str, str]] = {}

    def version(self) -> str:
        """Of all files together, by their names, sizes and times."""
        now = time.monotonic()
        if self._known is None or now - self._known.at > LOOK_S:
            self._known = _Known(now, _digest(self._web / "static"))
        return self._known.version

    def page(self, name: str) -> str | None:
        """A page's text as it is sent; None when it is not installed."""
        path = self._web / name
        try:
            changed = path.stat().st_mtime_ns
        except OSError:
            return None
        version, known = self.version(), self._pages.get(name)
        if known is None or known[:2] != (changed, version):
            text = OURS.sub(f"/static/v/{version}/", path.read_text(encoding="utf-8"))
            known = self._pages[name] = (changed, version, text)
        return known[2]

    def page_before(self, name: str, following: str) -> str | None:
        """The page `name`, from which people go on to `following`: what that one loads is fetched ahead."""
        text, next_text = self.page(name), self.page(following)
        if text is None or next_text is None:
            return text
        links = "".join(f'    <link rel="prefetch" href="{path}">\n' for path in LOADED.findall(next_text))
        return text.replace("  </head>", f"{links}  </head>", 1)


def _digest(folder: Path) -> str:
    whole = hashlib.sha256()
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            found = Path(place, name).stat()
            whole.update(f"{place}/{name}\0{found.st_size}\0{found.st_mtime_ns}\0".encode())
    return whole.hexdigest()[:16]


class Kept:
    """Files with a Cache-Control of their own. Under a version that is not this one's, nothing is kept."""

    def __init__(self, files: StaticFiles, keep: str, assets: Assets | None = None) -> None:
        self._files: ASGIApp = files
        self._keep, self._assets = keep, assets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._files(scope, receive, send)
        asked = scope.get("path_params", {}).get("version")
        current = self._assets is None or asked == self._assets.version()

        async def with_header(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (200, 304) and current:
                MutableHeaders(scope=message)["Cache-Control"] = self._keep
            await send(message)

        return await self._files(scope, receive, with_header)
