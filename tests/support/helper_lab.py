"""A real root helper for tests, callers of other users, and counts of what is left on this host."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transom_helper import living, namespaces
from transom_keeper.helper import Helper, MachineNetwork
from transom_wire.keeper_config import Limits

CALLER, STRANGER, OWNER = 64_001, 64_002, 1_900_000_077
"""Users of nobody: one who may ask, one who may not, one whom machines run as."""
TAG = "0123abcd"
LIMITS = Limits(memory_bytes=256 * 2**20, cpu_millis=500, pids=64)
START_SECONDS = 20.0


@dataclass
class HelperLab:
    """One helper, with a folder of its own."""

    folder: Path
    arguments: tuple[str, ...] = ()
    prefix: tuple[str, ...] = ()
    """A command that starts the helper with fewer rights."""
    process: subprocess.Popen[str] | None = None
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.log = self.folder / "log"

    @property
    def socket(self) -> str:
        return str(self.folder / "s")

    @property
    def base(self) -> Path:
        return self.folder / "b"

    def client(self, seconds: float = 30.0) -> Helper:
        return Helper(self.socket, seconds)

    def start(self) -> None:
        command = [*self.prefix, sys.executable, "-m", "transom_helper", "--socket", self.socket]
        command += ["--chroot-base", str(self.base), "--allow-uid", str(CALLER), *self.arguments]
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(command, stderr=log, text=True)
        deadline = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(Exception):
                self.client().survey(TAG)
                return
            assert time.monotonic() < deadline and self.process.poll() is None, self.log.read_text()
            time.sleep(0.02)

    def kill(self) -> None:
        """As by a crash."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def helper(*arguments: str, prefix: tuple[str, ...] = ()) -> Iterator[HelperLab]:
    """A running helper, whose folder goes with it."""
    folder = Path(tempfile.mkdtemp(prefix="transom-helper-"))
    folder.chmod(0o711)
    lab = HelperLab(folder, arguments, prefix)
    try:
        lab.start()
        yield lab
    finally:
        if lab.process is not None:
            lab.kill()
        shutil.rmtree(folder)


def as_user(uid: int, work: Callable[[], Any]) -> Any:
    """What `work` returns or raises in a child process of the user `uid`."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            answer: tuple[bool, Any] = (True, work())
        except BaseException as error:
            answer = (False, (type(error).__name__, str(error), getattr(error, "mend", "")))
        os.write(writer, pickle.dumps(answer))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        worked, value = pickle.loads(stream.read())
    os.waitpid(child, 0)
    if not worked:
        raise Failed(*value)
    return value


class Failed(Exception):
    """What a child process raised."""

    def __init__(self, kind: str, words: str, mend: str) -> None:
        super().__init__(f"{kind}: {words}")
        self.kind, self.words, self.mend = kind, words, mend


def number_of(namespace: int) -> int:
    """What the helper has numbered this network, a descriptor, with: it is there for as long as the kernel has
    the network, whoever holds that, or nobody."""
    return living.number_of(namespace)


def gone(numbers: Iterable[int]) -> bool:
    """Whether the kernel has none of these networks any more, a moment from now."""
    wanted = set(numbers)
    return eventually(lambda: not wanted & living.numbers())


def inside(namespace: int, work: Callable[[], Any]) -> Any:
    """What `work` returns in a thread that is in this network namespace."""

    def enter() -> Any:
        namespaces.enter(namespace, namespaces.CLONE_NEWNET)
        return work()

    return namespaces.apart(enter)


def drops(network: MachineNetwork) -> dict[str, int]:
    """Packets that each rule of the network dropped, by the rule's comment."""
    command = ["nft", "-j", "list", "ruleset"]
    told = inside(
        network.namespace,
        lambda: subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout,
    )
    found: dict[str, int] = {}
    for item in json.loads(told)["nftables"]:
        rule = item.get("rule", {})
        counters = [each["counter"]["packets"] for each in rule.get("expr", ()) if "counter" in each]
        if "comment" in rule and counters:
            found[rule["comment"]] = counters[0]
    return found


def blocking(descriptor: int) -> None:
    """Make reads of it wait."""
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, flags & ~os.O_NONBLOCK)


def eventually(true: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether it comes true in time."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
