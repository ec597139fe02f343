"""Puts the extension, and the host beside it, where the browser finds them: before it starts, and only then."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transom_guest.desktop.urls import BLANK
from transom_guest.signin_pages import host

log = logging.getLogger("transom.boot")
EXTENSION = Path(__file__).parent / "extension"
KEY = (
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAsG+WZYOfhQUR/flyZPRIDOlyAdKS8oeIt/CJq+7HNviGwx47pwKbEuCpe1VItWu4"
    "dLOafBboElOy0CLc3M20ZG00xkQpOGg00Ku+9Au5HM+Dsz0IbiEjF7ldzk53eOMI4p3yl7dDfayarxFGfzwarnF0psGT4KweZAP/EKmK7igX"
    "xCAR2D8NRY6Wn/mKp5grFmSklhiZWpd07tv6DTRzRr8cZvWcyqGVJg3PoNTfUR8xTrpFEd5w8VlT9TnVg2l+/wfp0JbrfBZ/W/qImoUBRQZc"
    "zIRHvqU4Ey5hsZmxYJxA9rC4e3S9ztMWwwAQtHaQaJwhm3VgBcLFVEeXFnjrWQIDAQAB"
)
"""A public key whose private one nobody has: the extension's id comes from it."""
ID = "hjacacldnkmdgoilejaigikhnjgohcnb"
HOST = "transom.signin_pages"
PATTERNS = (
    *(
        "accounts.google.com",
        "login.microsoftonline.com",
        "login.live.com",
        "appleid.apple.com",
        "idmsa.apple.com",
    ),
    *(
        "auth.openai.com",
        "auth0.openai.com",
        "github.com/sessions",
        "*.okta.com",
        "*.auth0.com",
        "*.duosecurity.com",
    ),
    *("*/login", "*/signin", "*/sign-in", "*/authorize", "*/login/device", "*/codex/device"),
)
"""Where pages to sign in at are, whether they show a field for a password or not; rules.js says how these are read."""


def folder(environment: Mapping[str, str]) -> Path:
    """Where all of it is."""
    return Path(environment["HOME"]) / ".config" / "transom-signin-pages"


def shown(environment: Mapping[str, str]) -> Path:
    """Where hosts write down that a page is shown."""
    return folder(environment) / "shown"


def asks(environment: Mapping[str, str]) -> Path:
    """Where hosts are asked whether the pages that are shown are clear."""
    return folder(environment) / host.ASKS


def prepare(environment: Mapping[str, str], profile: Path, patterns: Sequence[str] | None) -> None:
    """Before a browser starts with `profile`: have its pages looked at, `patterns` besides the usual, or not for None.

    Where all is emulated the browser is one process, which has no place for it."""
    shutil.rmtree(folder(environment), ignore_errors=True)
    if patterns is None or "TRANSOM_EMULATED" in environment:
        return
    try:
        _install(environment, profile, patterns)
    except OSError as error:
        log.warning("the browser's pages are not looked at: %s", error)


def _install(environment: Mapping[str, str], profile: Path, patterns: Sequence[str]) -> None:
    place = folder(environment)
    (place / "extension").mkdir(parents=True)
    (place / "shown").mkdir(mode=0o700)
    (place / host.ASKS).mkdir(mode=0o700)
    for path in EXTENSION.iterdir():
        (place / "extension" / path.name).write_bytes(path.read_bytes())
    listed = json.dumps([*PATTERNS, *patterns])
    (place / "extension" / "patterns.js").write_text(f"globalThis.signinPatterns = {listed};\n")
    (place / "extension" / "manifest.json").write_text(json.dumps(manifest()))
    script = place / "host"
    script.write_text(f"#!{sys.executable} -IS\n" + Path(host.__file__).read_text())
    script.chmod(0o700)
    hosts = profile / "NativeMessagingHosts"
    hosts.mkdir(parents=True, exist_ok=True)
    (hosts / f"{HOST}.json").write_text(json.dumps(_host(script)))
    _allow_incognito(profile / "Default" / "Preferences")


def flag(environment: Mapping[str, str]) -> list[str]:
    """The browser's argument, where the extension is there."""
    place = folder(environment) / "extension"
    return [f"--load-extension={place}"] if (place / "manifest.json").exists() else []


def leave_page(environment: Mapping[str, str], since_ms: int) -> str:
    """A page that closes the tabs in which there was a page to sign in at since then, and is blank; where nobody looks
    at pages, a blank one. Unix milliseconds."""
    return f"chrome-extension://{ID}/leave.html?since={since_ms}" if flag(environment) else BLANK


def manifest() -> dict[str, Any]:
    """The extension's."""
    scripts = {"js": ["patterns.js", "rules.js", "page.js"], "run_at": "document_start", "all_frames": True}
    return {
        "manifest_version": 3,
        "name": "Recording: sign-in pages",
        "description": "Tells this desktop's recorder when a page to sign in at is shown.",
        "version": "1",
        "key": KEY,
        "permissions": ["alarms", "nativeMessaging", "scripting", "storage"],
        "host_permissions": ["<all_urls>"],
        "background": {"service_worker": "worker.js"},
        "content_scripts": [{"matches": ["<all_urls>"], "match_origin_as_fallback": True, **scripts}],
    }


def _host(script: Path) -> dict[str, Any]:
    return {
        "name": HOST,
        "description": "Sign-in pages",
        "path": str(script),
        "type": "stdio",
        "allowed_origins": [f"chrome-extension://{ID}/"],
    }


def _allow_incognito(preferences: Path) -> None:
    """A window that leaves no traces shows pages as well."""
    try:
        found = json.loads(preferences.read_bytes()) if preferences.exists() else {}
        extensions = found.setdefault("extensions", {}).setdefault("settings", {})
        extensions.setdefault(ID, {})["incognito"] = True
        text = json.dumps(found)
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):
        return
    with contextlib.suppress(OSError):
        preferences.parent.mkdir(parents=True, exist_ok=True)
        preferences.write_text(text)
