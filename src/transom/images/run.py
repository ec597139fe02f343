"""Runs the builder's outside programs: with a deadline, line by line, ended as a group."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from transom.images.errors import ImageError

KEPT_LINES = 15
"""Lines of output that are shown when a program fails."""
END_DEADLINE = 20.0
"""Seconds a program has to clean up (mmdebstrap unmounts) before it is killed."""


def run(
    argv: Sequence[str],
    *,
    deadline: float,
    mend: str,
    saw: Callable[[str], None] = lambda line: None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> str:
    """Run `argv` for at most `deadline` seconds; `saw` gets each line. Returns the output's last lines.

    Raises ImageError with those lines and `mend` when it fails.
    """
    try:
        process = _started(argv, cwd, env)
    except OSError as error:
        raise ImageError(f"{argv[0]} cannot be run: {error.strerror}", mend=mend) from error
    late = threading.Event()

    def cut() -> None:
        late.set()
        _end(process)

    timer = threading.Timer(deadline, cut)
    timer.start()
    lines: deque[str] = deque(maxlen=KEPT_LINES)
    try:
        assert process.stdout
        for line in process.stdout:
            lines.append(line.rstrip())
            saw(line.rstrip())
        code = process.wait()
    except BaseException:
        _end(process)
        raise
    finally:
        timer.cancel()
    if late.is_set():
        raise ImageError(f"{argv[0]} did not end in {deadline:.0f} s", mend=mend)
    if code:
        raise ImageError("\n".join([f"{argv[0]} failed (exit {code}):", *lines]), mend=mend)
    return "\n".join(lines)


def inside(root: Path, argv: Sequence[str], *, writes: bool = True, options: Sequence[str] = ()) -> list[str]:
    """`argv` run in `root` as its root user, with no network: the builder's own bubblewrap sandbox.
    `options` are more of bubblewrap's; without `writes` the root is read-only."""
    user = [] if os.geteuid() == 0 else ["--unshare-user", "--uid", "0", "--gid", "0"]
    return [
        *("bwrap", *user, "--unshare-pid", "--unshare-net", "--unshare-ipc", "--die-with-parent"),
        *("--bind" if writes else "--ro-bind", str(root), "/", "--proc", "/proc", "--dev", "/dev"),
        *("--tmpfs", "/tmp", "--tmpfs", "/run"),  # noqa: S108
        *("--clearenv", "--setenv", "PATH", "/usr/sbin:/usr/bin:/sbin:/bin", "--setenv", "LANG", "C.UTF-8"),
        *("--setenv", "HOME", "/tmp", "--chdir", "/", *options, *argv),  # noqa: S108
    ]


def missing(tools: Mapping[str, str]) -> list[str]:
    """The Debian packages of those `tools` (command -> package) that are not installed."""
    return sorted({package for command, package in tools.items() if shutil.which(command) is None})


def _started(argv: Sequence[str], cwd: Path | None, env: Mapping[str, str] | None) -> subprocess.Popen[str]:
    """In a group of its own, with one stream of output. Raises OSError."""
    return subprocess.Popen(
        list(argv),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        cwd=cwd,
        env=dict(env) if env is not None else None,
        start_new_session=True,
    )


def _end(process: subprocess.Popen[str]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_DEADLINE)
            return
