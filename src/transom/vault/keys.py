"""Where the key-encryption key comes from: a file of the controller's own, or a command of the operator's.

The key is fetched for each use and never kept. No message quotes it, nor what a command printed.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import os
import secrets
import shlex
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from transom.model.errors import VaultError
from transom.vault.envelope import KEK_BYTES

COMMAND_SECONDS = 10.0
COMMAND_OUTPUT = 4096
"""Bytes a command may print."""


class KeySource(Protocol):
    """A way to the key-encryption key: 32 bytes."""

    async def load(self) -> bytes:
        """Return the key. Raises VaultError."""

    async def make(self) -> bytes:
        """Return the key, and make it first where that is ours to do. Raises VaultError."""


def key_source(file: Path, command: str | None) -> KeySource:
    """The command, split as a shell would and run without one; or the file. Raises VaultError."""
    if command is None:
        return KeyFile(file)
    try:
        words = shlex.split(command)
    except ValueError:
        raise VaultError("the key command has an open quote") from None
    return KeyCommand(words)


def read_key(text: bytes) -> bytes:
    """Return the key in a command's output: 32 raw bytes, or base64 or hex of them. Raises VaultError."""
    if len(text) == KEK_BYTES and not text.isascii():
        return text
    word = text.strip()
    for decode in (_from_hex, _from_base64):
        key = decode(word)
        if key is not None and len(key) == KEK_BYTES:
            return key
    raise VaultError(f"the key command must print {KEK_BYTES} random bytes, or base64 or hex of them")


def _fresh_key() -> bytes:
    # One in four thousand million looks like text, which a reader refuses.
    while (key := os.urandom(KEK_BYTES)).isascii():
        pass
    return key


def _from_hex(word: bytes) -> bytes | None:
    with contextlib.suppress(binascii.Error, ValueError):
        return binascii.unhexlify(word)
    return None


def _from_base64(word: bytes) -> bytes | None:
    with contextlib.suppress(binascii.Error, ValueError):
        return base64.b64decode(word, altchars=b"-_" if b"-" in word or b"_" in word else None, validate=True)
    return None


class KeyFile:
    """A file of 32 random bytes that nobody but its owner can read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def load(self) -> bytes:
        return await asyncio.to_thread(self._read)

    async def make(self) -> bytes:
        return await asyncio.to_thread(self._make)

    def _make(self) -> bytes:
        if not os.path.lexists(self._path):
            try:
                self._create()
            except OSError as error:
                raise VaultError(f"the key file {self._path} cannot be made: {error.strerror}") from None
        return self._read()

    def _create(self) -> None:
        # Written aside and linked in: the name never shows a short key, and never replaces another's.
        self._path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
        aside = self._path.with_name(f".{self._path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(_fresh_key())
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):
                os.link(aside, self._path)
        finally:
            os.unlink(aside)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _read(self) -> bytes:
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            raise VaultError(f"the key file {self._path} is missing: bring it back") from None
        except OSError as error:
            raise VaultError(f"the key file {self._path} cannot be read: {error.strerror}") from None
        try:
            self._check(os.fstat(descriptor))
            key = os.read(descriptor, KEK_BYTES + 1)
        finally:
            os.close(descriptor)
        if len(key) != KEK_BYTES or key.isascii():
            raise VaultError(f"the key file {self._path} must hold {KEK_BYTES} random bytes")
        return key

    def _check(self, found: os.stat_result) -> None:
        if not stat.S_ISREG(found.st_mode):
            raise VaultError(f"the key file {self._path} is not a plain file")
        if found.st_uid not in (0, os.geteuid()):
            raise VaultError(f"the key file {self._path} belongs to another user")
        if found.st_mode & 0o077:
            raise VaultError(f"others can read the key file {self._path}: chmod 600 {self._path}")


class KeyCommand:
    """A command, run without a shell, that prints the key; for a key manager or an agent."""

    def __init__(self, argv: Sequence[str], *, deadline_s: float = COMMAND_SECONDS) -> None:
        if not argv:
            raise VaultError("the key command is empty")
        self._argv = tuple(argv)
        self._deadline_s = deadline_s

    async def load(self) -> bytes:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        except (OSError, ValueError):
            raise VaultError("the key command cannot be run: is its program installed?") from None
        try:
            async with asyncio.timeout(self._deadline_s):
                printed, code = await self._finish(process)
        except TimeoutError:
            raise VaultError(f"the key command took longer than {self._deadline_s:g} s") from None
        finally:
            await _end(process)
        if code != 0:
            raise VaultError(f"the key command failed with exit code {code}")
        return read_key(printed)

    async def make(self) -> bytes:
        return await self.load()

    async def _finish(self, process: asyncio.subprocess.Process) -> tuple[bytes, int]:
        assert process.stdout is not None
        printed = b""
        while chunk := await process.stdout.read(COMMAND_OUTPUT):
            printed += chunk
            if len(printed) > COMMAND_OUTPUT:
                raise VaultError("the key command printed too much")
        return printed, await process.wait()


async def _end(process: asyncio.subprocess.Process) -> None:
    # The whole group: a grandchild that keeps the pipe open must not keep the controller waiting.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, 9)
    if process.returncode is None:
        await process.wait()
