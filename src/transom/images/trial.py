"""Boots an image and looks: in a sandbox of this host's kernel, or in a virtual machine with the image's own.

No network, no guest code, nothing of any session: display, browser, GStreamer and tools are the image's alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from transom.images import cpio, probe
from transom.images.errors import ImageError
from transom.images.machine import INITRAMFS, SQUASHFS, VMLINUX
from transom.images.manifest import Manifest
from transom.images.run import run
from transom.images.store import ImageStore
from transom.images.verify import PLUGINS
from transom_keeper.vm.arguments import EMULATED_CPU
from transom_keeper.vm.tsc import measure_khz

SANDBOX_SECONDS, MACHINE_SECONDS = 60.0, 200.0
"""Longest wait for one program inside; a virtual machine may be emulated."""
DEADLINE_FACTOR = 4
"""All of a trial may take so many times the wait for one program."""
UID = 1000
PLACE = "/opt/transom/probe.py"
"""In a folder that every image has and leaves empty."""
PINNED = {"codex": "@openai/codex", "claude": "@anthropic-ai/claude-code", "gemini": "@google/gemini-cli"}
"""Command -> npm package whose version it must say."""
NODE = re.compile(r"node-linux-.*")
QUICK = ("gst-launch-1.0",)
MEMORY_MIB = 1536
ANSWER_LIMIT = 64 * 1024
INIT = """\
#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
while read -r name; do insmod /lib/modules/$name.ko; done </lib/modules/order
mkdir -p /mnt/base /mnt/upper /mnt/root
mount -t squashfs -o ro /dev/vda /mnt/base
mount -t tmpfs tmpfs /mnt/upper
mkdir /mnt/upper/files /mnt/upper/work
mount -t overlay -o lowerdir=/mnt/base,upperdir=/mnt/upper/files,workdir=/mnt/upper/work overlay /mnt/root
cp /probe.py /mnt/root{place}
for each in proc sys dev; do mount -o move /$each /mnt/root/$each; done
mkdir -p /mnt/root/dev/pts /mnt/root/dev/shm /mnt/root/run/user/{uid}
mount -t devpts devpts /mnt/root/dev/pts
mount -t tmpfs tmpfs /mnt/root/dev/shm
mount -t tmpfs tmpfs /mnt/root/tmp
chmod 1777 /mnt/root/dev/shm
chown {uid}:{uid} /mnt/root/run/user/{uid}
chroot /mnt/root /usr/bin/setpriv --reuid={uid} --regid={uid} --clear-groups \
  /usr/bin/python3 {place} {wishes} >/dev/console 2>&1
reboot -f
"""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is asked of an image."""

    browser: str | None
    elements: tuple[str, ...]
    commands: tuple[str, ...]
    seconds: float

    def text(self) -> str:
        """As probe.py reads them."""
        return json.dumps({name: getattr(self, name) for name in self.__slots__})


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found: sentences that say what is wrong, the tools' own words, time to the first picture."""

    wrong: tuple[str, ...]
    said: Mapping[str, str]
    painted_ms: int | None


def wishes_for(manifest: Manifest) -> Wishes:
    """Everything that the image's layers promise."""
    desktop, stream, tools = (name in manifest.layers for name in ("desktop", "gstreamer", "cli"))
    commands = (*(("gst-launch-1.0",) if stream else ()), *((*PINNED, "node") if tools else ()))
    return Wishes(
        browser="chromium" if desktop else None,
        elements=PLUGINS if stream else (),
        commands=commands,
        seconds=SANDBOX_SECONDS,
    )


def in_sandbox(store: ImageStore, digest: str) -> Findings:
    """Boot the image's root under this host's kernel. Raises ImageError."""
    manifest = store.manifest(digest)
    wishes = wishes_for(manifest)
    root = store.root(digest)
    lines: list[str] = []
    with _readable_probe() as source:
        argv = [*_dropped(), *_bubblewrap(root, source), "python3", PLACE, wishes.text()]
        run(
            argv,
            deadline=DEADLINE_FACTOR * wishes.seconds,
            mend="transom doctor; it names what a sandbox needs",
            saw=lines.append,
        )
    return judged(manifest, answer(lines))


