"""The parts only a virtual machine needs, made beside the root: kernel, initramfs, file systems."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from transom.images import debian, filesystem, initramfs, kernel, sbom
from transom.images.bootstrap import OWNERS
from transom.images.configure import UID
from transom.images.errors import ImageError
from transom.images.filesystem import Owner
from transom.images.recipe import Recipe
from transom.images.run import run

SQUASHFS, EXT4, VMLINUX, INITRAMFS = "rootfs.squashfs", "rootfs.ext4", "vmlinux", "initramfs.cpio"
BOOT_PARTS = (VMLINUX, INITRAMFS)
EXTRACT_DEADLINE = 120.0
BUSYBOX = ("usr/bin/busybox", "bin/busybox")
MODULES = ("usr/lib/modules", "lib/modules")
MEND = "report it with the suite"


def boot_parts(recipe: Recipe, beside: Path, built: Path, work: Path) -> list[sbom.Item]:
    """Write vmlinux and initramfs into `built`; return the packages they came from. Raises ImageError."""
    unpacked = work / "fetched"
    found = []
    for archive in sorted(beside.glob("*.deb")):
        run(
            ["dpkg-deb", "--extract", str(archive), str(unpacked)],
            deadline=EXTRACT_DEADLINE,
            mend="apt-get install dpkg",
        )
        package = debian.described(_fields(archive))
        found.append(
            sbom.debian(package, recipe.suite, unpacked / "usr/share/doc" / package.name / "copyright")
        )
    write(built / VMLINUX, kernel.extract(_only(unpacked / "boot", "vmlinuz-*").read_bytes(), work))
    modules = _only(_first(unpacked, MODULES), "*")
    busybox = _first(unpacked, BUSYBOX).read_bytes()
    write(built / INITRAMFS, initramfs.build(recipe.init, busybox, modules, recipe.modules))
    return found


def _fields(archive: Path) -> str:
    lines: list[str] = []
    run(
        ["dpkg-deb", "--field", str(archive)],
        deadline=EXTRACT_DEADLINE,
        mend="apt-get install dpkg",
        saw=lines.append,
    )
    return "\n".join(lines)


def file_systems(
    recipe: Recipe, beside: Path, built: Path, work: Path, partly: Callable[[float, str], None]
) -> None:
    """Write the root's squashfs, and its ext4 when the recipe wants one, into `built`. Raises ImageError."""
    root = built / "root"
    special = filesystem.owners((beside / OWNERS).read_bytes(), root)
    special["home/user"] = Owner(0o755, UID, UID)
    partly(0.0, "squashfs")
    filesystem.squashfs(root, built / SQUASHFS, special, work)
    if recipe.ext4:
        partly(0.5, "ext4")
        filesystem.ext4(root, built / EXT4, special, work)


def _first(folder: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        if (folder / name).exists():
            return folder / name
    raise ImageError(f"Debian's packages brought no {names[0]}", mend=MEND)


def _only(folder: Path, glob: str) -> Path:
    found = sorted(folder.glob(glob))
    if len(found) != 1:
        raise ImageError(f"{len(found)} of {glob} where one is needed", mend=MEND)
    return found[0]


def write(path: Path, content: bytes) -> None:
    """Write a part of an image, for all to read."""
    path.write_bytes(content)
    path.chmod(0o644)
