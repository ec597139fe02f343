"""The helper's socket: who calls, and what they are told when things go wrong."""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from tests.support.helper_lab import TAG
from transom_helper import server
from transom_helper.admission import Admission
from transom_helper.refusal import Refusal
from transom_helper.server import Answer
from transom_keeper import packets
from transom_wire.helper import FROM_HELPER, Denied, Found, HelperAnswer, HelperRequest, Removed, Survey


class Scripted:
    """Verbs that do what a test says."""

    def __init__(self) -> None:
        self.answer: Answer | Exception = Answer(Removed())
        self.got: list[tuple[int, HelperRequest, int]] = []

    def __call__(self, uid: int, request: HelperRequest, descriptors: list[int]) -> Answer:
        self.got.append((uid, request, len(descriptors)))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def verbs() -> Scripted:
    return Scripted()


@pytest.fixture
def admission() -> Admission:
    return Admission(frozenset(), range(0))


@pytest.fixture
def peer(verbs: Scripted, admission: Admission) -> Iterator[socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    thread = threading.Thread(target=server.connection, args=(theirs, os.geteuid(), admission, verbs))
    thread.start()
    ours.settimeout(10)
    with ours:
        yield ours
    thread.join(10)
    assert not thread.is_alive()


def ask(peer: socket.socket, descriptors: tuple[int, ...] = ()) -> tuple[HelperAnswer, list[int]]:
    packets.send(peer, Survey(TAG), descriptors)
    return packets.receive(peer, FROM_HELPER)


def test_requests_one_by_one(peer: socket.socket, verbs: Scripted) -> None:
    for _ in range(3):
        assert ask(peer) == (Removed(), [])
    assert verbs.got == [(os.geteuid(), Survey(TAG), 0)] * 3


def test_descriptors_are_handed_out_and_not_kept(peer: socket.socket, verbs: Scripted) -> None:
    reader, writer = os.pipe()
    verbs.answer = Answer(Found(()), (writer,))
    answer, got = ask(peer)
    assert answer == Found(()) and len(got) == 1
    packets.close(got)
    assert os.read(reader, 1) == b""  # nobody has the other end any more
    os.close(reader)


def test_a_caller_s_descriptors_are_closed(peer: socket.socket, verbs: Scripted) -> None:
    reader, writer = os.pipe()
    verbs.answer = Refusal("no")
    ask(peer, (writer,))
    os.close(writer)
    assert os.read(reader, 1) == b""
    assert verbs.got[0][2] == 1
    os.close(reader)


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (Refusal("no such thing", "do that"), Denied("no such thing", "do that")),
        (Refusal("r" * 900, "m" * 900), Denied("r" * 500, "m" * 500)),
        (
            PermissionError(1, "Operation not permitted", "/secret/path"),
            Denied("the host refused: Operation not permitted"),
        ),
        (KeyError("secret"), Denied("the helper failed", "see its log")),
    ],
)
def test_a_failure_is_an_answer(
    peer: socket.socket, verbs: Scripted, failure: Exception, told: Denied
) -> None:
    verbs.answer = failure
    assert ask(peer) == (told, [])
    verbs.answer = Answer(Removed())
    assert ask(peer) == (Removed(), [])


def test_nonsense_ends_the_connection_and_is_counted(peer: socket.socket, admission: Admission) -> None:
    peer.send(b'{"type": "format_disk"}')
    answer, _ = packets.receive(peer, FROM_HELPER)
    assert isinstance(answer, Denied) and "no request" in answer.reason
    with pytest.raises(packets.Closed):
        packets.receive(peer, FROM_HELPER)
    assert admission.turned_away == {"packets": 1}


def test_a_silent_caller_is_let_go(
    verbs: Scripted, admission: Admission, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "SILENCE_SECONDS", 0.05)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        server.connection(theirs, 0, admission, verbs)
        assert ours.recv(10) == b""


def test_a_connection_has_an_end(
    verbs: Scripted, admission: Admission, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "CONNECTION_SECONDS", 0.2)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    thread = threading.Thread(target=server.connection, args=(theirs, os.geteuid(), admission, verbs))
    thread.start()
    ours.settimeout(10)
    with ours, pytest.raises((packets.Closed, BrokenPipeError, ConnectionResetError)):
        while True:
            ask(ours)
    thread.join(10)
    assert not thread.is_alive()


class Listener:
    """Accepts as a test says; its end is one that no waiting mends."""

    def __init__(self, *script: int | socket.socket) -> None:
        self.script = list(script)

    def accept(self) -> tuple[socket.socket, None]:
        said = self.script.pop(0) if self.script else errno.EBADF
        if isinstance(said, int):
            raise OSError(said, os.strerror(said))
        return said, None


def test_what_cannot_be_taken_in_now_ends_no_helper(
    verbs: Scripted, admission: Admission, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "PAUSE_SECONDS", 0.01)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(10)
    passing = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ECONNABORTED)
    with ours, pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        server.serve(cast(socket.socket, Listener(*passing, theirs)), admission, verbs)
    assert verbs.got == []


def test_a_connection_for_which_no_thread_starts_is_closed_and_does_not_count(
    verbs: Scripted, admission: Admission, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(server, "PAUSE_SECONDS", 0.01)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with monkeypatch.context() as patch, pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        patch.setattr(threading.Thread, "start", fails)
        server.serve(cast(socket.socket, Listener(theirs)), admission, verbs)
    with ours:
        ours.settimeout(10)
        assert ours.recv(10) == b""
    assert admission._open.total() == 0


def test_where_it_listens(tmp_path: Path) -> None:
    place = tmp_path / "s"
    tmp_path.chmod(0o755)
    with server.bind(place) as listener, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as caller:
        caller.connect(str(place))
        accepted, _ = listener.accept()
        with accepted:
            assert server.credentials(accepted) == (os.getpid(), os.geteuid())
    server.bind(place).close()  # in the place of a dead helper's
    place.unlink()
    place.write_text("something else")
    with pytest.raises(Refusal, match="no socket"):
        server.bind(place)
    tmp_path.chmod(0o777)
    with pytest.raises(Refusal, match="others may write"):
        server.bind(tmp_path / "other")


def test_no_socket_is_passed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LISTEN_PID", raising=False)
    assert server.passed_socket() is None
    monkeypatch.setenv("LISTEN_PID", "1")
    monkeypatch.setenv("LISTEN_FDS", "1")
    assert server.passed_socket() is None
