"""RFB tells no viewer of the desktop's clipboard, and takes none: clipboards have a channel of their own."""

from __future__ import annotations

import asyncio
import struct
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from transom_guest.desktop.display import VNC

NO_CLIPBOARD = tuple(
    f"-{name}={VNC[name]}" for name in ("SendCutText", "AcceptCutText", "SendPrimary", "SetPrimary")
)
"""As a machine's display server has them."""
SECRET = b"what was copied on the desktop"
EXTENDED_CLIPBOARD = 0xC0A1E5CE - 2**32


@asynccontextmanager
async def screen(flags: Sequence[str]) -> AsyncIterator[tuple[str, str]]:
    """A display with these flags: its name, and the path of its RFB socket."""
    with tempfile.TemporaryDirectory(prefix="transom-cut-") as folder:
        number, path = Path(folder, "number"), f"{folder}/vnc"
        with number.open("wb") as out:
            fixed = (
                "-displayfd",
                str(out.fileno()),
                "-rfbport",
                "-1",
                "-rfbunixpath",
                path,
                "-nolisten",
                "tcp",
            )
            server = await asyncio.create_subprocess_exec(
                *("Xvnc", *fixed, "-SecurityTypes", "None", "-geometry", "320x200", *flags),
                pass_fds=[out.fileno()],
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
        try:
            async with asyncio.timeout(20):
                while not number.read_text().endswith("\n"):
                    assert server.returncode is None, "Xvnc did not start"
                    await asyncio.sleep(0.02)
            yield f":{number.read_text().strip()}", path
        finally:
            server.terminate()
            await server.wait()


async def viewer(path: str, *encodings: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Past the handshake; it asks for no picture, so that whatever comes is something else."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(
        b"RFB 003.008\n\x01\x01" + struct.pack(f">BxH{len(encodings)}i", 2, len(encodings), *encodings)
    )
    await reader.readexactly(12 + 2 + 4 + 20)
    (name,) = struct.unpack(">I", await reader.readexactly(4))
    await reader.readexactly(name)
    return reader, writer


async def told(display: str, path: str) -> bytes:
    """What a viewer hears when something is copied, within a second."""
    reader, writer = await viewer(path, 0)
    owner = await asyncio.create_subprocess_exec(
        *("xclip", "-display", display, "-selection", "clipboard", "-quiet"),
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert owner.stdin is not None
        owner.stdin.write(SECRET)
        owner.stdin.close()
        heard = b""
        try:
            async with asyncio.timeout(3):
                while SECRET not in heard:
                    heard += await reader.read(4096)
        except TimeoutError:
            pass
        return heard
    finally:
        owner.terminate()
        await owner.wait()
        writer.close()


@pytest.mark.parametrize(("flags", "heard"), [((), True), (NO_CLIPBOARD, False)])
async def test_no_viewer_hears_of_a_clipboard(flags: tuple[str, ...], heard: bool) -> None:
    """Without the flags it is told, so that the test is known to see it."""
    async with screen(flags) as (display, path):
        assert (SECRET in await told(display, path)) is heard


async def test_a_clipboard_of_a_viewers_goes_nowhere() -> None:
    async with screen(NO_CLIPBOARD) as (display, path):
        reader, writer = await viewer(path, 0, EXTENDED_CLIPBOARD)
        writer.write(struct.pack(">BxxxI", 6, 4) + b"evil")
        # an answer to a question asked after it: what came before has been taken in
        writer.write(b"\x03\x00" + struct.pack(">4H", 0, 0, 1, 1))
        async with asyncio.timeout(20):
            await reader.readexactly(4)
        asked = await asyncio.create_subprocess_exec(
            *("xclip", "-display", display, "-selection", "clipboard", "-o"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert b"evil" not in (await asked.communicate())[0]
        writer.close()
