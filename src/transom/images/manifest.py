"""manifest.json: what an image is, written beside its parts when it is sealed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from transom.images.errors import ImageError

VERSION = 2
OLD_VERSIONS = (1,)
"""Read, never written: version 1 had a root alone, and was named by the root's digest."""
LIMIT = 1024 * 1024
"""Bytes; a manifest of 600 packages is under 40 KiB."""
DIGEST = re.compile(r"sha256-[0-9a-f]{64}")
PART = re.compile(r"[a-z][a-z0-9.-]{0,60}")
ROOT = "root"


@dataclass(frozen=True, slots=True)
class Part:
    """A file of an image, or its root. `size` is bytes of content."""

    digest: str
    """`sha256-` and the hash of the file; of `root`, of the whole tree (transom.images.tree)."""
    size: int


@dataclass(frozen=True, slots=True)
class Layer:
    """What a layer adds: `packages` and `size`, bytes on disk, that no other layer needs."""

    packages: int
    size: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """An image's own description. Sizes are bytes of content, times Unix seconds."""

    version: int
    digest: str
    """`sha256-` and the hash of all parts' names and digests."""
    recipe: str
    """Digest of the recipe it was built from."""
    suite: str
    architecture: str
    built_at: int
    size: int
    files: int
    packages: Mapping[str, str]
    """Debian package -> version, the kernel's among them."""
    tools: Mapping[str, str]
    """npm package -> version."""
    landmarks: Mapping[str, int]
    """Path in the root -> size: the quick check that the root is whole."""
    parts: Mapping[str, Part] = field(default_factory=dict)
    layers: Mapping[str, Layer] = field(default_factory=dict)


def identity(parts: Mapping[str, Part]) -> str:
    """The digest of an image with these parts."""
    lines = (f"{name} {part.digest} {part.size}\n" for name, part in sorted(parts.items()))
    return f"sha256-{hashlib.sha256(''.join(lines).encode()).hexdigest()}"


def dump(manifest: Manifest) -> str:
    """The manifest as indented JSON."""
    return json.dumps(asdict(manifest), indent=1, sort_keys=True) + "\n"


def load(path: Path) -> Manifest:
    """Read and check a manifest. Raises ImageError."""
    try:
        body = path.read_bytes()[: LIMIT + 1]
        found = json.loads(body) if len(body) <= LIMIT else None
    except (OSError, ValueError, RecursionError) as error:
        raise _broken(path) from error
    if not isinstance(found, dict) or not _well_formed(found):
        raise _broken(path)
    parts = {name: Part(**part) for name, part in found.pop("parts", {}).items()}
    layers = {name: Layer(**layer) for name, layer in found.pop("layers", {}).items()}
    manifest = Manifest(**found, parts=parts, layers=layers)
    if manifest.version == VERSION and identity(parts) != manifest.digest:
        raise _broken(path)
    return manifest


def _broken(path: Path) -> ImageError:
    return ImageError(f"the image in {path.parent} has no readable manifest", mend="transom image build")


def _well_formed(found: Mapping[str, object]) -> bool:
    names = {each.name for each in fields(Manifest)}
    if found.get("version") in OLD_VERSIONS:
        names -= {"parts", "layers"}
    elif found.get("version") != VERSION:
        return False
    if found.keys() != names:
        return False
    texts = all(isinstance(found[name], str) for name in ("digest", "recipe", "suite", "architecture"))
    numbers = all(_count(found[name]) for name in ("version", "built_at", "size", "files"))
    return (
        texts
        and numbers
        and DIGEST.fullmatch(str(found["digest"])) is not None
        and all(_mapping(found[name], str) for name in ("packages", "tools"))
        and _mapping(found["landmarks"], int)
        and _records(found.get("parts", {}), {"digest": DIGEST, "size": None})
        and _records(found.get("layers", {}), {"packages": None, "size": None})
    )


def _count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _mapping(value: object, kind: type) -> bool:
    return isinstance(value, dict) and all(type(item) is kind for item in value.values())


def _records(value: object, shape: Mapping[str, re.Pattern[str] | None]) -> bool:
    """Is it names -> objects of just these fields, texts of their patterns or counts?"""
    if not isinstance(value, dict):
        return False
    return all(
        PART.fullmatch(name)
        and isinstance(each, dict)
        and each.keys() == shape.keys()
        and all(
            _count(each[key]) if want is None else isinstance(each[key], str) and want.fullmatch(each[key])
            for key, want in shape.items()
        )
        for name, each in value.items()
    )
