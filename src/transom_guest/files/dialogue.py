"""One request about files: read it, carry it out, answer. Blocking, in a process that lives for this alone."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from pathlib import Path
from typing import Any, cast

from transom_guest.files.folder import FULL, Folder, Refusal, full, opened
from transom_wire.codec import Message, WireError, decode, encode
from transom_wire.files import (
    ANSWER_LIMIT,
    CHUNK,
    REQUEST_LIMIT,
    REQUESTS,
    FileDone,
    FileFound,
    FileGet,
    FileGo,
    FilePut,
    FileRefused,
    FileRemove,
    FilesList,
    FilesListed,
    Request,
    chunk,
    chunk_size,
)
from transom_wire.framing import HEADER, FrameError, pack

STALLED_S = 60.0
"""A controller that takes or sends nothing for so long is gone."""
LAST_WORDS_S = 5.0
"""After a refusal: how long what is still on its way is read."""


def serve(connection: socket.socket, home: Path) -> None:
    """One request and its answer. Whatever goes wrong with the connection ends it without a word."""
    with contextlib.suppress(OSError, EOFError, WireError, FrameError):
        request = cast("Request", decode(_frame(connection), cast("Any", REQUESTS)))
        try:
            with opened(home) as folder:
                _carry_out(connection, folder, request)
        except Refusal as refusal:
            _say(connection, FileRefused(refusal.code, refusal.message))
            _hear_out(connection)
        except OSError as error:
            if isinstance(error, TimeoutError | ConnectionError):
                raise
            fault = full() if error.errno in FULL else Refusal("failed", error.strerror or "it failed")
            _say(connection, FileRefused(fault.code, fault.message[:200]))
            _hear_out(connection)


def _carry_out(connection: socket.socket, folder: Folder, request: Request) -> None:
    match request:
        case FilesList():
            files, more = folder.listing()
            _say(connection, FilesListed(files, more))
        case FilePut():
            folder.room(request.name, request.size, request.most, request.files, new=request.new)
            _say(connection, FileGo())
            size = folder.write(request.name, request.most, lambda: _chunk(connection), new=request.new)
            _say(connection, FileDone(size))
        case FileGet():
            _send(connection, folder, request)
        case FileRemove():
            _say(connection, FileDone(folder.remove(request.name)))


def _send(connection: socket.socket, folder: Folder, request: FileGet) -> None:
    """The size that is announced is kept to, though the file may change meanwhile."""
    descriptor, size = folder.reading(request.name, request.most)
    try:
        _say(connection, FileFound(size))
        left = size
        while left:
            data = os.read(descriptor, min(CHUNK, left))
            if not data:
                return  # it became shorter: the end without the last chunk says so
            connection.sendall(chunk(data))
            left -= len(data)
        connection.sendall(chunk(b""))
    finally:
        os.close(descriptor)


def _say(connection: socket.socket, message: Message) -> None:
    connection.sendall(pack(encode(message), ANSWER_LIMIT))


def _frame(connection: socket.socket) -> bytes:
    (size,) = HEADER.unpack(_exactly(connection, HEADER.size))
    if not 0 < size <= REQUEST_LIMIT:
        raise FrameError(f"frame of {size} bytes announced")
    return _exactly(connection, size)


def _chunk(connection: socket.socket) -> bytes:
    return _exactly(connection, chunk_size(_exactly(connection, HEADER.size)))


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise EOFError("the controller ended it")
        data += more
    return bytes(data)


def _hear_out(connection: socket.socket) -> None:
    """Read on until the controller has the answer and ends it: a side that closes on unread bytes resets both ways."""
    until = time.monotonic() + LAST_WORDS_S
    connection.settimeout(LAST_WORDS_S)
    while time.monotonic() < until and connection.recv(CHUNK):
        pass
