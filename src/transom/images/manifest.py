"""manifest.json: what an image is, written beside its root when it is sealed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from transom.images.errors import ImageError

VERSION = 1
LIMIT = 1024 * 1024
"""Bytes; a manifest of 600 packages is under 40 KiB."""
DIGEST = re.compile(r"sha256-[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Manifest:
    """An image's own description. Sizes are bytes of content, times Unix seconds."""

    version: int
    digest: str
    """`sha256-` and the hash of the whole tree (transom.images.tree)."""
    recipe: str
    """Digest of the recipe it was built from."""
    suite: str
    architecture: str
    built_at: int
    size: int
    files: int
    packages: Mapping[str, str]
    """Debian package -> version."""
    tools: Mapping[str, str]
    """npm package -> version."""
    landmarks: Mapping[str, int]
    """Path in the root -> size: the quick check that the root is whole."""


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
    return Manifest(**found)


def _broken(path: Path) -> ImageError:
    return ImageError(f"the image in {path.parent} has no readable manifest", mend="transom image build")


def _well_formed(found: Mapping[str, object]) -> bool:
    if found.keys() != {field.name for field in fields(Manifest)} or found["version"] != VERSION:
        return False
    texts = all(isinstance(found[name], str) for name in ("digest", "recipe", "suite", "architecture"))
    numbers = all(_count(found[name]) for name in ("built_at", "size", "files"))
    return (
        texts
        and numbers
        and DIGEST.fullmatch(str(found["digest"])) is not None
        and all(_mapping(found[name], str) for name in ("packages", "tools"))
        and _mapping(found["landmarks"], int)
    )


def _count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _mapping(value: object, kind: type) -> bool:
    return isinstance(value, dict) and all(type(item) is kind for item in value.values())
