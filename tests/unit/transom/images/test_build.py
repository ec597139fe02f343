from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from tests.unit.transom.images.conftest import Workshop
from tests.unit.transom.images.recipes import LINUX, calls
from transom.images.build import STEPS, Progress, build, check
from transom.images.configure import UNREPEATABLE, hidden
from transom.images.errors import ImageError
from transom.images.recipe import load
from transom.images.store import ImageStore


def built_root(workshop: Workshop) -> Path:
    return workshop.store.root(build(workshop.recipe, workshop.store))


def test_a_build_makes_one_image_and_it_is_current(workshop: Workshop) -> None:
    seen: list[Progress] = []
    digest = build(workshop.recipe, workshop.store, seen.append)
    assert workshop.store.current() == digest
    assert [item.digest for item in workshop.store.list()] == [digest]
    ends = [report.step for report in seen if report.seconds is not None]
    assert tuple(ends) == STEPS
    assert all(0 <= report.fraction <= 1 for report in seen)
    manifest = workshop.store.manifest(digest)
    assert manifest.packages == {
        "ca-certificates": "1",
        "libc6": "2.41-1",
        "libx11-6": "2:1.8",
        "xterm": "400-1",
        "busybox-static": "1:1.37-6",
        LINUX: "6.1-1",
    }
    assert manifest.tools == {"claude": "1.2.3"}
    assert manifest.size > 0
    assert set(manifest.parts) == {"root", "rootfs.squashfs", "vmlinux", "initramfs.cpio", "sbom.spdx.json"}
    assert manifest.layers["desktop"].packages == 2
    workshop.store.check(digest)


def test_the_second_build_touches_nothing(workshop: Workshop) -> None:
    first = build(workshop.recipe, workshop.store)
    before = calls(workshop.tools)
    seen: list[Progress] = []
    assert build(workshop.recipe, workshop.store, seen.append) == first
    assert calls(workshop.tools) == before
    assert seen == []


def test_the_root_is_transoms(workshop: Workshop) -> None:
    root = built_root(workshop)
    assert (root / "etc/hostname").read_text() == "desktop\n"
    assert (root / "etc/resolv.conf").read_text() == ""
    assert (root / "etc/machine-id").read_text() == ""
    assert "user:x:1000:1000::/home/user:" in (root / "etc/passwd").read_text()
    assert "user:!:" in (root / "etc/shadow").read_text()
    assert not (root / "var/log/dpkg.log").exists()
    assert not (root / "dev/null").exists()
    assert not (root / "usr/share/python3/__pycache__").exists()
    assert (root / "usr/bin/xdg-open").readlink() == Path("/usr/local/bin/xdg-open")
    assert (root / "usr/local/bin/x-www-browser").readlink() == Path("xdg-open")
    assert stat.S_IMODE((root / "usr/local/bin/xdg-open").stat().st_mode) == 0o755
    assert (root / "usr/local/bin/codex").readlink() == Path("/opt/cli/node_modules/@openai/codex/bin/codex")
    assert not (root / "opt/cli/node_modules/claude/junk").exists()
    assert stat.S_IMODE(root.stat().st_mode) == 0o755
    assert (root / "opt/transom").is_dir()


def test_a_changed_overlay_builds_again_but_not_the_bootstrap(workshop: Workshop) -> None:
    first = build(workshop.recipe, workshop.store)
    (workshop.recipe / "overlay/etc/transom/openbox/rc.xml").write_text("<y/>")
    second = build(workshop.recipe, workshop.store)
    assert second != first
    assert workshop.store.current() == second
    assert calls(workshop.tools).count("mmdebstrap") == 1
    assert calls(workshop.tools).count("npm") == 2
    assert workshop.store.root(first).is_dir()


def test_changed_packages_bootstrap_again_and_the_old_tarball_goes(workshop: Workshop) -> None:
    build(workshop.recipe, workshop.store)
    (workshop.recipe / "packages/more.txt").write_text("less\n")
    build(workshop.recipe, workshop.store)
    assert calls(workshop.tools).count("mmdebstrap") == 2
    assert (
        "--include=ca-certificates,git,gstreamer1.0-tools,less,systemd,xterm"
        in (workshop.tools / "mmdebstrap.args").read_text()
    )
    assert len(list((workshop.store.folder / "cache").iterdir())) == 1


