from __future__ import annotations

import fcntl
import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom.images import manifest, tree
from transom.images.errors import ImageError
from transom.images.manifest import Layer, Manifest, Part, identity
from transom.images.store import ImageStore, default_folder


def fill(built: Path, kernel: str) -> dict[str, Part]:
    """A small image's files in `built`; their digests."""
    (built / "root/usr/bin").mkdir(parents=True)
    (built / "root/usr/bin/x").write_text("12345")
    (built / "vmlinux").write_text(kernel)
    root, size, _ = tree.digest(built / "root")
    return {"root": Part(root, size), "vmlinux": Part(tree.file_digest(built / "vmlinux"), len(kernel))}


def described(kernel: str, built_at: int) -> Manifest:
    with tempfile.TemporaryDirectory() as folder:
        parts = fill(Path(folder) / "image", kernel)
    return Manifest(
        version=2,
        digest=identity(parts),
        recipe=f"r{built_at}",
        suite="trixie",
        architecture="x64",
        built_at=built_at,
        size=5,
        files=1,
        packages={"xterm": "400-1"},
        tools={},
        landmarks={"usr/bin/x": 5},
        parts=parts,
        layers={"base": Layer(1, 5)},
    )


KERNELS = {1: "linux one", 2: "linux two", 3: "linux three"}
ONE, TWO, THREE = (described(kernel, number) for number, kernel in KERNELS.items())
OLD = {
    "version": 1,
    "digest": "sha256-" + "0" * 64,
    "recipe": "old",
    "suite": "trixie",
    "architecture": "x64",
    "built_at": 0,
    "size": 5,
    "files": 1,
    "packages": {},
    "tools": {},
    "landmarks": {"usr/bin/x": 5},
}
"""As the first version of transom wrote it: a root alone, named by the root's digest."""


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    return ImageStore(tmp_path / "images")


def add(store: ImageStore, found: Manifest) -> Path:
    with store.building(lambda: None) as work:
        built = work / "image"
        fill(built, KERNELS[found.built_at])
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
    assert sorted(path.name for path in store.folder.glob("*sha256-*")) == [TWO.digest]


