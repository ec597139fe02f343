"""The socket: who calls, one request a packet, a thread for each connection, and an end to each."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
import stat
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from transom_helper.admission import Admission
from transom_helper.refusal import Refusal
from transom_keeper import packets
from transom_wire.helper import TO_HELPER, Denied, HelperAnswer, HelperRequest

logger = logging.getLogger("helper")

BACKLOG = 256
CONNECTION_SECONDS = 60.0
"""The longest life of a connection; a request under way is finished."""
SILENCE_SECONDS = 10.0
PAUSE_SECONDS = 0.25
"""After a connection that could not be taken in: descriptors, memory or threads come back as callers end."""
_PASSING = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ECONNABORTED, errno.EPERM}
"""What accept(2) says of a moment, and not of the socket."""
_CREDENTIALS = struct.Struct("3i")
"""struct ucred: pid, uid, gid (unix(7))."""
_FIRST_PASSED = 3
"""SD_LISTEN_FDS_START (sd_listen_fds(3))."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said, and the descriptors beside it, which the server closes."""

    message: HelperAnswer
    descriptors: tuple[int, ...] = ()


Verbs = Callable[[int, HelperRequest, list[int]], Answer]
"""(caller's user, request, its descriptors, which the server closes) -> answer. Raises Refusal, OSError."""


def passed_socket() -> socket.socket | None:
    """The listening socket that systemd made, when it did."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        return None
    listener = socket.socket(fileno=_FIRST_PASSED)
    if (listener.family, listener.type) != (socket.AF_UNIX, socket.SOCK_SEQPACKET):
        raise Refusal("the socket passed in is not a unix socket of packets", "use ListenSequentialPacket=")
    listener.set_inheritable(False)
    return listener


def bind(path: Path) -> socket.socket:
    """Listen at `path`; what was left there by an earlier helper goes. Everybody may connect: who may ask is
    told by the peer's credentials. Raises Refusal, OSError."""
    if path.parent.stat().st_uid != os.geteuid() or path.parent.stat().st_mode & (
        stat.S_IWGRP | stat.S_IWOTH
    ):
        raise Refusal(f"others may write to {path.parent}", f"chmod 755 {path.parent}")
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise Refusal(f"{path} is there and is no socket", f"rm {path}")
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(path))
    path.chmod(0o666)
    listener.listen(BACKLOG)
    return listener


def credentials(peer: socket.socket) -> tuple[int, int]:
    """(pid, uid) of whoever connected."""
    pid, uid, _ = _CREDENTIALS.unpack(
        peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    )
    return pid, uid % 2**32


def serve(listener: socket.socket, admission: Admission, verbs: Verbs) -> None:
    """Take connections in, for ever."""
    while True:
        try:
            peer, _ = listener.accept()
            with contextlib.ExitStack() as undo:
                undo.callback(peer.close)
                _take_in(peer, admission, verbs)
                undo.pop_all()
        except _TurnedAway as turned:
            logger.warning("turned away: %s", turned)
        except OSError as error:
            if error.errno not in _PASSING:
                raise
            logger.warning("no connection can be taken in now: %s", error.strerror)
            time.sleep(PAUSE_SECONDS)


class _TurnedAway(Exception):
    """A caller that may not come in; says who."""


def _take_in(peer: socket.socket, admission: Admission, verbs: Verbs) -> None:
    """Give the connection a thread, which closes it. Raises _TurnedAway, OSError."""
    pid, uid = credentials(peer)
    if not admission.enter(uid):
        raise _TurnedAway(f"user {uid}, process {pid}")
    try:
        threading.Thread(target=connection, args=(peer, uid, admission, verbs), daemon=True).start()
    except RuntimeError as error:
        admission.leave(uid)
        raise OSError(errno.ENOMEM, "no thread can be started") from error


def connection(peer: socket.socket, uid: int, admission: Admission, verbs: Verbs) -> None:
    """One caller that has been let in, to its end."""
    with peer:
        try:
            _converse(peer, uid, admission, verbs)
        except (packets.Closed, TimeoutError):
            return
        except OSError as error:
            logger.info("a connection of user %d broke: %s", uid, error.strerror)
        finally:
            admission.leave(uid)


def _converse(peer: socket.socket, uid: int, admission: Admission, verbs: Verbs) -> None:
    """Requests one by one until the caller closes, says nonsense, or has had its time."""
    end = time.monotonic() + CONNECTION_SECONDS
    while (left := end - time.monotonic()) > 0:
        peer.settimeout(min(left, SILENCE_SECONDS))
        request: HelperRequest
        try:
            request, descriptors = packets.receive(peer, TO_HELPER)
        except packets.PacketError as error:
            admission.count("packets")
            logger.warning("user %d sent no request: %s", uid, error)
            packets.send(peer, Denied(f"this is no request: {error}"[:500]))
            return
        try:
            answer = _answer(uid, request, descriptors, admission, verbs)
        finally:
            packets.close(descriptors)
        try:
            packets.send(peer, answer.message, answer.descriptors)
        finally:
            packets.close(answer.descriptors)


def _answer(
    uid: int, request: HelperRequest, descriptors: list[int], admission: Admission, verbs: Verbs
) -> Answer:
    machine = getattr(request, "machine", "")
    try:
        admission.request(uid, time.monotonic())
        with admission.descriptors(uid, len(descriptors)):
            answer = verbs(uid, request, descriptors)
        logger.info("user %d: %s %s", uid, request.TYPE, machine)
        return answer
    except Refusal as refusal:
        logger.warning("user %d: %s %s refused: %s", uid, request.TYPE, machine, refusal.reason)
        return Answer(Denied(refusal.reason[:500], refusal.mend[:500]))
    except OSError as error:
        logger.exception("user %d: %s %s failed", uid, request.TYPE, machine)
        return Answer(Denied(f"the host refused: {error.strerror or 'unknown error'}"[:500]))
    except Exception:
        logger.exception("user %d: %s %s failed", uid, request.TYPE, machine)
        return Answer(Denied("the helper failed", "see its log"))
