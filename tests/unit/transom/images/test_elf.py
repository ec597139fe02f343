from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.transom.images.elves import PVH, elf, module
from transom.images.elf import NOTE, has_pvh_entry, section

OTHER = NOTE.pack(4, 5, 18) + b"GNU\0" + b"12345" + bytes(3)


def test_sections_are_found_by_name() -> None:
    made = elf({b".text": b"code", b".modinfo": b"depends=a\0"})
    assert section(made, b".modinfo") == b"depends=a\0"
    assert section(made, b".text") == b"code"
    assert section(made, b".data") is None
    assert section(made, b"") == b""


@pytest.mark.parametrize(("notes", "found"), [(PVH, True), (OTHER + PVH, True), (OTHER, False), (b"", False)])
def test_the_pvh_note(notes: bytes, found: bool) -> None:
    assert has_pvh_entry(elf(notes=notes)) is found


def test_no_notes_at_all() -> None:
    assert not has_pvh_entry(elf())


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for read in (has_pvh_entry, lambda found: section(found, b".modinfo")):
        with contextlib.suppress(ValueError):
            read(data)


@given(st.integers(0, 63), st.binary(min_size=1, max_size=8))
def test_a_bent_header_is_read_or_refused(at: int, bent: bytes) -> None:
    for made in (elf(notes=PVH), module("a,b")):
        broken = made[:at] + bent + made[at + len(bent) :]
        for read in (has_pvh_entry, lambda found: section(found, b".modinfo")):
            with contextlib.suppress(ValueError):
                read(broken)


@given(st.binary(max_size=60))
def test_any_notes_are_read(notes: bytes) -> None:
    has_pvh_entry(elf(notes=notes))
