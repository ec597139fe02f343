"""What pages load, under names that change with it: so a browser keeps it and asks no more, and never mixes two
versions. A page is written with `/static/...`; it is sent with `/static/v/VERSION/...`, and its modules in one file."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import structlog
from starlette.datastructures import MutableHeaders
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from transom.api import pack as packing
from transom.api.pack import Pack, PackError, pack

log = structlog.get_logger(__name__)
NOVNC_PACKAGE = "node_modules/@novnc/novnc"
OURS = re.compile(r'(?<=")/static/(?!novnc/|v/)')
"""Where a page names a file of ours; noVNC's have no version of ours."""
LOADED = re.compile(r'<(?:link rel="stylesheet" href|script(?: type="module")? src)="([^"]+)"')
"""What a page loads at once."""
INLINE = re.compile(r'<script src="/static/v/\w+/([^"]+)"></script>')
"""A plain script of a page: it is sent within the page, and runs before anything is fetched."""
MODULE = re.compile(r'(?<=<script type="module" src="/static/v/)(\w+)/js/(\w+)\.js(?=")')
WHOLE = re.compile(r'<title>([^<"]*)</title>.*<body class="(\w+)">(.*)</body>', re.DOTALL)
STYLE = re.compile(r'<link rel="stylesheet" href="([^"]+)"')
PACKED = re.compile(r'<script type="module" src="(/static/v/\w+/pack-\w+/\w+\.js)"')
SCRIPT_NAME = re.compile(r"\w+\.js")
FOREVER = "public, max-age=31536000, immutable"
NOVNC = "public, max-age=300, stale-while-revalidate=604800"
"""noVNC changes with its package alone: an old one serves once more while the new one is fetched."""
REMEMBERED = 8 * 2**20
"""Bytes of files that are kept in memory: a page has some eighty, and asks for all of them at once."""
LOOK_S = 1.0
"""The files are looked at again after this long: who changes them sees it at the next load."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page as it is sent; `scripts` are the digests of those within it, as a content policy names them."""

    text: str
    scripts: tuple[str, ...]


@dataclass(slots=True)
class _Known:
    at: float
    version: str


class Assets:
    """The files below `web/static`, and the pages that name them."""

    def __init__(self, web: Path) -> None:
        self._web = web
        self._known: _Known | None = None
        self._pages: dict[str, tuple[int, str, Page]] = {}
        self._packs: dict[tuple[str, str], Pack | None] = {}

    def version(self) -> str:
        """Of all files together, by their names, sizes and times."""
        now = time.monotonic()
        if self._known is None or now - self._known.at > LOOK_S:
            self._known = _Known(
                now, _digest(self._web / "static", self._web / NOVNC_PACKAGE / "package.json")
            )
        return self._known.version

    def page(self, name: str) -> Page | None:
        """A page as it is sent; None when it is not installed."""
        path = self._web / name
        try:
            changed = path.stat().st_mtime_ns
        except OSError:
            return None
        version, known = self.version(), self._pages.get(name)
        if known is None or known[:2] != (changed, version):
            text = OURS.sub(f"/static/v/{version}/", path.read_text(encoding="utf-8"))
            known = self._pages[name] = (changed, version, self._inlined(self._packed(text)))
        return known[2]

    def script(self, entry: str, name: str) -> str | None:
        """A file beside the pack of a page's module `entry`: the pack itself, a stub for what is in it, or another
        module as it is; None where there is none."""
        found = self._pack(entry)
        if found is None or not SCRIPT_NAME.fullmatch(name):
            return None
        if name == f"{entry}.js":
            return found.text
        path = f"js/{name}"
        try:
            return found.stub(path) if path in found.modules else self._read(path)
        except OSError:
            return None

    def _pack(self, entry: str) -> Pack | None:
        key = (self.version(), entry)
        if key not in self._packs:
            self._packs = {known: made for known, made in self._packs.items() if known[0] == key[0]}
            try:
                self._packs[key] = pack(f"js/{entry}.js", self._read)
            except (OSError, PackError) as error:
                log.warning("a page's modules go one by one", page=entry, reason=str(error))
                self._packs[key] = None
        return self._packs[key]

    def _read(self, path: str) -> str:
        folder = NOVNC_PACKAGE if path.startswith("novnc/") else "static"
        return (self._web / folder / path.removeprefix("novnc/")).read_text(encoding="utf-8")

    def _packed(self, text: str) -> str:
        """The page with its modules in one file, which lies beside the folder that they come from."""
        found = MODULE.search(text)
        if found is None or self._pack(found[2]) is None:
            return text
        return MODULE.sub(r"\1/pack-\2/\2.js", text)

    def _inlined(self, text: str) -> Page:
        digests: list[str] = []

        def inline(found: re.Match[str]) -> str:
            try:
                script = (self._web / "static" / found[1]).read_text(encoding="utf-8")
            except OSError:
                return found[0]
            digest = hashlib.sha256(script.encode()).digest()
            digests.append(f"'sha256-{base64.b64encode(digest).decode()}'")
            return f"<script>{script}</script>"

        return Page(INLINE.sub(inline, text), tuple(digests))

    def page_before(self, name: str, following: str) -> Page | None:
        """The page `name`, from which people go on to `following`: it has that one within it, and loads what that one
        loads. Where modules are not in one file, those of two pages would mix, so it is fetched ahead and no more."""
        page, then = self.page(name), self.page(following)
        if page is None or then is None:
            return page
        within = _within(page.text, then.text) or "".join(
            f'    <link rel="prefetch" href="{path}">\n' for path in LOADED.findall(then.text)
        )
        return replace(page, text=page.text.replace("  </head>", f"{within}  </head>", 1))