def test_no_mirror_is_named_unless_asked_for(workshop: Workshop) -> None:
    build(workshop.recipe, workshop.store)
    assert "://" not in (workshop.tools / "mmdebstrap.args").read_text()
    build(workshop.recipe, workshop.store, mirror="http://mirror.example/debian", suite="sid")
    assert (workshop.tools / "mmdebstrap.args").read_text().split()[-1] == "http://mirror.example/debian"


@pytest.mark.parametrize("broken", ["mmdebstrap", "npm", "bwrap", "dpkg-deb", "mksquashfs"])
def test_an_interrupted_build_shows_nothing_and_the_next_one_succeeds(
    workshop: Workshop, broken: str
) -> None:
    switch = workshop.tools / f"fail-{broken}"
    switch.touch()
    with pytest.raises(ImageError) as caught:
        build(workshop.recipe, workshop.store)
    assert "exit 9" in caught.value.message
    assert caught.value.mend
    assert workshop.store.list() == []
    assert workshop.store.current() is None
    assert not (workshop.store.folder / "work").exists()
    switch.unlink()
    assert build(workshop.recipe, workshop.store) == workshop.store.current()
    assert calls(workshop.tools).count("mmdebstrap") == (2 if broken == "mmdebstrap" else 1)


def test_what_a_killed_build_left_is_cleared(workshop: Workshop) -> None:
    closed = workshop.store.folder / "work" / "image" / "root" / "closed"
    closed.mkdir(parents=True)
    (closed / "file").touch()
    closed.chmod(0o500)
    build(workshop.recipe, workshop.store)
    assert not (workshop.store.folder / "work").exists()


def test_a_root_that_is_not_right_is_not_sealed(workshop: Workshop) -> None:
    overlay = workshop.recipe / "overlay/root"
    overlay.mkdir()
    (overlay / "x").touch()
    sshd = workshop.recipe / "overlay/usr/sbin/sshd"
    sshd.parent.mkdir()
    sshd.touch()
    with pytest.raises(ImageError, match="sshd must not be there"):
        build(workshop.recipe, workshop.store)
    assert workshop.store.list() == []


def test_two_builds_at_once_make_one_image(workshop: Workshop) -> None:
    found: list[str] = []
    waited = threading.Event()

    def second() -> None:
        found.append(build(workshop.recipe, workshop.store, lambda report: waited.set()))

    with workshop.store.building(lambda: None):
        other = threading.Thread(target=second)
        other.start()
        assert waited.wait(10)
        assert workshop.store.list() == []
    found.append(build(workshop.recipe, workshop.store))
    other.join(20)
    assert len(set(found)) == 1
    assert calls(workshop.tools).count("mmdebstrap") == 1


def test_missing_tools_are_named_with_their_mend(workshop: Workshop) -> None:
    (workshop.tools / "npm").unlink()
    (workshop.tools / "bwrap").unlink()
    with pytest.raises(ImageError) as caught:
        build(workshop.recipe, workshop.store)
    assert caught.value.message == "not installed: bubblewrap, npm"
    assert "squashfs-tools" not in caught.value.mend
    assert "apt-get install" in caught.value.mend
    assert calls(workshop.tools) == []


