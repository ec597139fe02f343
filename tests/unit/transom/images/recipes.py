"""A small recipe, and stand-ins for the builder's outside programs, on a PATH of their own."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path

from tests.unit.transom.images.elves import kernel, module
from transom.images.verify import PRESENT

TOOLS = {"codex": "@openai/codex/bin/codex", "claude": "claude/claude", "gemini": "gemini/gemini"}
LINUX = "linux-image-6.1-cloud"
LAYERS = {
    "base": "# first\nca-certificates\n",
    "desktop": "xterm  # a terminal\n\n",
    "gstreamer": "gstreamer1.0-tools\n",
    "cli": "git\n",
    "vm": "systemd\n",
}
STATUS = """\
Package: libc6
Status: install ok installed
Version: 2.41-1
Architecture: amd64

Package: ca-certificates
Status: install ok installed
Version: 1
Architecture: all
Depends: libc6 (>= 2) | musl

Package: xterm
Status: install ok installed
Version: 400-1
Architecture: amd64
Depends: libx11-6, libc6
Homepage: https://invisible.invalid/xterm

Package: libx11-6
Status: install ok installed
Version: 2:1.8
Architecture: amd64

Package: gone
Status: deinstall ok config-files
Version: 9
Architecture: all
"""


def write_recipe(folder: Path) -> Path:
    """A recipe with five layers, one overlay file, a link, three tools, and an initramfs."""
    for name in ("packages", "cli", "initramfs", "overlay/etc/transom/openbox", "overlay/usr/local/bin"):
        (folder / name).mkdir(parents=True)
    (folder / "overlay/etc/chromium/policies/managed").mkdir(parents=True)
    for layer, text in LAYERS.items():
        (folder / f"packages/{layer}.txt").write_text(text)
    (folder / "initramfs/packages.txt").write_text("busybox-static\nlinux-a [amd64]\nlinux-b [arm64]\n")
    (folder / "initramfs/modules.txt").write_text("# what a machine needs\nvirtio-net\n")
    (folder / "initramfs/init").write_text("#!/bin/sh\nexec sh\n")
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
    for path in (path for paths in PRESENT.values() for path in paths):
        if path.startswith(("usr/local", "etc/", "opt/", "home/")):
            continue
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch(mode=0o755)
    for path in ("etc", "var/log", "var/cache/fontconfig", "root", "tmp", "usr/local/bin", "dev", "srv"):
        (folder / path).mkdir(parents=True, exist_ok=True)
    (folder / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/bash\n")
    (folder / "etc/group").write_text("root:x:0:\n")
    (folder / "etc/shadow").write_text("root:*:20777:0:99999:7:::\n")
    (folder / "etc/gshadow").write_text("root:*::\n")
    (folder / "etc/hostname").write_text("the-builder\n")
    (folder / "etc/resolv.conf").write_text("nameserver 10.1.2.3\n")
    (folder / "var/log/dpkg.log").write_text("noise\n")
    (folder / "dev/null").write_text("must not be unpacked\n")
    (folder / "usr/share/python3/__pycache__").mkdir(parents=True)
    (folder / "usr/share/python3/__pycache__/x.pyc").touch()
    (folder / "usr/bin/su").write_text("x")
    (folder / "usr/bin/su").chmod(0o4755)
    (folder / "var/lib/dpkg/info").mkdir(parents=True)
    (folder / "var/lib/dpkg/status").write_text(STATUS)
    (folder / "var/lib/dpkg/info/xterm.list").write_text("/.\n/usr\n/usr/bin/su\n/usr/share/gone\n")
    beside = folder / "transom-beside"
    beside.mkdir()
    (beside / "owners").write_bytes(b"2775 0 50 srv\x00640 0 42 etc/shadow\x00755 0 8 var/gone\x00")
    (beside / "busybox-static_1.deb").write_text("Package: busybox-static\nVersion: 1:1.37-6\n")
    (beside / f"{LINUX}_6.deb").write_text(f"Package: {LINUX}\nVersion: 6.1-1\nArchitecture: amd64\n")
    return folder


def write_debs(folder: Path) -> None:
    """What the fetched packages hold, by the name of their file."""
    linux = folder / f"{LINUX}_6"
    kernel_modules = linux / "usr/lib/modules/6.1-cloud/kernel/drivers"
    for each in (linux / "boot", kernel_modules, folder / "busybox-static_1/usr/bin"):
        each.mkdir(parents=True)
    (linux / "boot/vmlinuz-6.1-cloud").write_bytes(kernel())
    (kernel_modules / "virtio_net.ko").write_bytes(module("net-failover"))
    (kernel_modules / "net_failover.ko").write_bytes(module(""))
    (folder / "busybox-static_1/usr/bin/busybox").write_text("busybox")


def write_host_tools(folder: Path, root: Path) -> Path:
    """Stand-ins for every outside program, in `folder`; each notes its call in `calls`."""
    folder.mkdir()
    write_debs(folder / "debs")
    archive = folder / "root.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(root, ".")
    modules = " ".join(str(Path(path).parent) for path in TOOLS.values())
    scripts = {
        "mmdebstrap": f'echo "I: creating tarball..."; printf "%s\\n" "$*" > {folder}/mmdebstrap.args; '
        f'for word; do case $word in *.tar.zst) cp {archive} "$word";; esac; done',
        "npm": f"for m in {modules}; do mkdir -p node_modules/$m; done; mkdir node_modules/claude/junk; "
        + "; ".join(f"echo x > node_modules/{path}" for path in TOOLS.values())
        + '; echo "{\\"version\\": \\"1.2.3\\"}" > node_modules/claude/package.json',
        "bwrap": "",
        "zstd": "",
        "dpkg-deb": 'name=${2##*/}; case $1 in --field) cat "$2";; '
        f'--extract) mkdir -p "$3"; cp -r {folder}/debs/"${{name%.deb}}"/. "$3";; esac',
        "mksquashfs": f'echo "squashfs $# words" > "$2"; echo "$@" > {folder}/mksquashfs.args; '
        f"for word; do case $word in *.owners) cp $word {folder}/owners;; esac; done",
        "mke2fs": f'echo "$@" > {folder}/mke2fs.args; while [ $# -gt 2 ]; do shift; done; echo ext4 > "$1"',
        "debugfs": f"cp $3 {folder}/debugfs.commands",
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
    """A PATH with the stand-ins before the system's own programs."""
    own = folder / "own"
    own.mkdir(exist_ok=True)
    for name in ("sh", "cp", "mkdir", "tar", "echo", "env", "sleep", "cat"):
        target = own / name
        if not target.exists():
            target.symlink_to(
                next(f"{place}/{name}" for place in ("/bin", "/usr/bin") if os.path.exists(f"{place}/{name}"))
            )
    return f"{folder}:{own}"
