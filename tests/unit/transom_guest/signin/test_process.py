"""Children on terminals: what they see, and that none of them stays."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from transom_guest.signin.process import COLUMNS, ROWS, Tool, port_answers, tool_environment

PATIENCE = 30.0


class Ear:
    """Collects what a tool writes; `hear` waits for a word."""

    def __init__(self) -> None:
        self.heard = b""
        self._more = asyncio.Event()

    def __call__(self, data: bytes) -> None:
        self.heard += data
        self._more.set()

    async def hear(self, word: bytes) -> None:
        async with asyncio.timeout(PATIENCE):
            while word not in self.heard:
                self._more.clear()
                await self._more.wait()


async def shell(script: str, ear: Ear | None) -> Tool:
    return await Tool.start(["/bin/sh", "-c", script], dict(os.environ), Path("/"), ear)


def alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


async def gone(pid: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while alive(pid):
            await asyncio.sleep(0.02)


async def test_a_tool_has_a_wide_terminal_of_its_own() -> None:
    ear = Ear()
    tool = await shell("stty size < /dev/tty; test -t 0 && echo terminal", ear)
    assert await tool.wait() == 0
    assert f"{ROWS} {COLUMNS}".encode() in ear.heard
    assert b"terminal" in ear.heard


async def test_keys_are_typed() -> None:
    ear = Ear()
    tool = await shell("printf 'Sure? '; read answer; echo got-$answer", ear)
    await ear.hear(b"Sure?")
    tool.type("yes\r")
    assert await tool.wait() == 0
    assert b"got-yes" in ear.heard


async def test_the_last_words_are_heard_before_the_exit_code() -> None:
    ear = Ear()
    tool = await shell("seq 1 20000; exit 3", ear)
    assert await tool.wait() == 3
    assert ear.heard.endswith(b"20000\r\n")


async def test_the_whole_group_ends_even_if_it_does_not_listen() -> None:
    ear = Ear()
    tool = await shell("trap '' TERM HUP; (trap '' TERM HUP; echo child=$$; sleep 1000) & echo up; wait", ear)
    await ear.hear(b"up")
    await tool.end(0)
    assert not tool.alive
    for pid in group_of(tool):
        await gone(pid)


def group_of(tool: Tool) -> list[int]:
    wanted, found = tool._process.pid, []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and os.getpgid(int(folder.name)) == wanted:
                found.append(int(folder.name))
        except ProcessLookupError:
            continue
    return found


async def test_a_grace_lets_a_tool_end_by_itself() -> None:
    tool = await shell("sleep 0.1; exit 7", Ear())
    await tool.end(PATIENCE)
    assert tool._process.returncode == 7
    await tool.end(0)


async def test_a_tool_dies_with_its_agent() -> None:
    script = (
        "import asyncio, sys; from pathlib import Path; from transom_guest.signin.process import Tool\n"
        "async def main():\n"
        "    tool = await Tool.start(['sleep', '1000'], {'PATH': '/usr/bin:/bin'}, Path('/'), print)\n"
        "    print(tool._process.pid, flush=True); await tool.wait()\n"
        "asyncio.run(main())"
    )
    agent = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE)
    assert agent.stdout is not None
    async with asyncio.timeout(PATIENCE):
        pid = int(await agent.stdout.readline())
    assert alive(pid)
    agent.send_signal(signal.SIGKILL)
    await agent.wait()
    await gone(pid)


async def test_what_cannot_be_run_is_an_error() -> None:
    with pytest.raises(OSError, match="No such file"):
        await Tool.start(["/nonexistent/tool"], {}, Path("/"), Ear())


async def test_a_port_answers_or_its_server_is_dead() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert await port_answers(port, lives=lambda: True)
    server.close()
    await server.wait_closed()
    assert not await port_answers(port, lives=lambda: False)


def test_the_environment_holds_what_a_tool_needs_and_no_token() -> None:
    ours = {
        "PATH": "/usr/bin", "HTTPS_PROXY": "http://p", "TRANSOM_LINK": "x", "TRANSOM_LINK_TOKEN_FILE": "y",
        "DBUS_SESSION_BUS_ADDRESS": "unix:path=/real",
    }  # fmt: skip
    env = tool_environment(
        ours,
        {"TOOL_HOME": "~/.tool", "X": "1"},
        home=Path("/home/u"),
        opener=Path("/run/o"),
        browser="/run/o/b",
    )
    assert env["TOOL_HOME"] == "/home/u/.tool"
    assert env["PATH"] == "/run/o:/usr/bin"
    assert (env["HOME"], env["BROWSER"], env["HTTPS_PROXY"], env["X"]) == (
        "/home/u",
        "/run/o/b",
        "http://p",
        "1",
    )
    assert not [name for name in env if name.startswith("TRANSOM")]
    assert "/real" not in env["DBUS_SESSION_BUS_ADDRESS"]
