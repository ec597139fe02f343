"""The init's hand-over, played with a keeper in the same process on other ports."""

from __future__ import annotations

import ast
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from transom_guest import init


@pytest.fixture(autouse=True)
def _free_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LINK_PORT", "FORWARDER_PORT"):
        monkeypatch.setattr(init, name, 0)


def with_keeper(play: Callable[[socket.socket], object]) -> object:
    """The init's outcome while `play` is the keeper in another thread."""
    keeper, inside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    thread = threading.Thread(target=play, args=(keeper,))
    thread.start()
    try:
        return init.hand_over(inside)
    finally:
        inside.close()
        thread.join()
        keeper.close()


def test_sockets_go_out_and_a_token_comes_in() -> None:
    taken: list[socket.socket] = []

    def play(keeper: socket.socket) -> None:
        _, descriptors, _, _ = socket.recv_fds(keeper, 64, 64)
        taken.extend(socket.socket(fileno=each) for each in descriptors)
        keeper.send(b"token")

    before = len(os.listdir("/proc/self/fd"))
    assert with_keeper(play) == b"token"
    assert len(taken) == 2 + init.DOOR_SOCKETS
    link, forwarder, *door = taken
    for each in (link, forwarder):
        assert each.type == socket.SOCK_STREAM and each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    assert all(each.type == socket.SOCK_DGRAM and each.getsockname()[1] for each in door)
    assert {each.getsockname()[0] for each in taken} == {"127.0.0.1"}
    for each in taken:
        each.close()
    assert len(os.listdir("/proc/self/fd")) == before, "the init keeps no copy"


def test_a_keeper_that_refuses_ends_the_init() -> None:
    def play(keeper: socket.socket) -> None:
        for each in socket.recv_fds(keeper, 64, 64)[1]:
            os.close(each)
        keeper.shutdown(socket.SHUT_RDWR)

    with pytest.raises(OSError, match="refused"):
        with_keeper(play)


def test_a_keeper_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(init, "KEEPER_SECONDS", 0.05)
    with pytest.raises(TimeoutError):
        with_keeper(lambda keeper: None)


def test_the_token_is_the_next_program_s_first_line() -> None:
    code = (
        "import os, sys; from transom_guest.init import put_on_stdin; put_on_stdin(b'secret');"
        "os.execv(sys.executable, [sys.executable, '-c', 'print(input(), end=str())'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "secret"


def test_it_needs_nothing_but_the_standard_library_s_core() -> None:
    tree = ast.parse(Path(init.__file__).read_text())
    imported = {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    } | {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported == {"__future__", "os", "socket"}


def test_it_binds_what_the_keeper_expects() -> None:
    from transom_keeper import sandbox

    source = Path(init.__file__).read_text()
    assert f"LINK_PORT = {sandbox.LINK_PORT}\n" in source
    assert f"FORWARDER_PORT = {sandbox.FORWARDER_PORT}\n" in source
    assert f"DOOR_SOCKETS = {sandbox.DOOR_SOCKETS}\n" in source
    assert f'LOOPBACK = "{sandbox.LOOPBACK}"\n' in source
    assert sandbox.INIT_FD_VARIABLE in source
