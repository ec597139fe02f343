"""Looks at a root without booting it: what must be there, what must never be."""

from __future__ import annotations

import re
import stat
from collections.abc import Collection
from pathlib import Path

from transom.images import tree
from transom.images.errors import ImageError
from transom.images.run import inside, run

PRESENT = {
    "base": ("usr/bin/python3", "usr/local/bin/xdg-open", "opt/transom", "home/user"),
    "desktop": (
        *("usr/bin/Xvnc", "usr/bin/openbox", "usr/bin/xrandr", "usr/lib/chromium/chromium"),
        *("etc/chromium/policies/managed/transom.json", "etc/transom/openbox/rc.xml"),
    ),
    "gstreamer": ("usr/bin/gst-launch-1.0", "usr/bin/gst-inspect-1.0"),
    "cli": ("usr/local/bin/codex", "usr/local/bin/claude", "usr/local/bin/gemini"),
    "vm": ("usr/lib/systemd/systemd",),
}
"""Layer -> what it must bring."""
ABSENT = ("usr/sbin/sshd", "usr/sbin/telnetd", "etc/ssh/ssh_host_rsa_key", "root/.npm", "root/.ssh")
PLUGINS = (
    *("appsrc", "videoconvert", "x264enc", "h264parse", "rtph264pay", "webrtcbin"),
    *("nicesrc", "dtlssrtpenc", "srtpenc", "sctpenc"),
)
"""GStreamer elements the stream is made of."""
SECRET_NAMES = re.compile(
    r"(?:^|/)(?:\.npmrc|\.netrc|auth\.json|credentials?|.*\.pem\.key|id_(?:rsa|ed25519))$"
)
PLUGIN_DEADLINE = 60.0


def verify(root: Path, layers: Collection[str] = tuple(PRESENT)) -> list[str]:
    """Everything that is wrong with a `root` of these `layers`, in sentences; empty when nothing is."""
    wanted = [path for layer in layers for path in PRESENT.get(layer, ())]
    looked = [*_present(root, wanted), *_absent(root), *_passwords(root), *_reachable(root, wanted)]
    return [*looked, *(_plugins(root) if "gstreamer" in layers else [])]


def _present(root: Path, wanted: Collection[str]) -> list[str]:
    return [f"{path} is missing" for path in wanted if not _exists(root, path)]


def _exists(root: Path, path: str) -> bool:
    """Follows links as they read from inside the root."""
    found = root / path
    for _ in range(8):
        if not found.is_symlink():
            return found.exists()
        target = found.readlink()
        found = root / str(target).lstrip("/") if target.is_absolute() else found.parent / target
    return False


def _absent(root: Path) -> list[str]:
    wrong = [f"{path} must not be there" for path in ABSENT if (root / path).exists()]
    for path, status in tree.entries(root):
        private = path.startswith(("root/", "home/", "etc/", "tmp/", "var/"))
        if private and stat.S_ISREG(status.st_mode) and SECRET_NAMES.search(path):
            wrong.append(f"{path} looks like a secret")
    return wrong


def _passwords(root: Path) -> list[str]:
    wrong = []
    for line in (root / "etc/shadow").read_text().splitlines():
        name, _, rest = line.partition(":")
        if rest.split(":")[0] not in ("*", "!", "!*", "!!"):
            wrong.append(f"{name} has a password, or needs none")
    return wrong


def _reachable(root: Path, wanted: Collection[str]) -> list[str]:
    """Folders on the way to what the sandbox's user runs must be open to others."""
    closed = {
        folder
        for path in wanted
        for folder in (root / path).parents
        if folder.is_relative_to(root) and folder.exists() and not folder.stat().st_mode & 0o001
    }
    return [f"{folder.relative_to(root)} is closed to the machine's user" for folder in sorted(closed)]


def _plugins(root: Path) -> list[str]:
    wrong = []
    for name in PLUGINS:
        try:
            run(inside(root, ["gst-inspect-1.0", "--exists", name]), deadline=PLUGIN_DEADLINE, mend="")
        except ImageError:
            wrong.append(f"GStreamer has no {name}")
    return wrong
