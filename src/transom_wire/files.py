"""The dialogue on a stream of kind `files`: one request of the controller's, one answer of the guest's, then the end.

Messages are frames (transom_wire.framing) of JSON. A file's content follows in chunks: four bytes, big-endian,
then that many bytes, at most CHUNK; a chunk of none says that the file is whole. A side that ends the stream
before that has not sent a file.

| controller | guest |
|---|---|
| FilesList | FilesListed, or FileRefused |
| FilePut | FileGo; then the content comes; FileDone, or FileRefused at any time |
| FileGet | FileFound and the content, or FileRefused |
| FileRemove | FileDone, or FileRefused |
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Annotated, ClassVar

from transom_wire.codec import Many, Range, Text
from transom_wire.fields import Line, Milliseconds
from transom_wire.framing import HEADER, MAX_FRAME, FrameError

CHUNK = 64 * 1024
"""Bytes of one chunk of a file."""
MOST_BYTES = 64 * 2**30
"""No file is larger, whatever a setting says."""
MOST_FILES = 500
"""Entries of a list; the rest of a folder is not shown."""
NAME_BYTES = 200
"""Bytes of a name: file systems take 255, and a temporary name is a little longer than the name."""
REQUEST_LIMIT = 2048
"""Bytes of a request's frame."""
ANSWER_LIMIT = MAX_FRAME
"""Bytes of an answer's frame: a list of MOST_FILES names fits."""
NO_CHARACTERS = "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
HIDDEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u206f\ud800-\uf8ff\ufdd0-\ufdef\ufeff\ufff0-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
    rf"\U000f0000-\U0010ffff{NO_CHARACTERS}]"
)
"""Characters that no name has: controls, those that turn a text around, those of private use, and what is no character
(Cc, Cf, Cs, Co, Zl and Zp of Unicode 17, noncharacters, and what is set aside for more that is not shown). By ranges,
for host, guest and browser have tables of different years; the page has the same (transfer.js)."""

FileName = Annotated[str, Text(NAME_BYTES, r"[^/\\]+")]
Size = Annotated[int, Range(0, MOST_BYTES)]


def name_fault(name: str) -> str:
    """Why a file may not have this name; empty when it may."""
    if not name:
        return "it is empty"
    if len(name.encode(errors="replace")) > NAME_BYTES:
        return f"it has more than {NAME_BYTES} bytes"
    if "/" in name or "\\" in name:
        return "it has a slash"
    if name.startswith("."):
        return "it begins with a dot"
    if HIDDEN.search(name):
        return "it has characters that cannot be seen"
    if name != name.strip() or unicodedata.normalize("NFC", name) != name:
        return "it is not in its plain form"
    return ""


@dataclass(frozen=True, slots=True)
class FilesList:
    """What is in the folder?"""

    TYPE: ClassVar[str] = "files_list"


@dataclass(frozen=True, slots=True)
class FilePut:
    """A file comes, of `size` bytes where that is known, and never more than `most`. One of that name is replaced
    once the new one is whole, unless it is to be `new`: then it is refused, also when the name was free at first."""

    TYPE: ClassVar[str] = "file_put"
    name: FileName
    size: Size | None
    most: Size
    files: Annotated[int, Range(1, MOST_FILES)]
    """A new name is refused in a folder that has so many already."""
    new: bool = False


@dataclass(frozen=True, slots=True)
class FileGet:
    """That file, unless it is over `most` bytes."""

    TYPE: ClassVar[str] = "file_get"
    name: FileName
    most: Size


@dataclass(frozen=True, slots=True)
class FileRemove:
    """That file goes."""

    TYPE: ClassVar[str] = "file_remove"
    name: FileName


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A plain file in the folder."""

    name: FileName
    size: Annotated[int, Range(0, 2**63)]
    modified_at: Milliseconds


@dataclass(frozen=True, slots=True)
class FilesListed:
    """Plain files with names that are allowed; `more` when others are there, which are not shown."""

    TYPE: ClassVar[str] = "files_listed"
    files: Annotated[tuple[FileEntry, ...], Many(MOST_FILES)]
    more: bool


@dataclass(frozen=True, slots=True)
class FileGo:
    """There is room: send."""

    TYPE: ClassVar[str] = "file_go"


@dataclass(frozen=True, slots=True)
class FileFound:
    """The content follows: exactly `size` bytes, and then the chunk of none."""

    TYPE: ClassVar[str] = "file_found"
    size: Size


@dataclass(frozen=True, slots=True)
class FileDone:
    """It is done; `size` of the file it was done to."""

    TYPE: ClassVar[str] = "file_done"
    size: Size


@dataclass(frozen=True, slots=True)
class FileRefused:
    """It is not done. `message` may say anything, as all that a guest says."""

    TYPE: ClassVar[str] = "file_refused"
    code: Annotated[str, Text(16, "missing|name|exists|too_large|too_many|full|failed")]
    message: Line = ""


REQUESTS = (FilesList, FilePut, FileGet, FileRemove)
Request = FilesList | FilePut | FileGet | FileRemove


def chunk_size(header: bytes) -> int:
    """Bytes of the chunk that `header` announces; 0 is the end of the file. Raises FrameError."""
    size: int = HEADER.unpack(header)[0]
    if size > CHUNK:
        raise FrameError(f"a chunk of {size} bytes announced, allowed 0..{CHUNK}")
    return size


def chunk(data: bytes) -> bytes:
    """`data` as it travels; of no bytes: the end of the file."""
    if len(data) > CHUNK:
        raise FrameError(f"a chunk of {len(data)} bytes, allowed 0..{CHUNK}")
    return HEADER.pack(len(data)) + data
