"""Children of the supervisor: started in groups of their own, watched, their last words kept, ended together."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence

LAST_WORDS = 3
"""Lines of a quiet program's output that are kept for the note of its death."""
LINE_LIMIT = 300
"""Characters of each of them."""
EOF_DEADLINE = 0.2
"""Seconds to wait for the rest of a dead program's output."""
STOP_DEADLINE = 1.0
"""Seconds between asking a child to end and ending it."""
SUDDEN = (signal.SIGKILL, signal.SIGTERM)
"""Signals from outside: what a program said before has nothing to do with its death."""

Noise = Callable[[str], bool]
"""True for a line that says nothing about a death."""


def no_noise(_line: str) -> bool:
    """Every line counts."""
    return False


class Children:
    """Runs programs; `died(name, how)` is called once for each start, also for one that failed."""

    def __init__(self, died: Callable[[str, str], None]) -> None:
        self._died = died
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(
        self,
        name: str,
        argv: Sequence[str],
        env: Mapping[str, str],
        *,
        quiet: bool,
        noise: Noise = no_noise,
        stdin: int = asyncio.subprocess.DEVNULL,
    ) -> bool:
        """Start `argv`; False (and `died` is called) when it cannot be.

        `stdin` is a descriptor. `quiet` swallows its output but for the last lines that are no `noise`,
        which are told with its death.
        """
        output, writing = await _listen(noise) if quiet else (None, None)
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                env=dict(env),
                stdin=stdin,
                stdout=sys.stderr if writing is None else writing,
                stderr=sys.stderr if writing is None else writing,
                start_new_session=True,
            )
        except OSError as error:
            if output:
                await output.end()
            self._died(name, f"cannot be started: {error.strerror}")
            return False
        finally:
            if writing is not None:
                os.close(writing)
        self._running[name] = process
        task = asyncio.create_task(self._watch(name, process, output), name=f"watch {name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def stop(self) -> None:
        """End every child and all of its group. Idempotent."""
        running = list(self._running.values())
        for number in (signal.SIGTERM, signal.SIGKILL):
            for process in running:
                _signal_group(process.pid, number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_DEADLINE):
                    await asyncio.gather(*(process.wait() for process in running))
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _watch(
        self,
        name: str,
        process: asyncio.subprocess.Process,
        output: _LastWords | None,
    ) -> None:
        try:
            code = await process.wait()
        finally:
            _signal_group(process.pid, signal.SIGKILL)
            if output:
                await output.end()
        self._running.pop(name, None)
        self._died(name, "; ".join([_how(code), *(output.words if output and -code not in SUDDEN else ())]))


async def _listen(noise: Noise) -> tuple[_LastWords, int]:
    """A pipe and what keeps its last lines; the program gets the returned descriptor.

    Not the subprocess module's own pipe: a grandchild that holds that one open holds up `wait` too.
    """
    reading, writing = os.pipe()
    _, output = await asyncio.get_running_loop().connect_read_pipe(
        lambda: _LastWords(noise), os.fdopen(reading, "rb", buffering=0)
    )
    return output, writing


class _LastWords(asyncio.Protocol):
    """Keeps the last lines of a stream, and of a line no more than it shows."""

    def __init__(self, noise: Noise) -> None:
        self.words: deque[str] = deque(maxlen=LAST_WORDS)
        self._noise = noise
        self._rest = b""
        self._transport: asyncio.BaseTransport | None = None
        self._ended = asyncio.Event()

    async def end(self) -> None:
        """Take what is still in the pipe, and close it even if somebody holds its other end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(EOF_DEADLINE):
                await self._ended.wait()
        if self._transport:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[:LINE_LIMIT]
        for line in lines:
            self._keep(line)

    def eof_received(self) -> None:
        self._keep(self._rest)
        self._rest = b""
        self._ended.set()

    def _keep(self, line: bytes) -> None:
        text = _clean(line)
        if text.strip() and not self._noise(text):
            self.words.append(text)

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended.set()


def _clean(line: bytes) -> str:
    text = line[: 4 * LINE_LIMIT].decode(errors="replace")
    return "".join(char for char in text if char.isprintable())[:LINE_LIMIT]


def _how(code: int) -> str:
    if code >= 0:
        return f"exit {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"


def _signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
