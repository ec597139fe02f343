"""Looks at a root without booting it: what must be there, what must never be."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from transom.images import audit
from transom.images.errors import ImageError
from transom.images.run import inside, run

PRESENT = {
    "base": ("usr/bin/python3", "usr/local/bin/xdg-open", "opt/transom", "home/user"),
    "desktop": (
        *("usr/lib/xorg/Xorg", "usr/lib/xorg/modules/drivers/dummy_drv.so"),
        *("usr/lib/xorg/modules/input/inputtest_drv.so", "usr/lib/xorg/modules/extensions/libvnc.so"),
        *("usr/bin/Xvnc", "usr/bin/openbox", "usr/bin/xrandr", "usr/lib/chromium/chromium"),
        *("etc/chromium/policies/managed/transom.json", "etc/transom/openbox/rc.xml"),
    ),
    "gstreamer": ("usr/bin/gst-launch-1.0", "usr/bin/gst-inspect-1.0"),
    "cli": ("usr/local/bin/codex", "usr/local/bin/claude", "usr/local/bin/gemini"),
    "vm": ("usr/lib/systemd/systemd",),
}
"""Layer -> what it must bring."""
ABSENT = (
    *("usr/sbin/sshd", "usr/sbin/dropbear", "usr/bin/dropbear", "usr/sbin/in.telnetd", "usr/sbin/telnetd"),
    *("usr/bin/x11vnc", "usr/bin/xrdp", "usr/sbin/xrdp", "root/.npm", "root/.ssh", "home/user/.ssh"),
)
"""Ways in that nobody asked for, and what a builder may leave."""
PLUGINS = (
    *("appsrc", "x264enc", "h264parse", "webrtcbin"),
    *("nicesrc", "dtlssrtpenc", "srtpenc", "sctpenc"),
)
"""GStreamer elements the stream is made of."""
PLUGIN_DEADLINE = 60.0


def verify(root: Path, layers: Collection[str] | None = None) -> list[str]:
    """Everything that is wrong with a `root` of these `layers`, in sentences; empty when nothing is."""
    layers = PRESENT if layers is None else layers
    wanted = [path for layer in layers for path in PRESENT.get(layer, ())]
    looked = [*_present(root, wanted), *_absent(root), *_passwords(root), *_reachable(root, wanted)]
    looked += audit.audit(root)
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
    return [f"{path} must not be there" for path in ABSENT if (root / path).exists()]


def _passwords(root: Path) -> list[str]:
    """A password in either file counts, an empty one above all; and so does a second root."""
    lists = [(path, root / path) for path in ("etc/shadow", "etc/passwd")]
    wrong = [f"{path} is no file" for path, file in lists if file.is_symlink() or not file.is_file()]
    if wrong:
        return wrong
    for name, rest in _accounts(root / "etc/shadow"):
        if rest[0] not in ("*", "!", "!*", "!!"):
            wrong.append(f"{name} has a password, or needs none")
    for name, rest in _accounts(root / "etc/passwd"):
        if rest[0] not in ("x", "*", "!"):
            wrong.append(f"{name} has a password, or needs none, by /etc/passwd")
        if rest[1:2] == ["0"] and name != "root":
            wrong.append(f"{name} is root by another name")
    return wrong


def _accounts(file: Path) -> Iterator[tuple[str, list[str]]]:
    for line in file.read_text().splitlines():
        name, *rest = line.split(":")
        yield name, rest or [""]


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
