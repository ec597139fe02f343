from __future__ import annotations

import gzip
import lzma
from pathlib import Path

import pytest

from tests.unit.transom.images.elves import elf, module
from tests.unit.transom.images.test_cpio import records
from transom.images.errors import ImageError
from transom.images.initramfs import available, build, builtin, closure, needs, read


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """A kernel's modules: plain, xz and gzip; `virtio` is built in."""
    folder = tmp_path / "6.1"
    drivers = folder / "kernel/drivers"
    drivers.mkdir(parents=True)
    (drivers / "virtio_net.ko.xz").write_bytes(lzma.compress(module("net-failover,virtio")))
    (drivers / "net_failover.ko.gz").write_bytes(gzip.compress(module("failover")))
    (drivers / "failover.ko").write_bytes(module(""))
    (drivers / "virtio-rng.ko").write_bytes(module("virtio"))
    (drivers / "ring.ko").write_bytes(module("round"))
    (drivers / "round.ko").write_bytes(module("ring"))
    (drivers / "README.ko.txt").write_text("no module")
    (drivers / "linked.ko").symlink_to("/etc/passwd")
    (folder / "modules.builtin").write_text("kernel/drivers/virtio/virtio.ko\n")
    return folder


def order(modules: Path, *wanted: str) -> list[str]:
    return list(closure(wanted, available(modules), builtin(modules)))


def test_each_module_comes_after_what_it_needs(modules: Path) -> None:
    assert order(modules, "virtio_net", "virtio_rng") == [
        *("failover", "net_failover", "virtio_net"),
        "virtio_rng",
    ]


def test_dashes_and_underscores_are_one(modules: Path) -> None:
    assert order(modules, "virtio-rng") == order(modules, "virtio_rng") == ["virtio_rng"]


def test_what_is_built_in_needs_no_file(modules: Path) -> None:
    assert order(modules, "virtio") == []
    (modules / "modules.builtin").unlink()
    with pytest.raises(ImageError, match="no module virtio "):
        order(modules, "virtio")


@pytest.mark.parametrize("name", ["missing", "ring", "linked", "README"])
def test_modules_that_cannot_be_inserted(modules: Path, name: str) -> None:
    with pytest.raises(ImageError, match="no module") as caught:
        order(modules, name)
    assert "modules.txt" in caught.value.mend


def test_what_is_no_module() -> None:
    for content in (b"", b"\x7fELF", elf()):
        with pytest.raises(ImageError):
            needs(content)
    assert needs(elf({b".modinfo": b"license=GPL\0"})) == []


@pytest.mark.parametrize("name", ["a.ko.xz", "a.ko.gz"])
def test_packed_modules_that_are_broken(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"neither")
    with pytest.raises(ImageError, match="unpacked"):
        read(tmp_path / name)


def test_the_archive(modules: Path, tmp_path: Path) -> None:
    init = tmp_path / "init"
    init.write_text("#!/bin/sh\n")
    data = build(init, b"busybox!", modules, ["virtio_net"])
    found = {path: (fields["mode"], content) for path, fields, content in records(data)}
    assert found["init"] == (0o100755, b"#!/bin/sh\n")
    assert found["bin/busybox"] == (0o100755, b"busybox!")
    for applet in ("sh", "mount", "insmod", "switch_root", "ip", "mke2fs"):
        assert found[f"bin/{applet}"][1] == b"busybox"
    assert found["lib/modules/order"][1] == b"failover\nnet_failover\nvirtio_net\n"
    assert found["lib/modules/virtio_net.ko"][1] == module("net-failover,virtio")
    assert {"proc", "sys", "dev", "run", "dev/console", "dev/null"} <= found.keys()
    assert data == build(init, b"busybox!", modules, ["virtio_net"])
