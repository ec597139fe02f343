"""The golden image as `transom image verify` sees it: looked over, booted in a sandbox and in a machine."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from transom.cli.main import app
from transom.images.audit import audit
from transom.images.store import ImageStore, default_folder

ROOT = Path(__file__).parents[2]
SPDX_ID = re.compile(r"SPDXRef-[A-Za-z0-9.-]+")


@pytest.fixture(scope="module")
def store() -> ImageStore:
    """The store that new sessions start from."""
    return ImageStore(Path(os.environ.get("TRANSOM_IMAGES") or default_folder()))


@pytest.fixture(scope="module")
def digest(store: ImageStore) -> str:
    current = store.current()
    assert current is not None, "there is no golden image: transom image build"
    return current


def verified(tmp_path: Path, *words: str) -> tuple[int, dict[str, Any]]:
    said = CliRunner().invoke(app, ["image", "verify", "--json", "--state", str(tmp_path), *words])
    found: dict[str, Any] = json.loads(said.stdout)
    return said.exit_code, found


@pytest.mark.machine
def test_the_image_comes_up_in_a_sandbox_with_the_versions_that_are_pinned(tmp_path: Path) -> None:
    code, found = verified(tmp_path)
    assert found["wrong"] == []
    assert code == 0
    assert 0 < found["painted_ms"]["sandbox"] < 30_000
    pinned = json.loads((ROOT / "image/cli/package.json").read_text())["dependencies"]
    assert pinned["@openai/codex"] in found["versions"]["codex"]
    assert "GStreamer" in found["versions"]["gst-launch-1.0"]
    assert found["layers"]["gstreamer"]["bytes"] > 50 * 2**20
    assert found["parts"]["rootfs.squashfs"] < found["parts"]["root"]


@pytest.mark.vm
@pytest.mark.timeout(900)
def test_the_image_comes_up_in_a_machine_with_its_own_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSOM_ACCELERATOR", "tcg")
    code, found = verified(tmp_path, "--vm")
    assert found["wrong"] == []
    assert code == 0
    assert found["painted_ms"]["vm"] > 0


@pytest.mark.machine
def test_no_key_no_token_and_no_program_that_changes_who_runs_it(store: ImageStore, digest: str) -> None:
    assert audit(store.root(digest)) == []


@pytest.mark.machine
def test_the_bill_of_materials_names_all_that_is_in_it(store: ImageStore, digest: str) -> None:
    manifest = store.manifest(digest)
    found = json.loads(store.part(digest, "sbom.spdx.json").read_text())
    packages = {package["name"]: package for package in found["packages"][1:]}
    assert packages.keys() == manifest.packages.keys() | manifest.tools.keys()
    for name, version in {**manifest.packages, **manifest.tools}.items():
        assert packages[name]["versionInfo"] == version
        assert packages[name]["externalRefs"][0]["referenceLocator"].startswith(("pkg:deb/", "pkg:npm/"))
    assert all(SPDX_ID.fullmatch(package["SPDXID"]) for package in found["packages"])
    known = [package for package in packages.values() if package["licenseDeclared"] != "NOASSERTION"]
    assert len(known) > len(packages) / 2


@pytest.mark.machine
@pytest.mark.parametrize("language", ["ja", "ko", "zh-cn", "zh-tw"])
def test_pages_in_east_asian_scripts_have_their_letters(
    store: ImageStore, digest: str, language: str
) -> None:
    from transom.images.run import inside, run

    letters = {"ja": "3042", "ko": "ac00", "zh-cn": "4e2d", "zh-tw": "7063"}[language]
    said = run(inside(store.root(digest), ["fc-list", f":charset={letters}"]), deadline=60, mend="")
    assert "wqy-microhei" in said
