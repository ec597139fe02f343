"""sbom.spdx.json: what is in an image, as SPDX 2.3 says it (spdx.github.io/spdx-spec/v2.3).

Licences are what the packages' own copyright files declare. What is not on SPDX's list gets a `LicenseRef-`
that names Debian's or npm's word for it; nothing is guessed.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from transom.images import tree
from transom.images.debian import Package

NAME = "sbom.spdx.json"
UNKNOWN = "NOASSERTION"
DEBIAN, NPM = "debian", "npm"
COPYRIGHT_LIMIT = 1024 * 1024
"""Bytes of a copyright file that are read; Chromium's is the longest."""
LICENCE = re.compile(r"^License:[ \t]*([A-Za-z0-9][A-Za-z0-9.+_-]{0,60})[ \t]*$", re.MULTILINE)
_SAME = (
    *("Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "ISC", "MIT", "MPL-1.1", "MPL-2.0"),
    *("OFL-1.1", "Unlicense", "Zlib"),
)
_GNU = {"gpl": ("1", "2", "3"), "lgpl": ("2", "2.1", "3")}
SPDX = {
    **{name.lower(): name for name in _SAME},
    "expat": "MIT",
    "apache-2": "Apache-2.0",
    "psf-2": "PSF-2.0",
    "artistic": "Artistic-1.0-Perl",
    **{
        f"{kind}-{number}{written}{later}": f"{kind.upper()}-{number if '.' in number else number + '.0'}-{word}"
        for kind, numbers in _GNU.items()
        for number in numbers
        for written in ("", ".0")
        for later, word in (("", "only"), ("+", "or-later"))
        if not (written and "." in number)
    },
}
"""Debian's short name, in lower case -> SPDX's."""


@dataclass(frozen=True, slots=True)
class Item:
    """One package as the document lists it."""

    name: str
    version: str
    purl: str
    licences: tuple[str, ...] = ()
    """SPDX identifiers, or words of its own kind."""
    homepage: str = ""
    kind: str = DEBIAN


def document(items: Iterable[Item], *, suite: str, architecture: str, root_digest: str) -> str:
    """The document as indented JSON; the same for the same content."""
    listed = sorted(items, key=lambda item: item.purl)
    references: dict[str, str] = {}
    packages = [_package(number, item, references) for number, item in enumerate(listed, start=1)]
    image = {
        "SPDXID": "SPDXRef-image",
        "name": "transom-image",
        "versionInfo": root_digest,
        "downloadLocation": UNKNOWN,
        "filesAnalyzed": False,
        "licenseConcluded": UNKNOWN,
        "licenseDeclared": UNKNOWN,
        "copyrightText": UNKNOWN,
        "primaryPackagePurpose": "OPERATING-SYSTEM",
    }
    created = datetime.datetime.fromtimestamp(tree.EPOCH, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    found = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"transom image, Debian {suite}, {architecture}",
        "documentNamespace": f"https://transom.invalid/spdx/{root_digest}",
        "creationInfo": {"created": created, "creators": ["Tool: transom"]},
        "packages": [image, *packages],
        "hasExtractedLicensingInfos": [
            {"licenseId": reference, "name": word, "extractedText": f"Named {word!r} by the package itself."}
            for reference, word in sorted(references.items())
        ],
        "relationships": [
            _relation("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-image"),
            *(_relation("SPDXRef-image", "CONTAINS", package["SPDXID"]) for package in packages),
        ],
    }
    return json.dumps(found, indent=1) + "\n"


def debian(package: Package, suite: str, copyright_file: Path) -> Item:
    """A Debian package, its licences read from its copyright file when that can be read by a machine."""
    purl = f"pkg:deb/debian/{package.name}@{quote(package.version, safe='')}"
    purl += f"?arch={quote(package.architecture)}&distro={quote(suite)}"
    try:
        with copyright_file.open("rb") as file:
            text = file.read(COPYRIGHT_LIMIT).decode(errors="replace")
    except OSError:
        text = ""
    return Item(package.name, package.version, purl, declared(text), package.homepage)


def npm(name: str, about: Mapping[str, object]) -> Item:
    """An npm package, from its package.json."""
    version = str(about.get("version", ""))
    licence = about.get("license")
    words = (licence,) if isinstance(licence, str) and licence else ()
    homepage = about.get("homepage")
    registered = about.get("name")  # an alias's folder has another name
    known = registered if isinstance(registered, str) else name
    return Item(
        name=name,
        version=version,
        purl=f"pkg:npm/{quote(known, safe='/')}@{quote(version, safe='')}",
        licences=words,
        homepage=homepage if isinstance(homepage, str) else "",
        kind=NPM,
    )


def declared(text: str) -> tuple[str, ...]:
    """The licences a machine-readable Debian copyright file names; none when it is not one."""
    if not text.lstrip().startswith("Format:"):
        return ()
    return tuple(sorted({SPDX.get(word.lower(), word) for word in LICENCE.findall(text)}))


def _package(number: int, item: Item, references: dict[str, str]) -> dict[str, object]:
    licence = " AND ".join(_licence(word, item.kind, references) for word in item.licences) or UNKNOWN
    reference = {
        "referenceCategory": "PACKAGE-MANAGER",
        "referenceType": "purl",
        "referenceLocator": item.purl,
    }
    found: dict[str, object] = {
        "SPDXID": f"SPDXRef-{number}-{re.sub('[^A-Za-z0-9.-]', '-', item.name)}",
        "name": item.name,
        "versionInfo": item.version,
        "downloadLocation": UNKNOWN,
        "filesAnalyzed": False,
        "licenseConcluded": UNKNOWN,
        "licenseDeclared": licence,
        "copyrightText": UNKNOWN,
        "externalRefs": [reference],
    }
    if item.homepage:
        found["homepage"] = item.homepage
    return found


def _licence(word: str, kind: str, references: dict[str, str]) -> str:
    if word in SPDX.values():
        return word
    reference = f"LicenseRef-{kind}-{re.sub('[^A-Za-z0-9.-]+', '-', word).strip('-') or 'unnamed'}"
    references.setdefault(reference, word)
    return reference


def _relation(subject: str, how: str, other: object) -> dict[str, object]:
    return {"spdxElementId": subject, "relationshipType": how, "relatedSpdxElement": other}
