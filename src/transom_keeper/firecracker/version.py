"""Which versions of Firecracker a machine may run under. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

_SHAPE = re.compile(r"v?([0-9]{1,5})\.([0-9]{1,5})\.([0-9]{1,5})([-+][0-9A-Za-z.+-]{1,64})?")


class Version(NamedTuple):
    """Compares as versions do; one that is not a release (`-dev`, `-dirty`) comes just before its release."""

    major: int
    minor: int
    patch: int
    released: bool = True

    def __str__(self) -> str:
        number = f"{self.major}.{self.minor}.{self.patch}"
        return number if self.released else f"{number} (not a release)"


FLOORS = (Version(1, 14, 4), Version(1, 15, 1))
"""The first of each line without CVE-2026-5747, a guest's way to write into the VMM; later lines have none of it."""
CLOCK_REALTIME = Version(1, 16, 0)
"""From here on a restored machine's clock can be set forward as it is loaded."""


def parse(text: str) -> Version | None:
    """The version in `text`, which is what `--version` or the API says; None when there is none."""
    found = _SHAPE.search(text[:4096])
    if found is None:
        return None
    major, minor, patch, suffix = found.groups()
    return Version(int(major), int(minor), int(patch), suffix is None)


def allowed(version: Version) -> bool:
    """True when no known hole is open in it."""
    for floor in FLOORS:
        if version[:2] == floor[:2]:
            return version >= floor
    return version >= FLOORS[-1]


def wanted() -> str:
    """Words for the versions that are allowed."""
    return f"at least {' or '.join(str(each) for each in FLOORS)}"
