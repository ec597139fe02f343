"""Finding what is left of machines, with processes that only carry the names."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from transom.drivers import remains
from transom.model.ids import new_id
from transom_keeper.sandbox import argv0, tag_of

SLEEP = "import time; time.sleep(600)"
STARTS = """
import os, signal, time
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
print("starts", flush=True)
signal.sigwait({signal.SIGUSR1})
if os.fork():
    os._exit(0)
print(os.getpid(), flush=True)
time.sleep(600)
"""
DEAF = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"


class Actors:
    """Processes that look like keepers and sandboxes; the test's own and nobody else's."""

    def __init__(self) -> None:
        self._all: list[subprocess.Popen[bytes]] = []

    def keeper(self, machine: str, folder: Path, code: str = SLEEP) -> subprocess.Popen[bytes]:
        words = [
            sys.executable,
            "-c",
            code,
            "-m",
            "transom_keeper",
            "--machine",
            machine,
            "--folder",
            str(folder),
        ]
        return self._start(words)

    def sandbox(self, machine: str, tag: str, user: int | None = None) -> subprocess.Popen[bytes]:
        # Another user may not read this one's folders: a program of the system stands in.
        words, program = ([], "/bin/sleep") if user is not None else (["-c", SLEEP], sys.executable)
        return self._start([argv0(machine, tag), *(words or ["600"])], program, user)

    def _start(
        self, words: list[str], program: str = sys.executable, user: int | None = None
    ) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(words, executable=program, stdout=subprocess.PIPE, user=user, cwd="/")
        self._all.append(process)
        # exec closes its pipe to us a moment before the new command line can be read
        end = time.monotonic() + 10
        while not Path(f"/proc/{process.pid}/cmdline").read_bytes().startswith(words[0].encode()):
            assert time.monotonic() < end
            time.sleep(0.001)
        if DEAF in words:
            assert process.stdout is not None
            process.stdout.readline()
        return process

    def close(self) -> None:
        for process in self._all:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


@pytest.fixture
def actors() -> Iterator[Actors]:
    made = Actors()
    yield made
    made.close()


def test_folders_that_are_machines(tmp_path: Path) -> None:
    machine = new_id("mch")
    for name in (machine, "mch_short", "..x", "lost+found"):
        (tmp_path / name).mkdir()
    assert remains.machines(tmp_path) == [machine]
    assert remains.machines(tmp_path / "gone") == []


def test_the_lock_tells_whether_a_keeper_lives(tmp_path: Path) -> None:
    assert not remains.kept(tmp_path)
    descriptor = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    assert remains.kept(tmp_path) and remains.running(tmp_path)
    (tmp_path / "exit.json").touch()
    assert remains.kept(tmp_path) and not remains.running(tmp_path)
    os.close(descriptor)
    assert not remains.kept(tmp_path)
    assert not remains.kept(tmp_path / "gone")


def test_a_link_in_a_machine_s_place_is_no_machine(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    descriptor = os.open(tmp_path / "real", os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    assert not remains.kept(tmp_path / "link")
    os.close(descriptor)


def test_processes_are_ours_by_folder_and_tag(tmp_path: Path, actors: Actors) -> None:
    machine, other = new_id("mch"), new_id("mch")
    ours = actors.keeper(machine, tmp_path / machine)
    inside = actors.sandbox(machine, tag_of(tmp_path / machine))
    actors.keeper(machine, tmp_path / "elsewhere" / machine)
    actors.keeper(other, tmp_path / machine)
    actors.sandbox(other, "0" * 8)
    actors.keeper("mch_x", tmp_path / "mch_x")
    found = {(each.pid, each.machine, each.keeper) for each in remains.processes(tmp_path)}
    assert found == {(ours.pid, machine, True), (inside.pid, machine, False)}
    assert remains.starting(tmp_path, machine) and not remains.starting(tmp_path, other)


def test_another_user_imitates_nothing(
    tmp_path: Path, actors: Actors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What runs as neither root nor a machine's user only carries such a name. Without root nobody else can be
    had here: the looker then takes itself for root, and its own user for a stranger."""
    machine, tag = new_id("mch"), tag_of(tmp_path / "any")
    stranger = 64_321 if os.geteuid() == 0 else os.getuid()
    process = actors.sandbox(machine, tag, stranger if os.geteuid() == 0 else None)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    uids = range(stranger, stranger + 1)
    assert [each.pid for each in remains.processes(tmp_path, uids)] == [process.pid]
    assert list(remains.processes(tmp_path, range(stranger + 1, stranger + 9))) == []
    assert remains.end_processes(tmp_path, machine, 1, 5, range(0))
    assert process.poll() is None


