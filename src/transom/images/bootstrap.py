"""The Debian part: mmdebstrap makes a tarball, kept by the digest of what decides it, then unpacked."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from transom.images import tree
from transom.images.errors import ImageError
from transom.images.recipe import Recipe
from transom.images.run import run

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
DEADLINE = 3600.0
UNPACK_DEADLINE = 600.0
LEFT_OUT = ("doc", "man", "info", "locale", "lintian", "bug")
"""Folders of /usr/share that no program needs to run; licences are kept (see COPYRIGHT)."""
UNUSED = ("/usr/lib/udev/*", "/usr/lib/systemd/system/*udev*", "/usr/lib/systemd/system/*hwdb*")
"""Xorg's package asks for udev: 22 MB of hardware's names, and services that no machine is to start."""
COPYRIGHT = "/usr/share/doc/*/copyright"
MILESTONES = {
    "running apt-get update": 0.02,
    "downloading packages with apt": 0.05,
    "extracting archives": 0.25,
    "installing essential packages": 0.35,
    "installing remaining packages inside the chroot": 0.45,
    "cleaning package lists": 0.95,
    "creating tarball": 0.97,
}
"""What mmdebstrap says -> how far it is."""
BESIDE = "transom-beside"
"""Folder in the tarball for what does not go into the root: fetched packages, the list of owners."""
OWNERS = "owners"
FETCH = """\
set -eu
cd "$1/{beside}"
export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
for name in {names}; do
  real=$(apt-cache depends "$name" | sed -n 's/^ *Depends: \\(linux-image-[^ ]*\\)$/\\1/p' | head -n 1)
  apt-get download "${{real:-$name}}"
done
chmod 0644 ./*.deb"""
"""Debian's kernel packages without a version only depend on the one with; that one is wanted."""
NOTE_OWNERS = """\
set -eu
mkdir "$1/{beside}"
cd "$1"
find . -xdev \\( ! -uid 0 -o ! -gid 0 -o -type d -perm /7000 \\) ! -path './dev/*' \\
  -printf '%m %U %G %P\\0' >{beside}/{owners}"""
"""An ordinary user's unpacked root has lost these; a virtual machine's must have them."""


def tarball(recipe: Recipe, cache: Path, work: Path, saw: Callable[[float, str], None]) -> Path:
    """Return the tarball of the recipe's packages, from `cache` or freshly made. Raises ImageError."""
    ending = "tar.zst" if shutil.which("zstd") else "tar"
    kept = cache / f"bootstrap-{recipe.bootstrap_digest}.{ending}"
    if kept.exists():
        return kept
    fresh = work / f"bootstrap.{ending}"
    run(
        _mmdebstrap(recipe, fresh),
        deadline=DEADLINE,
        mend="see the lines above; if a mirror cannot be reached, set TRANSOM_MIRROR",
        saw=lambda line: saw(*_shown(line)),
        env={
            **os.environ,
            "LC_ALL": "C.UTF-8",
            "DEBIAN_FRONTEND": "noninteractive",
            "SOURCE_DATE_EPOCH": str(tree.EPOCH),
        },
    )
    cache.mkdir(mode=0o755, parents=True, exist_ok=True)
    for old in cache.glob("bootstrap-*"):
        old.unlink()
    fresh.replace(kept)
    return kept


def unpack(archive: Path, root: Path, beside: Path) -> None:
    """Unpack into the new folder `root`, and what does not belong there into the new folder `beside`.

    Device nodes are left out, every driver brings its own.
    """
    root.mkdir(mode=0o755)
    # an ordinary user owns what it unpacks: the sandbox mounts it read-only either way
    owner = ["--same-owner"] if os.geteuid() == 0 else ["--no-same-owner"]
    place = ["--file", str(archive), "--directory", str(root)]
    run(
        [
            *("tar", "--extract", *place, "--numeric-owner", *owner),
            *("--same-permissions", "--delay-directory-restore", "--exclude=./dev/*"),
        ],
        deadline=UNPACK_DEADLINE,
        mend=f"remove {archive} and build again",
    )
    (root / BESIDE).rename(beside)


def _mmdebstrap(recipe: Recipe, target: Path) -> list[str]:
    mode = "root" if os.geteuid() == 0 else "unshare"
    return [
        *("mmdebstrap", f"--mode={mode}", "--variant=minbase", f"--include={','.join(recipe.packages)}"),
        '--aptopt=APT::Install-Recommends "false"',
        '--aptopt=Acquire::Languages "none"',
        '--aptopt=Acquire::Retries "3"',
        "--dpkgopt=force-unsafe-io",
        *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in LEFT_OUT),
        *(f"--dpkgopt=path-exclude={path}" for path in UNUSED),
        f"--dpkgopt=path-include={COPYRIGHT}",
        f"--customize-hook={NOTE_OWNERS.format(beside=BESIDE, owners=OWNERS)}",
        *([f"--customize-hook={_fetching(recipe)}"] if recipe.fetched else []),
        *(recipe.suite, str(target)),
        *([recipe.mirror] if recipe.mirror else []),
    ]


def _fetching(recipe: Recipe) -> str:
    return FETCH.format(beside=BESIDE, names=" ".join(recipe.fetched))


def _shown(line: str) -> tuple[float, str]:
    """(fraction or a negative number for "as before", text) of a line of mmdebstrap's."""
    text = line.removeprefix("I: ").rstrip(".")
    return next((share for start, share in MILESTONES.items() if text.startswith(start)), -1.0), text


def check() -> None:
    """Raise ImageError when this host cannot bootstrap Debian, or this user may not."""
    if not KEYRING.exists():
        raise ImageError(
            "Debian's signing keys are not installed", mend="apt-get install debian-archive-keyring"
        )
    if os.geteuid() != 0 and shutil.which("newuidmap") is None:
        raise ImageError(
            "building as an ordinary user needs newuidmap", mend="apt-get install uidmap, or build as root"
        )
