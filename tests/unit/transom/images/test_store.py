from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom.images import manifest
from transom.images.errors import ImageError
from transom.images.manifest import Manifest
from transom.images.store import ImageStore, default_folder

ONE = Manifest(
    version=1,
    digest="sha256-" + "1" * 64,
    recipe="r1",
    suite="trixie",
    architecture="x64",
    built_at=1,
    size=5,
    files=1,
    packages={"xterm": "400-1"},
    tools={},
    landmarks={"usr/bin/x": 5},
)
TWO = replace(ONE, digest="sha256-" + "2" * 64, recipe="r2", built_at=2)


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    return ImageStore(tmp_path / "images")


def add(store: ImageStore, found: Manifest) -> Path:
    with store.building(lambda: None) as work:
        built = work / "image"
        (built / "root/usr/bin").mkdir(parents=True)
        (built / "root/usr/bin/x").write_text("12345")
        store.add(built, found)
    return store.folder / found.digest


def test_an_empty_store(store: ImageStore) -> None:
    assert store.current() is None
    assert list(store.list()) == []
    assert store.built_from("r1") is None
    with pytest.raises(ImageError) as caught:
        store.root(ONE.digest)
    assert caught.value.mend == "transom image build"


def test_images_are_listed_newest_first_and_one_is_used(store: ImageStore) -> None:
    add(store, ONE)
    add(store, TWO)
    assert list(store.list()) == [TWO, ONE]
    assert store.built_from("r1") == ONE.digest
    store.use(ONE.digest)
    assert store.current() == ONE.digest
    assert (store.root(ONE.digest) / "usr/bin/x").read_text() == "12345"


def test_everybody_may_read_what_the_store_holds(store: ImageStore) -> None:
    folder = add(store, ONE)
    assert folder.stat().st_mode & 0o055 == 0o055
    assert (folder / "manifest.json").stat().st_mode & 0o044 == 0o044


def test_the_same_image_twice_stays_one(store: ImageStore) -> None:
    add(store, ONE)
    add(store, replace(ONE, recipe="r9"))
    assert len(store.list()) == 1
    assert store.built_from("r1") == store.built_from("r9") == ONE.digest


def test_a_broken_image_is_refused_everywhere_and_replaced_by_a_build(store: ImageStore) -> None:
    folder = add(store, ONE)
    (folder / "root/usr/bin/x").write_text("1234")
    for refused in (store.use, store.root, store.manifest):
        with pytest.raises(ImageError, match="broken"):
            refused(ONE.digest)
    assert list(store.list()) == []
    assert store.built_from("r1") is None
    add(store, ONE)
    assert store.root(ONE.digest)


def test_an_image_without_a_manifest_is_refused(store: ImageStore) -> None:
    (add(store, ONE) / "manifest.json").unlink()
    with pytest.raises(ImageError, match="no readable manifest"):
        store.root(ONE.digest)


def test_a_manifest_in_another_images_folder_is_refused(store: ImageStore) -> None:
    add(store, ONE).rename(store.folder / TWO.digest)
    with pytest.raises(ImageError, match="another image's"):
        store.root(TWO.digest)


@pytest.mark.parametrize("digest", ["", "..", "../../etc", "sha256-xyz", "sha256-" + "1" * 63, "current"])
def test_what_is_no_digest_never_reaches_a_path(store: ImageStore, digest: str) -> None:
    for refused in (store.root, store.use, store.remove):
        with pytest.raises(ImageError):
            refused(digest)
    store.folder.mkdir()
    (store.folder / "current").write_text(digest)
    assert store.current() is None


def test_removing(store: ImageStore) -> None:
    add(store, ONE)
    add(store, TWO)
    store.use(TWO.digest)
    with pytest.raises(ImageError, match="current"):
        store.remove(TWO.digest)
    store.remove(ONE.digest)
    assert list(store.list()) == [TWO]
    assert sorted(path.name for path in store.folder.glob("*-*")) == [TWO.digest]


def test_a_broken_build_leaves_no_work(store: ImageStore) -> None:
    with pytest.raises(KeyboardInterrupt), store.building(lambda: None) as work:
        (work / "half").mkdir()
        raise KeyboardInterrupt
    assert not work.exists()


def test_a_second_builder_is_told_to_wait(store: ImageStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transom.images.store.LOCK_DEADLINE", 0.0)
    waited: list[bool] = []
    with store.building(lambda: None) as work:
        (work / "mine").touch()
        with pytest.raises(ImageError, match="another build"), store.building(lambda: waited.append(True)):
            pass
        assert waited == [True]
        assert (work / "mine").exists()


def test_default_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert default_folder() == Path("/var/cache/transom/images")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_CACHE_HOME", "/home/a/cache")
    assert default_folder() == Path("/home/a/cache/transom/images")


def test_a_manifest_comes_back_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(manifest.dump(ONE))
    assert manifest.load(tmp_path / "manifest.json") == ONE


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


@given(st.sampled_from(sorted(json.loads(manifest.dump(ONE)))), values)
def test_a_manifest_with_anything_in_it_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, field: str, value: object
) -> None:
    path = tmp_path_factory.getbasetemp() / "manifest.json"
    path.write_text(json.dumps({**json.loads(manifest.dump(ONE)), field: value}))
    try:
        found = manifest.load(path)
    except ImageError:
        return
    assert manifest.DIGEST.fullmatch(found.digest)
    assert all(isinstance(size, int) for size in found.landmarks.values())


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b" " * (manifest.LIMIT + 1)])
def test_what_is_no_manifest(tmp_path: Path, body: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(body)
    with pytest.raises(ImageError):
        manifest.load(tmp_path / "manifest.json")