def reap(*processes: subprocess.Popen[bytes]) -> list[int]:
    return [process.wait(10) for process in processes]


def test_a_keeper_is_asked_to_end_before_anybody_is_killed(tmp_path: Path, actors: Actors) -> None:
    machine = new_id("mch")
    keeper = actors.keeper(machine, tmp_path / machine)
    neighbour = actors.keeper(other := new_id("mch"), tmp_path / other)
    assert remains.end_processes(tmp_path, machine, grace=60, seconds=60)
    assert reap(keeper) == [-15]
    assert neighbour.poll() is None


def test_a_keeper_that_hands_itself_on_while_it_is_looked_for_is_found(
    tmp_path: Path, actors: Actors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list of processes was made before the fork, and is read when who forked has ended."""
    machine, look = new_id("mch"), os.scandir
    keeper = actors.keeper(machine, tmp_path / machine, STARTS)
    assert keeper.stdout is not None and keeper.stdout.readline() == b"starts\n"

    def slow(path: str) -> list[os.DirEntry[str]]:
        with look(path) as entries:
            listed = list(entries)
        if keeper.returncode is None:
            keeper.send_signal(signal.SIGUSR1)
            keeper.wait(10)
        return listed

    monkeypatch.setattr(os, "scandir", slow)
    assert remains.end_processes(tmp_path, machine, grace=60, seconds=60)
    heir = int(keeper.stdout.readline())
    left = heir in [each.pid for each in remains.processes(tmp_path)]
    with contextlib.suppress(ProcessLookupError):
        os.kill(heir, signal.SIGKILL)
    assert not left


def test_whoever_does_not_listen_is_killed_and_orphans_at_once(tmp_path: Path, actors: Actors) -> None:
    machine = new_id("mch")
    keeper = actors.keeper(machine, tmp_path / machine, DEAF)
    inside = actors.sandbox(machine, tag_of(tmp_path / machine))
    assert remains.end_processes(tmp_path, machine, grace=0.1, seconds=60)
    assert reap(keeper, inside) == [-9, -9]
    orphan = actors.sandbox(machine, tag_of(tmp_path / machine))
    began = time.monotonic()
    assert remains.end_processes(tmp_path, machine, grace=60, seconds=60)
    assert reap(orphan) == [-9] and time.monotonic() - began < 30


def test_patience_has_an_end(tmp_path: Path, actors: Actors) -> None:
    machine = new_id("mch")
    actors.keeper(machine, tmp_path / machine, DEAF)
    assert not remains.end_processes(tmp_path, machine, grace=60, seconds=0.05)


def test_groups_of_ours_are_found_where_they_were_ever_made_and_removed(tmp_path: Path) -> None:
    folder, base, machine = tmp_path / "machines", tmp_path / "cgroup" / "transom", new_id("mch")
    folder.mkdir()
    base.mkdir(parents=True)
    (folder / ".cgroups").write_text(f"{base}\nnot a path\n{tmp_path}/gone\n")
    ours = base / f"{machine}-{tag_of(folder / 'any')}"
    ours.mkdir()
    (base / f"{machine}-{'0' * 8}").mkdir()
    (base / "other").mkdir()
    assert list(remains.groups(folder)) == [(machine, ours)]
    assert remains.end_groups(folder, machine, 5)
    assert list(remains.groups(folder)) == [] and (base / "other").exists()
    assert remains.end_groups(folder, machine, 5)


def test_a_group_that_will_not_go_is_said(tmp_path: Path) -> None:
    folder, machine = tmp_path / "machines", new_id("mch")
    folder.mkdir()
    (folder / ".cgroups").write_text(f"{tmp_path}\n")
    (tmp_path / f"{machine}-{tag_of(folder / 'any')}" / "inner").mkdir(parents=True)
    assert not remains.end_groups(folder, machine, 0.05)


def test_bases_are_noted_once(tmp_path: Path) -> None:
    remains.note_bases(tmp_path)
    remains.note_bases(tmp_path)
    lines = (tmp_path / ".cgroups").read_text().splitlines() if (tmp_path / ".cgroups").exists() else []
    assert len(lines) == len(set(lines))


def test_a_closed_folder_keeps_its_logs_and_a_removed_one_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    for name in ("keeper.sock", "keeper.log"):
        (folder / name).touch()
    remains.close_folder(folder)
    remains.close_folder(folder)
    assert [each.name for each in folder.iterdir()] == ["keeper.log"]
    remains.remove_folder(folder)
    remains.remove_folder(folder)
    remains.close_folder(folder)
    assert not folder.exists()
