"""What a caller's descriptors must be."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.unit.transom_helper.test_living import new_network
from transom_helper import descriptors as given
from transom_helper.refusal import Refusal


@contextmanager
def opened(path: Path | str, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_text("content")
    path.chmod(0o644)
    return path


def test_counts() -> None:
    given.expect([3, 4], 2)
    for wrong in ([], [3], [3, 4, 5]):
        with pytest.raises(Refusal, match="2 expected"):
            given.expect(wrong, 2)


def test_a_file_to_read(file: Path) -> None:
    with opened(file, os.O_RDONLY) as descriptor:
        given.readable(descriptor, "kernel", 5000)
        file.chmod(0o600)
        with pytest.raises(Refusal, match="5000 may not read"):
            given.readable(descriptor, "kernel", 5000)
        os.chown(file, 5000, 5000)
        given.readable(descriptor, "kernel", 5000)


@pytest.mark.parametrize("flags", [os.O_RDWR, os.O_WRONLY, os.O_PATH])
def test_a_file_to_read_is_open_for_nothing_else(file: Path, flags: int) -> None:
    with opened(file, flags) as descriptor, pytest.raises(Refusal):
        given.readable(descriptor, "kernel", 5000)


def test_a_file_to_write(file: Path) -> None:
    os.chown(file, 1000, 1000)
    with opened(file, os.O_RDWR) as descriptor:
        given.writable(descriptor, "overlay", frozenset({1000, 5000}))
        with pytest.raises(Refusal, match="another user's"):
            given.writable(descriptor, "overlay", frozenset({0, 5000}))
        os.link(file, file.with_name("other"))
        with pytest.raises(Refusal, match="more than one name"):
            given.writable(descriptor, "overlay", frozenset({1000}))
    with opened(file, os.O_RDONLY) as descriptor, pytest.raises(Refusal, match="not open"):
        given.writable(descriptor, "overlay", frozenset({1000}))


def test_what_is_no_plain_file() -> None:
    wrong: list[tuple[str, int]] = [
        ("/dev/zero", os.O_RDONLY),
        ("/", os.O_RDONLY | os.O_DIRECTORY),
        ("/dev/null", os.O_RDWR),
    ]
    for path, flags in wrong:
        with opened(path, flags) as descriptor, pytest.raises(Refusal, match="no plain file"):
            (given.writable if flags == os.O_RDWR else given.readable)(descriptor, "it", *_rest(flags))
    with socket.socket() as other, pytest.raises(Refusal, match="no plain file"):
        given.readable(other.fileno(), "it", 5000)


def _rest(flags: int) -> tuple[object]:
    return (frozenset({0}),) if flags == os.O_RDWR else (5000,)


def test_a_pipe_s_write_end(file: Path) -> None:
    reader, writer = os.pipe()
    given.pipe_end(writer, "console")
    for wrong in (reader, 0):
        with pytest.raises(Refusal, match="no pipe"):
            given.pipe_end(wrong, "console")
    with opened(file, os.O_WRONLY) as descriptor, pytest.raises(Refusal, match="no pipe"):
        given.pipe_end(descriptor, "console")
    os.close(reader)
    os.close(writer)


def test_a_network_is_one_that_root_made_and_not_the_host_s() -> None:
    made = new_network()
    given.network(made)
    os.close(made)
    for path in ("/proc/self/ns/net", "/proc/self/ns/mnt", os.devnull):
        with opened(path, os.O_RDONLY) as descriptor, pytest.raises(Refusal, match="no machine's network"):
            given.network(descriptor)


def test_a_network_that_a_user_made_for_itself_is_none() -> None:
    """Its rules are whatever that user likes."""
    child = subprocess.Popen(
        ["unshare", "--user", "--net", "sh", "-c", "echo there; exec sleep 60"],
        stdout=subprocess.PIPE,
        user=64001,
        group=64001,
        extra_groups=[],
    )
    try:
        assert child.stdout is not None and child.stdout.readline() == b"there\n"
        with (
            opened(f"/proc/{child.pid}/ns/net", os.O_RDONLY) as descriptor,
            pytest.raises(Refusal, match="no machine's network"),
        ):
            given.network(descriptor)
    finally:
        child.kill()
        child.communicate()


def test_a_process_of_the_right_user() -> None:
    child = subprocess.Popen(["sleep", "60"], user=64001, group=64001, extra_groups=[])
    pidfd = os.pidfd_open(child.pid)
    try:
        assert given.process(pidfd, 64001) == child.pid
        assert given.process(pidfd, None) == child.pid
        with pytest.raises(Refusal, match="another user's"):
            given.process(pidfd, 64002)
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        child.wait()
        with pytest.raises(Refusal, match="no living process"):
            given.process(pidfd, 64001)
    finally:
        os.close(pidfd)


def test_what_is_no_process(file: Path) -> None:
    with opened(file, os.O_RDONLY) as descriptor, pytest.raises(Refusal, match="no living process"):
        given.process(descriptor, None)
