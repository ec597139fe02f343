"""Running a provider's tool on a terminal of its own, and a companion beside it, so that neither outlives us."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import os
import signal
import struct
import termios
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROWS, COLUMNS = 50, 1000
"""Wide, so that no tool wraps its URL: the longest seen has 560 characters."""
KILL_AFTER = 2.0
"""Seconds between SIGTERM and SIGKILL."""
PORT_DEADLINE = 15.0
"""Seconds for a companion's port to answer."""
READ = 65536

INHERITED = (
    "HOME", "LANG", "USER", "LOGNAME", "DISPLAY", "SESSION_ID", "XDG_RUNTIME_DIR", "PYTHONPATH",
    "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "NODE_USE_ENV_PROXY",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
)  # fmt: skip
"""What a tool gets of our environment."""
NO_BUS = "unix:path=/nonexistent"
"""With a session bus a tool may prefer a keyring to its file."""

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def tool_environment(
    ours: Mapping[str, str], wanted: Mapping[str, str], *, home: Path, opener: Path, browser: str
) -> dict[str, str]:
    """The tool's environment: a few of ours, the opener first on PATH, the table's own; `~/` is the home."""
    env = {name: ours[name] for name in INHERITED if name in ours}
    env.setdefault("LANG", "C.UTF-8")
    env.setdefault("DISPLAY", ":1")
    env |= {"HOME": str(home), "TERM": "xterm-256color", "BROWSER": browser}
    env["DBUS_SESSION_BUS_ADDRESS"] = NO_BUS
    env["PATH"] = f"{opener}:{ours.get('PATH', '/usr/local/bin:/usr/bin:/bin')}"
    for name, value in wanted.items():
        env[name] = str(home / value[2:]) if value.startswith("~/") else value
    return env


class Tool:
    """A child that leads its own session and process group; with a terminal when `output` is given."""

    def __init__(self, process: asyncio.subprocess.Process, terminal: int, output: Callable[[bytes], None]):
        self._process = process
        self._terminal = terminal
        self._output = output
        if terminal >= 0:
            os.set_blocking(terminal, False)
            asyncio.get_running_loop().add_reader(terminal, self._read)

    @classmethod
    async def start(
        cls,
        argv: Sequence[str],
        env: Mapping[str, str],
        cwd: Path,
        output: Callable[[bytes], None] | None,
    ) -> Tool:
        """Run `argv`. Raises OSError when it cannot be run."""
        if output is None:
            process = await _spawn(argv, env, cwd, asyncio.subprocess.DEVNULL, terminal=False)
            return cls(process, -1, lambda _: None)
        ours, theirs = os.openpty()
        try:
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
            process = await _spawn(argv, env, cwd, theirs, terminal=True)
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        return cls(process, ours, output)

    @property
    def alive(self) -> bool:
        """True until the child itself has ended."""
        return self._process.returncode is None

    def type(self, keys: str) -> None:
        """Type into the terminal; what it does not take at once is lost, as on a real one."""
        with contextlib.suppress(OSError):
            os.write(self._terminal, keys.encode())

    async def wait(self) -> int:
        """The exit code, negative for a signal; everything the tool wrote has been given out by then."""
        code = await self._process.wait()
        while self._read():
            pass
        return code

    async def end(self, grace: float) -> None:
        """End the whole process group: `grace` seconds by itself, then SIGTERM, then SIGKILL. Idempotent."""
        if grace > 0:
            await self._ended_within(grace)
        self._signal(signal.SIGTERM)
        await self._ended_within(KILL_AFTER)
        self._signal(signal.SIGKILL)
        await self._ended_within(KILL_AFTER)
        self._hang_up()

    def kill(self) -> None:
        """SIGKILL to the whole group, without waiting."""
        self._signal(signal.SIGKILL)
        self._hang_up()

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    async def _ended_within(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._process.wait()

    def _read(self) -> bool:
        if self._terminal < 0:
            return False
        try:
            data = os.read(self._terminal, READ)
        except BlockingIOError:
            return False
        except OSError:  # EIO: nobody holds the other end any more
            data = b""
        if not data:
            self._hang_up()
            return False
        self._output(data)
        return True

    def _hang_up(self) -> None:
        if self._terminal >= 0:
            asyncio.get_running_loop().remove_reader(self._terminal)
            os.close(self._terminal)
            self._terminal = -1


async def port_answers(port: int, *, lives: Callable[[], bool]) -> bool:
    """True once 127.0.0.1:`port` takes a connection; False when `lives` turns false or time is up."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PORT_DEADLINE):
            while lives():
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    return lives()
    return False


async def _spawn(
    argv: Sequence[str], env: Mapping[str, str], cwd: Path, stdio: int, *, terminal: bool
) -> asyncio.subprocess.Process:
    def prepare() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        # whoever started the server by nohup has it ignored in all that descends from it: a tool's children, which
        # the end of its terminal ends, would stay
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        if terminal:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    return await asyncio.create_subprocess_exec(
        *argv,
        stdin=stdio,
        stdout=stdio,
        stderr=stdio,
        env=dict(env),
        cwd=cwd,
        start_new_session=True,
        preexec_fn=prepare,
    )
