"""Firecracker in its jail: what the jailer is told, what the jail holds, how it starts and how it goes."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from transom_helper import descriptors as given
from transom_helper import mounts, namespaces
from transom_helper.groups import ended
from transom_helper.jailer import JAILER_SECONDS, PLACES, arguments, fit, gated, jail_id
from transom_helper.refusal import Refusal
from transom_keeper.cgroups import Groups
from transom_wire.helper import StartJail
from transom_wire.vm import JAIL_API

API_SECONDS = 10.0
"""From the jailer's end to an API that answers; 50 ms on a quiet host."""
VERSION_SECONDS = 5.0
END_SECONDS = 8.0
CORE_BYTES = 1
"""No core dumps: zero would still start a `|handler` of core_pattern, as root; one does not."""
_LOOK_SECONDS = 0.01
_ROOT = "root"


@dataclass(frozen=True, slots=True)
class Plan:
    """A jail that may be made: everything in it was looked at."""

    id: str
    program: Path
    """Firecracker as it is now, no link: the jail's folder is in one of its name, which releases change."""
    request: StartJail
    namespace: int
    console: int
    files: tuple[tuple[str, int, bool], ...]
    """(path in the jail, descriptor, whether it may be written to)."""


class Jails:
    """All jails of this host, below `base`."""

    def __init__(self, base: Path, firecracker: Path | None, jailer: Path | None) -> None:
        self._base = base
        self._firecracker, self._jailer = firecracker, jailer
        self._trouble: tuple[object, Refusal | None] | None = None

    def trouble(self) -> str:
        """Why no jail can be made; empty when one can."""
        refusal = self._look()
        return "" if refusal is None else refusal.reason

    def _look(self) -> Refusal | None:
        """Looked at once, and again when one of the two programs was replaced."""
        if self._firecracker is None or self._jailer is None:
            return Refusal("no firecracker is configured", "start the helper with --firecracker and --jailer")
        try:
            seen = [
                (s.st_ino, s.st_mtime_ns, s.st_mode) for s in (self._firecracker.stat(), self._jailer.stat())
            ]
        except OSError as error:
            return Refusal(f"{error.filename}: {error.strerror}", "install firecracker and its jailer")
        if self._trouble is None or self._trouble[0] != seen:
            self._trouble = (seen, fit(self._firecracker, self._jailer, _says))
        return self._trouble[1]

    def plan(self, uid: int, request: StartJail, descriptors: list[int]) -> Plan:
        """What `request` of the caller `uid` means. Raises Refusal."""
        if (refusal := self._look()) is not None:
            raise refusal
        if request.restore and request.save:
            raise Refusal("a jail restores a snapshot or saves one, not both")
        places = PLACES if request.restore or request.save else PLACES[:-2]
        given.expect(descriptors, len(places))
        files: list[tuple[str, int, bool]] = []
        writers = frozenset({uid, request.owner})
        for (what, place, writable), descriptor in zip(places, descriptors, strict=True):
            if not place:
                continue
            writes = writable or (request.save and what.startswith("snapshot"))
            if writes:
                given.writable(descriptor, what, writers)
            else:
                given.readable(descriptor, what, request.owner)
            files.append((place, descriptor, writes))
        given.network(descriptors[0])
        console = descriptors[[what for what, _, _ in places].index("console")]
        given.pipe_end(console, "console")
        assert self._firecracker is not None
        id, program = jail_id(request.tag, request.machine), self._firecracker.resolve()
        return Plan(id, program, request, descriptors[0], console, tuple(files))

    def start(self, plan: Plan, groups: Groups) -> tuple[int, int]:
        """Start it: its pidfd, and a connection to its API. Raises Refusal, OSError; what was made of it then is
        `remove`'s."""
        root = self._base / plan.program.name / plan.id / _ROOT
        root.mkdir(mode=0o700, parents=True)
        for place, descriptor, writable in plan.files:
            os.close(os.open(root / place[1:], os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            if writable:
                os.fchown(descriptor, plan.request.owner, plan.request.owner)
        with _copies(plan) as copies:
            namespaces.apart(lambda: self._run(plan, root, copies, groups))
        pidfd = _process(root, plan.program.name)
        try:
            api = _connect(root, pidfd)
            with contextlib.ExitStack() as undo:
                undo.callback(api.close)
                given.process(pidfd, plan.request.owner)
                undo.pop_all()
            return pidfd, api.detach()
        except BaseException:
            os.close(pidfd)
            raise

    def _run(self, plan: Plan, root: Path, copies: dict[str, int], groups: Groups) -> None:
        """The jailer, from a mount namespace of its own in which the files are in place, until it has ended and
        Firecracker runs. In a thread of its own."""
        assert self._jailer is not None
        namespaces.unshare(namespaces.CLONE_NEWNS)
        mounts.make_private()
        for place, _, writable in plan.files:
            mounts.attach(copies[place], root / place[1:], writable=writable)
        network = f"/proc/{os.getpid()}/fd/{plan.namespace}"
        told = arguments(self._jailer, plan.program, self._base, plan.id, plan.request, network)
        started = subprocess.Popen(
            gated(told),
            stdin=subprocess.PIPE,
            stdout=plan.console,
            stderr=plan.console,
            env={},
            cwd="/",
            umask=0o022,
        )
        assert started.stdin is not None
        with started:
            try:
                resource.prlimit(started.pid, resource.RLIMIT_CORE, (CORE_BYTES, CORE_BYTES))
                for descriptor in groups.joins:
                    os.write(descriptor, str(started.pid).encode())
                started.stdin.write(b"\n")
                started.stdin.close()
                code = started.wait(JAILER_SECONDS)
            except (subprocess.TimeoutExpired, OSError) as error:
                started.kill()
                raise Refusal("the jailer does not get on") from error
        if code != 0:
            raise Refusal(f"the jailer failed with {code}", "see the machine's console log")

    def remove(self, id: str, program: str = "") -> None:
        """End what runs in a jail made for `program` (empty: for any), and remove it. Idempotent. Raises Refusal,
        OSError."""
        folders = [self._base / program / id] if program else self._base.glob(f"*/{id}")
        for folder in folders:
            _end_all_in(folder / _ROOT)
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(folder)


def _process(root: Path, program: str) -> int:
    """The pidfd of the jailed process, whose number the jailer has left. Raises Refusal."""
    try:
        descriptor = os.open(root / f"{program}.pid", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor) as file:
            return os.pidfd_open(int(file.read(16)))
    except (OSError, ValueError) as error:
        raise Refusal("firecracker ended as it started", "see the machine's console log") from error


@contextlib.contextmanager
def _copies(plan: Plan) -> Iterator[dict[str, int]]:
    with contextlib.ExitStack() as stack:
        copies = {}
        for place, descriptor, _ in plan.files:
            copies[place] = mounts.copy(descriptor)
            stack.callback(os.close, copies[place])
        yield copies


def _connect(root: Path, pidfd: int) -> socket.socket:
    """A connection to the API, as soon as there is one. Raises Refusal."""
    deadline = time.monotonic() + API_SECONDS
    folder, name = os.path.split(JAIL_API)
    while time.monotonic() < deadline:
        with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
            # through its folder's descriptor: the whole path may be longer than an address holds
            inside = os.open(root / folder[1:], os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with contextlib.ExitStack() as undo:
                undo.callback(os.close, inside)
                api = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                undo.callback(api.close)
                api.connect(f"/proc/self/fd/{inside}/{name}")
                undo.pop_all()
                os.close(inside)
                return api
        if ended(pidfd):
            raise Refusal("firecracker ended as it started", "see the machine's console log")
        time.sleep(_LOOK_SECONDS)
    raise Refusal("firecracker's API does not answer in time", "see the machine's console log")


def _end_all_in(root: Path) -> None:
    """Kill every process whose root directory this is: where no control group can be had, it is the one thing
    that tells. Raises Refusal when some do not end."""
    deadline = time.monotonic() + END_SECONDS
    while left := list(_inmates(root)):
        if time.monotonic() > deadline:
            raise Refusal("processes of the jail do not end", "ask again later")
        for pid in left:
            with contextlib.suppress(OSError):
                pidfd = os.pidfd_open(pid)
                try:
                    if pid in _inmates(root):
                        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                finally:
                    os.close(pidfd)
        time.sleep(_LOOK_SECONDS)


def _inmates(root: Path) -> Iterator[int]:
    """Processes whose root directory is `root`, by number."""
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if os.path.samefile(f"/proc/{entry.name}/root", root):
                    yield int(entry.name)


def _says(program: Path) -> str:
    """What `--version` prints. Raises Refusal."""
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, timeout=VERSION_SECONDS, env={}, cwd="/", check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Refusal(f"{program} does not run", "install firecracker and its jailer") from error
    return done.stdout[:4096].decode(errors="replace")
