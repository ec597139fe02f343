from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.transom.images.elves import PVH, bzimage, elf, lz4, lz4_literals
from transom.images import kernel
from transom.images.errors import ImageError
from transom.images.kernel import extract, payload, unpack

BARE = elf({b".text": b"kernel" * 50}, notes=PVH)
SIZE = struct.pack("<I", len(BARE))
ARM = bytes(0x38) + b"ARM\x64" + bytes(100)


def zstd(data: bytes) -> bytes:
    program = shutil.which("zstd")
    assert program, "the builder needs zstd"
    return subprocess.run(
        [program, "-q", "-c"], input=data, capture_output=True, check=True, timeout=20
    ).stdout


PACKED = {
    "gzip": gzip.compress(BARE),
    "lz4": lz4(lz4_literals(BARE)) + SIZE,
    "xz": lzma.compress(BARE) + SIZE,
    "bzip2": bz2.compress(BARE) + SIZE,
    "zstd": zstd(BARE) + SIZE,
}


@pytest.mark.parametrize("packing", PACKED)
def test_each_packing_of_a_kernel(tmp_path: Path, packing: str) -> None:
    assert extract(bzimage(PACKED[packing]), tmp_path) == BARE


def test_the_payload_is_where_the_header_says() -> None:
    assert payload(bzimage(b"packed kernel", sectors=4)) == b"packed kernel"


@pytest.mark.parametrize(
    "image",
    [
        bzimage(PACKED["lz4"], protocol=0x207),
        bzimage(PACKED["lz4"])[:-1],
        bzimage(b""),
        bzimage(b"what is this packing"),
        bzimage(PACKED["lz4"][:-4] + struct.pack("<I", len(BARE) + 1)),
        bzimage(PACKED["lz4"][:-4] + struct.pack("<I", 2**31)),
        bzimage(PACKED["gzip"][:-9]),
        bzimage(PACKED["xz"][:20] + SIZE),
        bzimage(lz4(lz4_literals(b"not an ELF")) + struct.pack("<I", 10)),
        b"",
        b"MZ" + bytes(2000),
        gzip.compress(b"not a kernel"),
    ],
)
def test_what_is_no_whole_kernel_is_refused(tmp_path: Path, image: bytes) -> None:
    with pytest.raises(ImageError) as caught:
        extract(image, tmp_path)
    assert caught.value.mend


def test_a_kernel_without_a_pvh_entry_boots_in_no_vmm_of_ours(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="PVH"):
        extract(bzimage(gzip.compress(elf())), tmp_path)


@pytest.mark.parametrize("image", [ARM, gzip.compress(ARM)])
def test_arm_kernels_are_bare_or_gzip(tmp_path: Path, image: bytes) -> None:
    assert extract(image, tmp_path) == ARM


@pytest.mark.parametrize("packing", PACKED)
def test_the_limit_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packing: str) -> None:
    monkeypatch.setattr(kernel, "LIMIT", 100)
    with pytest.raises(ImageError):
        extract(bzimage(PACKED[packing]), tmp_path)


@given(st.binary(max_size=100), st.sampled_from(sorted(PACKED.keys() - {"zstd"})))
def test_any_payload_is_unpacked_or_refused(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, packing: str
) -> None:
    with contextlib.suppress(ValueError, OSError, EOFError, kernel.zlib.error, lzma.LZMAError):
        unpack(PACKED[packing][:8] + noise, tmp_path_factory.getbasetemp())
    with contextlib.suppress(ImageError):
        extract(bzimage(PACKED[packing][:8] + noise), tmp_path_factory.getbasetemp())
