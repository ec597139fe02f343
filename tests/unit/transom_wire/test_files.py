from __future__ import annotations

import contextlib
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_wire.codec import WireError, decode, encode
from transom_wire.files import (
    ANSWER_LIMIT,
    CHUNK,
    MOST_FILES,
    NAME_BYTES,
    REQUESTS,
    FileDone,
    FileEntry,
    FileFound,
    FileGet,
    FilePut,
    FileRefused,
    FilesList,
    FilesListed,
    chunk,
    chunk_size,
    name_fault,
)
from transom_wire.framing import HEADER, FrameError, pack

UNSEEN = "it has characters that cannot be seen"
ANSWERS = (FilesListed, FileFound, FileDone, FileRefused)


@pytest.mark.parametrize("name", ["a", "report (2).pdf", "übung.txt", "日本語.png", "a" * NAME_BYTES, "a..b"])
def test_names_of_files(name: str) -> None:
    assert name_fault(name) == ""


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", ".bashrc", "a/b", "/etc/passwd", "..\\x", "a\0b", "a\nb", "a\x7f", " a", "a "),
        *("u\u0308", "invoice\u202egpj.exe", "\ufeffa", "a\ud800", "a\u2028b", "a" * (NAME_BYTES + 1)),
        "ü" * NAME_BYTES,
    ],
)
def test_names_that_no_file_has(name: str) -> None:
    assert name_fault(name)


SHOWN = "\U0001fabf\U0001fae8\U0001face\U0001fae9\u0378\U000323b0\ufffd"
"""Emoji and signs that came after one Python's tables or another's, or are still to come."""


@pytest.mark.parametrize("char", SHOWN)
def test_a_name_has_characters_that_are_newer_than_our_tables(char: str) -> None:
    assert name_fault(f"a{char}.txt") == ""


@pytest.mark.parametrize(
    "char", "\ue000\ufdd0\ufffe\uffff\U0001fffe\U000effff\U000f0000\U0010ffff\U000e0001\u2065"
)
def test_what_is_no_character_or_anybody_s_own_is_in_no_name(char: str) -> None:
    assert name_fault(f"a{char}.txt") == UNSEEN


@given(st.characters(categories=["Cc", "Cf", "Cs", "Co", "Zl", "Zp"]))
def test_what_our_tables_call_unseen_is_in_no_name(char: str) -> None:
    assert name_fault(f"a{char}b") == UNSEEN


@given(st.characters(exclude_categories=["C", "Zl", "Zp"], exclude_characters="/\\"))
def test_what_our_tables_show_can_be_seen(char: str) -> None:
    assert name_fault(f"a{char}b") != UNSEEN


@given(st.text(max_size=300))
def test_a_name_that_passes_is_one_plain_entry_of_a_folder(name: str) -> None:
    if not name_fault(name):
        assert name not in (".", "..") and "/" not in name and "\0" not in name
        assert 0 < len(name.encode()) <= NAME_BYTES
        assert unicodedata.normalize("NFC", name) == name


@given(st.binary(max_size=300))
def test_what_a_guest_says_is_a_message_or_refused(body: bytes) -> None:
    with contextlib.suppress(WireError):
        assert isinstance(decode(body, ANSWERS), ANSWERS)
    with contextlib.suppress(WireError):
        assert isinstance(decode(body, REQUESTS), REQUESTS)


@pytest.mark.parametrize(
    "message",
    [FilesList(), FilePut("a", None, 9, 5), FilePut("a", 3, 9, 5), FileGet("a", 2**30), FileDone(0)],
)
def test_messages_come_back_as_they_went(message: FilesList) -> None:
    assert decode(encode(message), (type(message),)) == message


@pytest.mark.parametrize(
    "body", [b'{"type":"file_get","name":"a/b","most":1}', b'{"type":"file_get","name":"a"}']
)
def test_requests_with_a_path_or_without_a_limit_are_refused(body: bytes) -> None:
    with pytest.raises(WireError):
        decode(body, REQUESTS)


def test_the_longest_list_fits_its_frame() -> None:
    entry = FileEntry('"' * NAME_BYTES, 2**60, 2**50)
    pack(encode(FilesListed((entry,) * MOST_FILES, True)), ANSWER_LIMIT)


@given(st.binary(max_size=2000))
def test_chunks_come_back_as_they_went(data: bytes) -> None:
    sent = chunk(data)
    assert chunk_size(sent[:4]) == len(data)
    assert sent[4:] == data


@given(st.integers(CHUNK + 1, 2**32 - 1))
def test_a_chunk_over_the_limit_is_refused_by_its_header(size: int) -> None:
    with pytest.raises(FrameError):
        chunk_size(HEADER.pack(size))
    with pytest.raises(FrameError):
        chunk(bytes(CHUNK + 1))
