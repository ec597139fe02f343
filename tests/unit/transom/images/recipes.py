"""A small recipe, and stand-ins for the builder's outside programs, on a PATH of their own."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path

from transom.images.verify import PRESENT

TOOLS = {"codex": "@openai/codex/bin/codex", "claude": "claude/claude", "gemini": "gemini/gemini"}


def write_recipe(folder: Path) -> Path:
    """A recipe with two packages, one overlay file, a link, and three tools."""
    for name in ("packages", "cli", "overlay/etc/transom/openbox", "overlay/usr/local/bin"):
        (folder / name).mkdir(parents=True)
    (folder / "overlay/etc/chromium/policies/managed").mkdir(parents=True)
    (folder / "packages/base.txt").write_text("# first\nca-certificates\n")
    (folder / "packages/desktop.txt").write_text("xterm  # a terminal\n\n")
    commands = {name: {"x64": path, "arm64": path} for name, path in TOOLS.items()}
    (folder / "cli/commands.json").write_text(json.dumps({"commands": commands, "prune": ["*/junk"]}))
    (folder / "cli/package.json").write_text("{}")
    (folder / "cli/package-lock.json").write_text("{}")
    (folder / "overlay/etc/transom/openbox/rc.xml").write_text("<x/>")
    (folder / "overlay/etc/chromium/policies/managed/transom.json").write_text("{}")
    script = folder / "overlay/usr/local/bin/xdg-open"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o700)
    (folder / "overlay/usr/local/bin/x-www-browser").symlink_to("xdg-open")
    return folder


def write_root(folder: Path) -> Path:
    """The least a bootstrap must bring for the later steps to be content."""
    for path in PRESENT:
        if path.startswith(("usr/local", "etc/")):
            continue
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch(mode=0o755)
    (folder / "opt/transom").unlink()
    (folder / "home/user").unlink()
    for path in ("etc", "var/log", "var/cache/fontconfig", "root", "tmp", "usr/local/bin", "dev"):
        (folder / path).mkdir(parents=True, exist_ok=True)
    (folder / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/bash\n")
    (folder / "etc/group").write_text("root:x:0:\n")
    (folder / "etc/shadow").write_text("root:*:20000:0:99999:7:::\n")
    (folder / "etc/gshadow").write_text("root:*::\n")
    (folder / "etc/hostname").write_text("the-builder\n")
    (folder / "etc/resolv.conf").write_text("nameserver 10.1.2.3\n")
    (folder / "var/log/dpkg.log").write_text("noise\n")
    (folder / "dev/null").write_text("must not be unpacked\n")
    return folder


def write_host_tools(folder: Path, root: Path) -> Path:
    """mmdebstrap, npm, bwrap and zstd stand-ins in `folder`; each notes its call in `calls`."""
    folder.mkdir()
    archive = folder / "root.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(root, ".")
    modules = " ".join(str(Path(path).parent) for path in TOOLS.values())
    scripts = {
        "mmdebstrap": f'echo "I: creating tarball..."; echo "$@" > {folder}/mmdebstrap.args; '
        f'for word; do case $word in *.tar) cp {archive} "$word";; esac; done',
        "npm": f"for m in {modules}; do mkdir -p node_modules/$m; done; mkdir node_modules/claude/junk; "
        + "; ".join(f"echo x > node_modules/{path}" for path in TOOLS.values())
        + '; echo "{\\"version\\": \\"1.2.3\\"}" > node_modules/claude/package.json',
        "bwrap": 'case "$*" in *dpkg-query*) echo "xterm 400-1";; esac',
    }
    for name, body in scripts.items():
        path = folder / name
        path.write_text(
            f"#!/bin/sh\necho {name} >> {folder}/calls\n[ ! -e {folder}/fail-{name} ] || exit 9\n{body}\n"
        )
        path.chmod(0o755)
    return folder


def calls(folder: Path) -> list[str]:
    """The stand-ins that were called, in order."""
    path = folder / "calls"
    return path.read_text().split() if path.exists() else []


def plain_path(folder: Path) -> str:
    """A PATH with the stand-ins before the system's own programs, and no zstd."""
    own = folder / "own"
    own.mkdir(exist_ok=True)
    for name in ("sh", "cp", "mkdir", "tar", "echo", "env", "sleep", "cat"):
        target = own / name
        if not target.exists():
            target.symlink_to(
                next(f"{place}/{name}" for place in ("/bin", "/usr/bin") if os.path.exists(f"{place}/{name}"))
            )
    return f"{folder}:{own}"
