from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

from transom_guest.desktop.display import is_chatter
from transom_guest.processes import LINE_LIMIT, Children

Deaths = asyncio.Queue[tuple[str, str]]


def children() -> tuple[Children, Deaths]:
    deaths: Deaths = asyncio.Queue()
    return Children(lambda name, how: deaths.put_nowait((name, how))), deaths


async def run(
    script: str, *, quiet: bool = True, noise: Callable[[str], bool] = lambda line: False
) -> tuple[str, str]:
    running, deaths = children()
    argv, env = ["/bin/sh", "-c", script], {"PATH": "/bin:/usr/bin"}
    assert await running.start("x", argv, env, quiet=quiet, noise=noise)
    async with asyncio.timeout(10):
        return await deaths.get()


async def test_a_death_tells_how_and_the_last_words() -> None:
    assert await run("echo one; echo two >&2; printf three; exit 3") == ("x", "exit 3; one; two; three")


async def test_only_the_last_words_are_kept() -> None:
    _, how = await run("i=0; while [ $i -lt 2000 ]; do echo line$i; i=$((i+1)); done")
    assert how == "exit 0; line1997; line1998; line1999"


async def test_a_signal_has_its_name() -> None:
    assert (await run("kill -SEGV $$"))[1] == "signal SIGSEGV"


async def test_who_is_ended_from_outside_has_no_last_words() -> None:
    for name in ("SIGKILL", "SIGTERM"):
        assert await run(f"echo figures; kill -{name[3:]} $$") == ("x", f"signal {name}")


async def test_chatter_does_not_crowd_out_the_reason() -> None:
    statistics = "echo ' ComparingUpdateTracker: 0 pixels in / 0 pixels out';"
    _, how = await run(f"echo '(EE) no memory'; {statistics * 5} exit 1", noise=is_chatter)
    assert how == "exit 1; (EE) no memory"


async def test_unprintable_and_endless_lines_are_tamed() -> None:
    _, how = await run(r"printf '\033[31mred\007\n'; head -c 100000 /dev/zero | tr '\0' a")
    words = how.split("; ")
    assert words[1] == "[31mred"
    assert all(len(word) <= LINE_LIMIT for word in words)


async def test_what_cannot_start_is_a_death() -> None:
    running, deaths = children()
    assert not await running.start("x", ["/nonexistent/program"], {}, quiet=False)
    assert deaths.get_nowait() == ("x", "cannot be started: No such file or directory")


async def test_the_environment_is_exactly_what_is_given() -> None:
    os.environ["LEAK"] = "1"
    try:
        assert (await run("echo [$LEAK]"))[1] == "exit 0; []"
    finally:
        del os.environ["LEAK"]


async def test_stop_ends_grandchildren_and_the_stubborn(tmp_path: Path) -> None:
    running, _ = children()
    pids = tmp_path / "pids"
    script = (
        "import os, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); pid = os.fork()\n"
        "open(sys.argv[1], 'a').write(f'{os.getpid()}\\n'); time.sleep(600)"
    )
    await running.start("x", [sys.executable, "-c", script, str(pids)], dict(os.environ), quiet=True)
    async with asyncio.timeout(10):
        while not pids.exists() or len(pids.read_text().splitlines()) < 2:
            await asyncio.sleep(0.01)
        await running.stop()
        for pid in pids.read_text().split():
            while alive(int(pid)):
                await asyncio.sleep(0.01)


async def test_a_dead_programs_group_goes_with_it(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    await run(f"sleep 600 & echo $! > {pid_file}")
    async with asyncio.timeout(10):
        while alive(int(pid_file.read_text())):
            await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