def _within(page: str, then: str) -> str:
    """The page `then` for the head of `page`, whose module `onward.js` puts it in that one's place; empty where it
    has no pack, or a module of its own is not all of it."""
    whole, script = WHOLE.search(then), PACKED.search(then)
    if whole is None or script is None:
        return ""
    styles = STYLE.findall(then)
    links = "".join(
        f'    <link rel="stylesheet" href="{style}" media="not all">\n'
        for style in styles
        if style not in page
    )
    title, name, body = whole.groups()
    return (
        f'{links}    <link rel="modulepreload" href="{script[1]}">\n'
        f'    <template data-title="{title}" data-class="{name}" data-script="{script[1]}"'
        f' data-styles="{" ".join(styles)}">{body}</template>\n'
    )


def _digest(folder: Path, package: Path) -> str:
    # what is put together differs with what puts it together
    whole = hashlib.sha256(Path(packing.__file__).read_bytes())
    with suppress(OSError):
        whole.update(f"{package.stat().st_mtime_ns}\0".encode())
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
        self._remembered: dict[str, list[Message]] = {}
        self._size, self._version = 0, ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._files(scope, receive, send)
        asked = scope.get("path_params", {}).get("version")
        current = self._assets is None or asked == self._assets.version()
        whole = self._assets is not None and current and scope["method"] == "GET" and not _partial(scope)
        path = scope["path"]
        known = self._known(asked).get(path) if whole else None
        if known is not None:
            for message in known:
                await send(_copy(message))
            return None
        said: list[Message] = []

        async def with_header(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (200, 304) and current:
                MutableHeaders(scope=message)["Cache-Control"] = self._keep
            said.append(_copy(message))
            await send(message)

        await self._files(scope, receive, with_header)
        if whole and _is_whole(said):
            self._remember(path, said)
        return None

    def _known(self, version: str) -> dict[str, list[Message]]:
        if version != self._version:
            self._remembered, self._size, self._version = {}, 0, version
        return self._remembered

    def _remember(self, path: str, said: list[Message]) -> None:
        size = sum(len(message.get("body", b"")) for message in said)
        if self._size + size <= REMEMBERED:
            self._remembered[path] = said
            self._size += size


def _is_whole(said: list[Message]) -> bool:
    """Whether that is a file to its end: a browser that goes on to another page breaks off."""
    length = dict(said[0]["headers"]).get(b"content-length") if said and said[0]["status"] == 200 else None
    return length is not None and int(length) == sum(len(each.get("body", b"")) for each in said)


def _copy(message: Message) -> Message:
    """Whoever sends it on adds headers."""
    return {**message, "headers": list(message["headers"])} if "headers" in message else dict(message)


def _partial(scope: Scope) -> bool:
    """Whether a part is asked for, or only what is newer."""
    return any(name in (b"range", b"if-none-match", b"if-modified-since") for name, _ in scope["headers"])