def test_what_a_killed_removal_left_goes_with_the_next_and_nobody_else_s(
    store: ImageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(folder: Path) -> None:
        raise KeyboardInterrupt

    for found in (ONE, TWO, THREE):
        add(store, found)
    for found in (ONE, TWO):
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(tree, "remove", killed)
            store.remove(found.digest)
    first, second = sorted(store.folder.glob("removed-*"))
    at_it = os.open(first, os.O_RDONLY)
    fcntl.flock(at_it, fcntl.LOCK_EX)
    try:
        store.sweep()
        assert first.exists() and not second.exists()
    finally:
        os.close(at_it)
    store.remove(THREE.digest)
    assert list(store.folder.glob("removed-*")) == []


def test_who_removes_an_image_holds_it_until_it_is_gone(
    store: ImageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a sweep would be at the same files."""
    add(store, ONE)
    remove, seen = tree.remove, list[bool]()

    def slow(folder: Path) -> None:
        seen.append(store.in_use(folder.name))
        remove(folder)

    monkeypatch.setattr(tree, "remove", slow)
    store.remove(ONE.digest)
    assert seen == [True]


def test_what_a_machine_holds_is_not_removed(store: ImageStore) -> None:
    folder = add(store, ONE)
    keeper = os.open(folder, os.O_RDONLY)
    fcntl.flock(keeper, fcntl.LOCK_SH)
    try:
        assert store.in_use(ONE.digest)
        with pytest.raises(ImageError, match="machines use"):
            store.remove(ONE.digest)
        assert store.root(ONE.digest)
    finally:
        os.close(keeper)
    assert not store.in_use(ONE.digest)
    store.remove(ONE.digest)
    assert list(store.list()) == []


def test_a_broken_image_that_a_machine_holds_is_not_replaced_under_it(store: ImageStore) -> None:
    folder = add(store, ONE)
    (folder / "vmlinux").write_text("short")
    keeper = os.open(folder, os.O_RDONLY)
    fcntl.flock(keeper, fcntl.LOCK_SH)
    try:
        with pytest.raises(ImageError, match="machines use"):
            add(store, ONE)
        assert (folder / "vmlinux").read_text() == "short"
    finally:
        os.close(keeper)
    add(store, ONE)
    assert store.root(ONE.digest)


def test_what_was_removed_while_it_was_checked_is_not_chosen(
    store: ImageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(store, ONE)
    monkeypatch.setattr(store, "check", lambda digest: store.remove(digest))
    with pytest.raises(ImageError, match="gone"):
        store.use(ONE.digest)
    assert store.current() is None


def test_a_rollback_goes_back_step_by_step(store: ImageStore) -> None:
    for found in (ONE, TWO, THREE):
        add(store, found)
        store.use(found.digest)
    assert store.rollback() == store.current() == TWO.digest
    assert store.rolled_back() == [THREE.digest]
    assert store.rollback() == store.current() == ONE.digest
    with pytest.raises(ImageError, match="no earlier image"):
        store.rollback()
    assert store.current() == ONE.digest
    store.use(THREE.digest)
    assert store.rolled_back() == [TWO.digest]
    assert store.rollback() == ONE.digest


def test_a_rollback_leaves_live_sessions_their_image(store: ImageStore) -> None:
    """New machines start from the older one; what runs goes on, and a session's second machine is of its own image."""
    for found in (ONE, TWO):
        folder = add(store, found)
        store.use(found.digest)
    keeper = os.open(folder, os.O_RDONLY)
    fcntl.flock(keeper, fcntl.LOCK_SH)
    try:
        assert store.rollback() == store.current() == ONE.digest
        assert store.root(TWO.digest).is_dir() and store.part(TWO.digest, "vmlinux").is_file()
        with pytest.raises(ImageError, match="machines use"):
            store.remove(TWO.digest)
    finally:
        os.close(keeper)
    assert store.current() == ONE.digest and TWO in store.list()


def test_a_rollback_skips_what_is_no_longer_whole(store: ImageStore) -> None:
    for found in (ONE, TWO, THREE):
        add(store, found)
        store.use(found.digest)
    (store.folder / TWO.digest / "vmlinux").write_text("?" * len(KERNELS[2]))
    assert store.rollback() == ONE.digest


@pytest.mark.parametrize("changed", ["vmlinux", "root/usr/bin/x"])
def test_an_image_with_other_content_of_the_same_size_is_refused(store: ImageStore, changed: str) -> None:
    path = add(store, ONE) / changed
    path.write_text("?" * path.stat().st_size)
    for refused in (store.check, store.use):
        with pytest.raises(ImageError, match="built"):
            refused(ONE.digest)
    assert store.current() is None


def test_a_part_is_read_once_and_again_when_it_changes(store: ImageStore) -> None:
    path = add(store, ONE) / "vmlinux"
    assert store.part(ONE.digest, "vmlinux").read_text() == "linux one"
    assert store.part(ONE.digest, "vmlinux") == path
    path.write_text("linux eno")
    with pytest.raises(ImageError, match="not as it was built"):
        store.part(ONE.digest, "vmlinux")


def test_parts_that_are_not_there(store: ImageStore) -> None:
    add(store, ONE)
    for name in ("rootfs.ext4", "root", "../x"):
        with pytest.raises(ImageError, match="has no"):
            store.part(ONE.digest, name)


def test_an_image_of_the_first_version_is_listed_and_used(store: ImageStore) -> None:
    folder = store.folder / "work"
    fill(folder, "")
    (folder / "vmlinux").unlink()
    digest, _, _ = tree.digest(folder / "root")
    (folder / "manifest.json").write_text(json.dumps({**OLD, "digest": digest}))
    folder.rename(store.folder / digest)
    add(store, ONE)
    assert [found.digest for found in store.list()] == [ONE.digest, digest]
    store.use(digest)
    assert store.current() == digest
    with pytest.raises(ImageError, match="no vmlinux"):
        store.part(digest, "vmlinux")


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


def test_a_manifest_whose_parts_are_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(manifest.dump(replace(ONE, parts=TWO.parts)))
    with pytest.raises(ImageError):
        manifest.load(tmp_path / "manifest.json")


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
