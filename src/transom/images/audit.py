"""Looks through every file of a root for what no image may carry: keys, tokens, programs that change who runs
them, places that anybody may write.

A private key is one wherever it lies. Tokens are looked for where a builder could have left them, not in what
Debian and npm ship to everybody: Chromium and the tools carry public identifiers of the same shapes.
"""

from __future__ import annotations

import fnmatch
import mmap
import re
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

from transom.images import tree
from transom.images.debian import INFO

NAMES = re.compile(
    r"(?:^|/)(?:\.npmrc|\.netrc|\.pgpass|\.git-credentials|\.env|auth\.json|credentials?|\.?.*_history"
    r"|.*\.(?:pem\.key|p12|pfx|kdbx)|ssh_host_.*_key|authorized_keys2?|id_(?:rsa|dsa|ecdsa|ed25519))$"
)
PRIVATE = ("root/", "home/", "etc/", "tmp/", "var/", "srv/", "usr/local/")
"""Folders in which those names are somebody's; elsewhere they are parts of programs."""
KEY = re.compile(
    rb"-----BEGIN (?:[A-Z0-9]{2,20} )?PRIVATE KEY(?: BLOCK)?-----\s+(?:[A-Za-z-]+: [^\n]{1,200}\n\s*)*"
    rb"[A-Za-z0-9+/=]{40,}"
)
"""A header and the beginning of a body: the header alone is in every program that can read keys."""
KEY_HINT = b"PRIVATE KEY"
PUBLISHED_KEYS = ("usr/lib/*/libgnutls.so.*",)
"""Libraries with the keys of their own self-test, which are in their published sources."""
TOKEN = re.compile(
    rb"\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,}|glpat-[A-Za-z0-9_-]{20}"
    rb"|sk-(?:ant|proj)-[A-Za-z0-9_-]{20,}|npm_[A-Za-z0-9]{36}|xox[abprs]-[A-Za-z0-9-]{20,}"
    rb"|AIza[0-9A-Za-z_-]{35}|ya29\.[0-9A-Za-z_-]{20,}|eyJ[A-Za-z0-9_-]{16,}\.eyJ[A-Za-z0-9_-]{16,}\.)"
)
SHIPPED = ("opt/cli/node_modules/",)
"""What npm brought, held to its lock file's hashes."""
WRITABLE = {"tmp": 0o1777, "var/tmp": 0o1777}
"""Path -> the mode in which all may write there."""


def audit(root: Path) -> list[str]:
    """Everything that is wrong, in sentences. Raises OSError."""
    shipped = shipped_files(root)
    return [
        sentence
        for path, status in tree.entries(root)
        for sentence in (
            *_modes(path, status.st_mode, tree.rights(root, path, status)),
            *_content(root, path, status.st_mode, shipped),
        )
    ]


def shipped_files(root: Path) -> frozenset[str]:
    """Paths that Debian's packages list, as they are after the merge of /bin, /lib and /sbin into /usr."""
    found = set()
    for listed in (root / INFO).glob("*.list"):
        for line in listed.read_text(errors="surrogateescape").splitlines():
            path = line.lstrip("/")
            merged = path.startswith(("bin/", "sbin/", "lib/", "lib64/"))
            found.add(f"usr/{path}" if merged else path)
    return frozenset(found)


def _modes(path: str, mode: int, rights: Collection[str]) -> Iterator[str]:
    if "setuid" in rights or "setgid" in rights:
        yield f"{path} changes who runs it"
    if "capabilities" in rights:
        yield f"{path} may do more than who runs it"
    if not stat.S_ISLNK(mode) and mode & stat.S_IWOTH and WRITABLE.get(path) != stat.S_IMODE(mode):
        yield f"{path} can be written by anybody"
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)):
        yield f"{path} is a device, a socket or a pipe"


def _content(root: Path, path: str, mode: int, shipped: frozenset[str]) -> Iterator[str]:
    if not stat.S_ISREG(mode):
        return
    if path.startswith(PRIVATE) and NAMES.search(path):
        yield f"{path} looks like a secret"
    with (root / path).open("rb") as file:
        try:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:  # empty
            return
        with data:
            known = path in shipped and any(fnmatch.fnmatch(path, glob) for glob in PUBLISHED_KEYS)
            if not known and data.find(KEY_HINT) >= 0 and KEY.search(data):
                yield f"{path} holds a private key"
            if path not in shipped and not path.startswith(SHIPPED) and TOKEN.search(data):
                yield f"{path} holds a token"