def in_machine(store: ImageStore, digest: str, program: Path, accelerator: str) -> Findings:
    """Boot the image's own kernel, initramfs and squashfs in QEMU (`program`, by `kvm` or `tcg`).

    Under emulation a terminal stands for the browser, and the tools are left to `in_sandbox`: both would take
    minutes and find nothing more. Raises ImageError.
    """
    manifest = store.manifest(digest)
    wishes = replace(wishes_for(manifest), seconds=MACHINE_SECONDS)
    if accelerator == "tcg":
        commands = tuple(name for name in wishes.commands if name in QUICK)
        wishes = replace(wishes, browser=wishes.browser and "xterm", commands=commands)
    kernel, squashfs = (store.part(manifest.digest, name) for name in (VMLINUX, SQUASHFS))
    own = store.part(manifest.digest, INITRAMFS).read_bytes()
    script = INIT.format(place=PLACE, uid=UID, wishes=shlex.quote(wishes.text()))
    extra = cpio.archive(
        [
            cpio.file("trial", script.encode(), runs=True),
            cpio.file("probe.py", Path(probe.__file__).read_bytes()),
        ]
    )
    lines: list[str] = []
    with tempfile.TemporaryDirectory(prefix="transom-trial-") as folder:
        initramfs = Path(folder) / INITRAMFS
        initramfs.write_bytes(cpio.padded(own, cpio.BLOCK) + extra)
        run(
            _qemu(program, accelerator, kernel, initramfs, squashfs),
            deadline=DEADLINE_FACTOR * wishes.seconds,
            mend="apt-get install qemu-system-x86",
            saw=lines.append,
        )
    return judged(manifest, answer(lines))


def answer(lines: list[str]) -> Findings:
    """What probe.py said, among whatever else a console shows. Raises ImageError."""
    for line in reversed(lines):
        _, mark, text = line.partition(probe.MARK)
        if mark and len(text) <= ANSWER_LIMIT:
            with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
                found = json.loads(text)
                said = {str(name): str(words) for name, words in found["said"].items()}
                painted = found["painted_ms"]
                wrong = tuple(str(each) for each in found["wrong"])
                return Findings(wrong, said, painted if isinstance(painted, int) else None)
    last = " ".join(line.strip() for line in lines[-5:])
    raise ImageError(f"the image does not come up: {last[-400:]}", mend="transom image build")


def judged(manifest: Manifest, found: Findings) -> Findings:
    """`found`, and what is wrong with the versions that the tools say."""
    wrong = list(found.wrong)
    pinned = {command: manifest.tools.get(package) for command, package in PINNED.items()}
    pinned["node"] = next((version for name, version in manifest.tools.items() if NODE.fullmatch(name)), None)
    for command, version in pinned.items():
        if command in found.said and (version is None or version not in found.said[command]):
            wrong.append(f"{command} says {found.said[command][:60]!r}, {version} is pinned")
    return replace(found, wrong=tuple(wrong))


def _bubblewrap(root: Path, source: Path) -> list[str]:
    free = ("/tmp", "/run", "/home", "/dev/shm")  # noqa: S108
    return [
        *(
            "bwrap",
            "--unshare-all",
            "--uid",
            str(UID),
            "--gid",
            str(UID),
            "--die-with-parent",
            "--new-session",
        ),
        *("--ro-bind", str(root), "/", "--proc", "/proc", "--dev", "/dev", "--clearenv"),
        *("--setenv", "PATH", "/usr/local/bin:/usr/bin:/bin"),
        *(word for path in free for word in ("--tmpfs", path)),
        *("--tmpfs", str(Path(PLACE).parent), "--ro-bind", str(source), PLACE, "--chdir", "/"),
    ]


def _qemu(program: Path, accelerator: str, kernel: Path, initramfs: Path, squashfs: Path) -> list[str]:
    told = "console=ttyS0 quiet loglevel=4 panic=-1 reboot=t rdinit=/trial mitigations=off"
    how = ["-accel", "kvm", "-cpu", "host"]
    if accelerator == "tcg":
        told += f" tsc_early_khz={measure_khz()} tsc=reliable"
        how = ["-accel", "tcg,thread=multi", "-cpu", EMULATED_CPU]
    return [
        *("bwrap", "--dev-bind", "/", "/", "--unshare-net", "--die-with-parent"),
        *(str(program), "-M", "microvm,pit=on,pic=on,rtc=on,isa-serial=on", *how, "-smp", "2"),
        *("-m", str(MEMORY_MIB), "-no-user-config", "-nodefaults", "-no-reboot", "-display", "none"),
        *("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny", "-serial", "stdio"),
        *("-kernel", str(kernel), "-initrd", str(initramfs), "-append", told),
        *("-drive", f"id=root,file={squashfs},format=raw,if=none,readonly=on"),
        *("-device", "virtio-blk-device,drive=root", "-device", "virtio-rng-device"),
    ]


def _dropped() -> list[str]:
    """Chromium refuses to run as root, and nothing inside has a need of it."""
    if os.geteuid() != 0:
        return []
    nobody = str(65534)
    return ["setpriv", f"--reuid={nobody}", f"--regid={nobody}", "--clear-groups"]


@contextmanager
def _readable_probe() -> Iterator[Path]:
    """probe.py where the sandbox's user may read it."""
    folder = Path(tempfile.mkdtemp(prefix="transom-trial-"))
    try:
        folder.chmod(0o711)
        path = folder / "probe.py"
        shutil.copyfile(probe.__file__, path)
        path.chmod(0o644)
        yield path
    finally:
        shutil.rmtree(folder, ignore_errors=True)
