"""What dpkg's own files in a root say: which packages, what they need, how large they are."""

from __future__ import annotations

import re
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from transom.images.errors import ImageError
from transom.images.manifest import Layer
from transom.images.recipe import BASE

STATUS, INFO = "var/lib/dpkg/status", "var/lib/dpkg/info"
NAME = re.compile(r"[a-z0-9][a-z0-9+.-]*")
SHARED = "shared"
"""Not a layer: what two layers or more need, and the base does not."""
ALWAYS = ("required", "important")


@dataclass(frozen=True, slots=True)
class Package:
    """An installed package."""

    name: str
    version: str
    architecture: str
    needs: tuple[tuple[str, ...], ...]
    """Each of these, by any of its names."""
    provides: tuple[str, ...] = ()
    always: bool = False
    """There whatever anybody asks for."""
    homepage: str = ""
    source: str = ""


def installed(status: str) -> dict[str, Package]:
    """Parse dpkg's status: name -> package, of those that are installed."""
    found = {}
    for fields in _stanzas(status):
        if fields.get("Status", "").endswith(" installed") and NAME.fullmatch(fields.get("Package", "")):
            found[fields["Package"]] = _package(fields)
    return found


def described(fields: str) -> Package:
    """Parse one package's own fields. Raises ImageError."""
    found = next(_stanzas(fields), {})
    if not NAME.fullmatch(found.get("Package", "")):
        raise ImageError("that is not a Debian package", mend="remove the cache and build again")
    return _package(found)


def closure(wanted: Iterable[str], packages: Mapping[str, Package]) -> set[str]:
    """`wanted` and everything they need, of what is installed."""
    providers: dict[str, list[str]] = {}
    for package in packages.values():
        for name in (package.name, *package.provides):
            providers.setdefault(name, []).append(package.name)
    found: set[str] = set()
    pending = [name for name in wanted if name in packages]
    while pending:
        name = pending.pop()
        if name in found:
            continue
        found.add(name)
        for choices in packages[name].needs:
            pending += [provider for choice in choices for provider in providers.get(choice, ())]
    return found


def by_layer(layers: Mapping[str, Collection[str]], packages: Mapping[str, Package]) -> dict[str, set[str]]:
    """Layer -> the packages that only it needs; `base` has what is always there, SHARED the rest."""
    base = closure([*layers[BASE], *(name for name, each in packages.items() if each.always)], packages)
    reached = {name: closure(names, packages) - base for name, names in layers.items() if name != BASE}
    own = {
        name: found - set().union(*(other for each, other in reached.items() if each != name))
        for name, found in reached.items()
    }
    rest = packages.keys() - base - set().union(*own.values())
    return {BASE: base, **own, SHARED: rest}


def layers(root: Path, wanted: Mapping[str, Collection[str]]) -> dict[str, Layer]:
    """Layer -> what it adds to `root`, in Debian packages. Raises OSError."""
    packages = installed((root / STATUS).read_text(errors="replace"))
    return {
        name: Layer(len(names), sum(size(root, each) for each in names))
        for name, names in by_layer(wanted, packages).items()
    }


def size(root: Path, package: str) -> int:
    """Bytes of the package's files that are in `root`."""
    total = 0
    for listed in sorted((root / INFO).glob(f"{package}.list")) or (root / INFO).glob(f"{package}:*.list"):
        for line in listed.read_text(errors="replace").splitlines():
            try:
                status = (root / line.lstrip("/")).lstat()
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode):
                total += status.st_size
    return total


def _stanzas(status: str) -> Iterator[dict[str, str]]:
    for stanza in status.split("\n\n"):
        fields: dict[str, str] = {}
        for line in stanza.splitlines():
            name, colon, value = line.partition(":")
            if colon and not line.startswith((" ", "\t")):
                fields[name] = value.strip()
        if fields:
            yield fields


def _package(fields: Mapping[str, str]) -> Package:
    needs = (fields.get(name, "") for name in ("Pre-Depends", "Depends"))
    return Package(
        name=fields["Package"],
        version=fields.get("Version", ""),
        architecture=fields.get("Architecture", ""),
        needs=tuple(tuple(_names(choice)) for text in needs for choice in text.split(",") if choice.strip()),
        provides=tuple(_names(fields.get("Provides", "").replace(",", "|"))),
        always=fields.get("Essential") == "yes" or fields.get("Priority") in ALWAYS,
        homepage=fields.get("Homepage", ""),
        source=fields.get("Source", "").split(" ")[0],
    )


def _names(choices: str) -> Iterator[str]:
    """The names in `libc6 (>= 2.36) | musl:any`."""
    for choice in choices.split("|"):
        match = NAME.match(choice.strip())
        if match:
            yield match[0]
