from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.keeper_config import config
from transom_keeper import start
from transom_keeper.start import StartError, bind_door, read_config
from transom_wire.codec import encode
from transom_wire.framing import pack


def piped(data: bytes) -> int:
    reader, writer = os.pipe()
    os.write(writer, data)
    os.close(writer)
    return reader


def test_the_configuration_is_one_frame() -> None:
    stream = piped(pack(encode(config())))
    assert read_config(stream) == config()
    os.close(stream)


@given(st.one_of(st.binary(max_size=200), st.binary(max_size=200).map(lambda each: pack(each or b"x"))))
def test_anything_else_is_an_error_in_words(data: bytes) -> None:
    stream = piped(data)
    with pytest.raises(StartError):
        read_config(stream)
    os.close(stream)


def test_a_door_gets_a_free_port_of_its_range() -> None:
    with bind_door("127.0.0.1", 43000, 43999) as public:
        address, port = public.getsockname()
        assert address == "127.0.0.1" and 43000 <= port <= 43999
        assert not public.getblocking()


def test_a_door_s_range_that_is_taken_or_empty_is_an_error_with_a_mend() -> None:
    with bind_door("127.0.0.1", 43000, 43999) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match="no free UDP port") as error:
            bind_door("127.0.0.1", port, port)
        assert "widen" in error.value.mend
    with pytest.raises(StartError, match="empty"):
        bind_door("127.0.0.1", 43999, 43000)


def test_an_address_that_is_not_this_host_s_means_all() -> None:
    with bind_door("192.0.2.1", 43000, 43999) as public:
        assert public.getsockname()[0] == "0.0.0.0"


def test_a_door_may_be_of_ipv6() -> None:
    with bind_door("2001:db8::1", 43000, 43999) as public:
        assert public.family == socket.AF_INET6


def test_one_folder_has_one_keeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "CLAIM_TRIES", 2)
    holder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    with pytest.raises(StartError, match="keeper already"):
        start._claim(tmp_path)
    os.close(holder)
    start._claim(tmp_path)


def run(arguments: list[str], said: bytes) -> subprocess.CompletedProcess[bytes]:
    told = [sys.executable, "-m", "transom_keeper", *arguments]
    return subprocess.run(told, input=said, capture_output=True, timeout=60, check=False)


def test_a_keeper_called_wrongly_says_so_and_starts_nothing(tmp_path: Path) -> None:
    wanted = config(folder=str(tmp_path))
    other = run(["--machine", "mch_b", "--folder", str(tmp_path)], pack(encode(wanted)))
    assert other.returncode == 1 and b"another machine" in other.stdout
    cut = run(["--machine", "mch_b", "--folder", str(tmp_path)], b"\0\0")
    assert cut.returncode == 1 and b"cut short" in cut.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_failure_in_the_daemon_reaches_the_caller(tmp_path: Path) -> None:
    wanted = config(folder=str(tmp_path / "gone"), uid=os.getuid() or 4_000_000)
    done = run(["--machine", wanted.machine, "--folder", wanted.folder], pack(encode(wanted)))
    assert done.returncode == 1 and b"error" in done.stdout and b"gone" in done.stdout


def test_root_is_never_who_a_machine_is(tmp_path: Path) -> None:
    for uid in (0, None) if os.geteuid() == 0 else (0,):
        wanted = config(folder=str(tmp_path), uid=uid)
        done = run(["--machine", wanted.machine, "--folder", wanted.folder], pack(encode(wanted)))
        assert done.returncode == 1 and b"never runs as root" in done.stdout
    assert list(tmp_path.iterdir()) == []
