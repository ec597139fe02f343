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
STOP_DEADLINE = 1.0
"""Seconds between asking a child to end and ending it."""


class Children:
    """Runs programs; `died(name, how)` is called once for each start, also for one that failed."""

    def __init__(self, died: Callable[[str, str], None]) -> None:
        self._died = died
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, name: str, argv: Sequence[str], env: Mapping[str, str], *, quiet: bool) -> bool:
        """Start `argv`; False (and `died` is called) when it cannot be.

        `quiet` swallows its output but for the last lines, which are told with its death.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                env=dict(env),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE if quiet else sys.stderr,
                stderr=asyncio.subprocess.STDOUT if quiet else sys.stderr,
                start_new_session=True,
            )
        except OSError as error:
            self._died(name, f"cannot be started: {error.strerror}")
            return False
        self._running[name] = process
        task = asyncio.create_task(self._watch(name, process), name=f"watch {name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    def pid(self, name: str) -> int | None:
        """The process of `name` while it runs."""
        process = self._running.get(name)
        return process.pid if process else None

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

    async def _watch(self, name: str, process: asyncio.subprocess.Process) -> None:
        words: deque[str] = deque(maxlen=LAST_WORDS)
        reading = asyncio.create_task(_keep_words(process.stdout, words)) if process.stdout else None
        try:
            code = await process.wait()
        finally:
            if reading:
                # a grandchild may hold the pipe open: what is there is enough
                await asyncio.wait([reading], timeout=0.1)
                reading.cancel()
        self._running.pop(name, None)
        _signal_group(process.pid, signal.SIGKILL)
        self._died(name, "; ".join([_how(code), *words]))


async def _keep_words(output: asyncio.StreamReader, words: deque[str]) -> None:
    rest = b""
    while data := await output.read(4096):
        *lines, rest = (rest + data).split(b"\n")
        rest = rest[-LINE_LIMIT:]
        words.extend(_clean(line) for line in lines[-LAST_WORDS:] if line.strip())
    if rest.strip():
        words.append(_clean(rest))


def _clean(line: bytes) -> str:
    text = line.decode(errors="replace")
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
