from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom.images.debian import Package
from transom.images.sbom import Item, debian, declared, document, npm

COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Files: *
License: GPL-2+
Files: debian/*
License: Expat
License: GPL-2+
 On Debian systems, the full text is elsewhere.
License: custom-words
"""
XTERM = Package("xterm", "1:400+deb~1", "amd64", (), homepage="https://x.invalid")
EXPRESSION = re.compile(r"NOASSERTION|[A-Za-z0-9.-]+( AND [A-Za-z0-9.-]+)*")


@pytest.fixture
def copyright_file(tmp_path: Path) -> Path:
    (tmp_path / "copyright").write_text(COPYRIGHT)
    return tmp_path / "copyright"


def made(*items: Item) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        document(items, suite="trixie", architecture="x64", root_digest="sha256-0")
    )
    return found


def test_a_debian_package(copyright_file: Path) -> None:
    found = made(debian(XTERM, "trixie", copyright_file))
    package = found["packages"][1]
    assert package["versionInfo"] == "1:400+deb~1"
    assert package["licenseDeclared"] == "GPL-2.0-or-later AND MIT AND LicenseRef-debian-custom-words"
    assert package["externalRefs"][0]["referenceLocator"] == (
        "pkg:deb/debian/xterm@1%3A400%2Bdeb~1?arch=amd64&distro=trixie"
    )
    assert [each["licenseId"] for each in found["hasExtractedLicensingInfos"]] == [
        "LicenseRef-debian-custom-words"
    ]


def test_an_npm_package_under_another_name() -> None:
    about = {"name": "@openai/codex", "version": "1.2.3-linux-x64", "license": "Apache-2.0", "homepage": {}}
    item = npm("@openai/codex-linux-x64", about)
    assert (item.name, item.version) == ("@openai/codex-linux-x64", "1.2.3-linux-x64")
    assert item.purl == "pkg:npm/%40openai/codex@1.2.3-linux-x64"
    assert item.licences == ("Apache-2.0",)


def test_a_licence_in_words_is_a_reference_to_the_words() -> None:
    found = made(npm("claude", {"version": "1", "license": "SEE LICENSE IN README.md"}))
    assert found["packages"][1]["licenseDeclared"] == "LicenseRef-npm-SEE-LICENSE-IN-README.md"
    assert "SEE LICENSE IN README.md" in found["hasExtractedLicensingInfos"][0]["extractedText"]


@pytest.mark.parametrize("text", ["", "GPL", "License: GPL-2\n", "This is free software\nLicense: MIT"])
def test_nothing_is_guessed_from_free_text(text: str) -> None:
    assert declared(text) == ()


def test_no_copyright_file(tmp_path: Path) -> None:
    assert debian(XTERM, "trixie", tmp_path / "none").licences == ()


def test_the_same_items_in_any_order_make_the_same_document(copyright_file: Path) -> None:
    one, two = debian(XTERM, "trixie", copyright_file), npm("a", {"version": "1", "license": "MIT"})
    assert made(one, two) == made(two, one)


def test_what_spdx_demands_is_there() -> None:
    found = made(npm("@a/b", {"version": "1"}), npm("c", {"version": 2, "license": {"type": "MIT"}}))
    assert found["spdxVersion"] == "SPDX-2.3"
    assert found["dataLicense"] == "CC0-1.0"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", found["creationInfo"]["created"])
    assert "#" not in found["documentNamespace"]
    ids = [package["SPDXID"] for package in found["packages"]]
    assert len(set(ids)) == len(ids)
    related = {(each["relationshipType"], each["relatedSpdxElement"]) for each in found["relationships"]}
    assert ("DESCRIBES", "SPDXRef-image") in related
    assert {each for how, each in related if how == "CONTAINS"} == set(ids[1:])
    for package in found["packages"]:
        assert {"name", "SPDXID", "downloadLocation", "licenseDeclared", "copyrightText"} <= package.keys()


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=200))
def test_any_names_and_licences_make_a_well_formed_document(name: str, licence: str, text: str) -> None:
    item = npm(name, {"version": text[:10], "license": licence})
    found = made(item, Item(name, "1", "pkg:deb/x", declared("Format: 1\n" + text)))
    for package in found["packages"]:
        assert re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", package["SPDXID"])
        assert EXPRESSION.fullmatch(package["licenseDeclared"])