def test_a_full_disk_is_seen_before_anything_is_done(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transom.images.build.SPACE", 2**62)
    with pytest.raises(ImageError, match="GiB free"):
        check(load(workshop.recipe), workshop.store.folder)


def test_a_store_that_cannot_be_made(workshop: Workshop) -> None:
    with pytest.raises(ImageError) as caught:
        build(workshop.recipe, ImageStore(workshop.tools / "npm" / "images"))
    assert "TRANSOM_IMAGES" in caught.value.mend


def test_no_machine_has_programs_that_change_who_runs_them(workshop: Workshop) -> None:
    assert stat.S_IMODE((built_root(workshop) / "usr/bin/su").stat().st_mode) == 0o755


def test_the_day_of_the_build_is_not_in_the_image(workshop: Workshop) -> None:
    shadow = (built_root(workshop) / "etc/shadow").read_text()
    assert [line.split(":")[2] for line in shadow.splitlines()] == ["20454", "20454"]


def test_debians_owners_reach_the_file_system(workshop: Workshop) -> None:
    build(workshop.recipe, workshop.store, ext4=True)
    assert (workshop.tools / "owners").read_text().splitlines() == [
        "etc/shadow m 644 0 42",
        "home/user m 755 1000 1000",
        "srv m 755 0 50",
    ]
    commands = (workshop.tools / "debugfs.commands").read_text().splitlines()
    assert "set_inode_field /home/user uid 1000" in commands
    assert "set_inode_field /srv gid 50" in commands


def test_layers_can_be_left_out(workshop: Workshop) -> None:
    digest = build(workshop.recipe, workshop.store, without=("vm", "cli", "gstreamer"))
    assert not {"npm", "dpkg-deb", "mksquashfs"} & set(calls(workshop.tools))
    assert "--include=ca-certificates,xterm" in (workshop.tools / "mmdebstrap.args").read_text()
    assert set(workshop.store.manifest(digest).parts) == {"root", "sbom.spdx.json"}
    whole = build(workshop.recipe, workshop.store)
    assert whole != digest
    assert workshop.store.current() == whole


def test_an_ext4_on_request(workshop: Workshop) -> None:
    digest = build(workshop.recipe, workshop.store, ext4=True)
    assert workshop.store.part(digest, "rootfs.ext4").read_text() == "ext4\n"


def test_kernel_and_initramfs_are_beside_the_root(workshop: Workshop) -> None:
    digest = build(workshop.recipe, workshop.store)
    assert workshop.store.part(digest, "vmlinux").read_bytes().startswith(b"\x7fELF")
    initramfs = workshop.store.part(digest, "initramfs.cpio").read_bytes()
    assert b"net_failover\nvirtio_net\n" in initramfs
    assert b"exec sh" in initramfs
    assert not (workshop.store.root(digest) / "transom-beside").exists()


def test_two_builds_make_one_digest(workshop: Workshop, tmp_path: Path) -> None:
    first = build(workshop.recipe, workshop.store)
    second = build(workshop.recipe, ImageStore(tmp_path / "other"))
    assert first == second


def test_what_was_rolled_back_from_does_not_return_by_a_build(workshop: Workshop) -> None:
    first = build(workshop.recipe, workshop.store)
    (workshop.recipe / "overlay/etc/transom/openbox/rc.xml").write_text("<y/>")
    second = build(workshop.recipe, workshop.store)
    assert workshop.store.rollback() == first
    assert build(workshop.recipe, workshop.store) == second
    assert workshop.store.current() == first
    workshop.store.use(second)
    assert workshop.store.current() == second


def test_the_fetched_packages_are_asked_for_by_this_architecture(workshop: Workshop) -> None:
    build(workshop.recipe, workshop.store)
    said = (workshop.tools / "mmdebstrap.args").read_text()
    assert (
        "for name in busybox-static linux-a; do" in said or "for name in busybox-static linux-b; do" in said
    )
    assert r"s/^ *Depends: \(linux-image-[^ ]*\)$/\1/p" in said
    assert r"-printf '%m %U %G %P\0' >transom-beside/owners" in said


def test_what_no_build_repeats_is_hidden_from_the_caches_and_comes_back(tmp_path: Path) -> None:
    modules = tmp_path / "usr/lib/x86_64-linux-gnu/gio/modules"
    modules.mkdir(parents=True)
    (modules / "x.so").touch()
    with pytest.raises(KeyboardInterrupt), hidden(tmp_path, UNREPEATABLE):
        assert not modules.exists()
        raise KeyboardInterrupt
    assert (modules / "x.so").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["usr"]
