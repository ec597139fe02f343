"""What the helper has made, and for whom: a small file for each machine, written before anything is made.

It outlives the helper, so that whatever was left by a crash can be found and removed. A machine belongs to the
user who asked for it first; root may act for everybody.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from transom_helper.refusal import Refusal

logger = logging.getLogger("helper")

FOLDER = "machines"
BUSY_SECONDS = 25.0
"""Longest wait for another request about the same machine."""
_NAME = re.compile(r"(?P<tag>[0-9a-f]{8})\.(?P<machine>[A-Za-z0-9_-]{1,64})")
_ENTRY_BYTES = 8192


@dataclass(frozen=True, slots=True)
class Key:
    """Which machine, and whose state folder it is of."""

    tag: str
    machine: str

    @property
    def name(self) -> str:
        """Of its file; a dot is in neither half."""
        return f"{self.tag}.{self.machine}"


@dataclass(frozen=True, slots=True)
class Entry:
    """What there may be of one machine."""

    uid: int
    """Whose it is."""
    groups: tuple[str, ...] = ()
    """Folders of control groups."""
    jail: str = ""
    """The jail's id; empty: none."""
    program: str = ""
    """The name of the program it was made for, which its folder is in; empty: an entry of an earlier release."""


class Ledger:
    """The entries, below `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER
        self._guard = threading.Lock()
        self._locks: dict[Key, threading.Lock] = {}
        self._wanted: Counter[Key] = Counter()
        self._told: set[Key] = set()
        """Whose entry cannot be read, and that was said."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for half_written in self._folder.glob(".*"):  # by a helper that was killed
            half_written.unlink(missing_ok=True)

    @contextmanager
    def hold(self, key: Key) -> Iterator[None]:
        """Nobody else acts on this machine meanwhile. Its lock is there for as long as anybody has it or waits.
        Raises Refusal."""
        with self._guard:
            self._wanted[key] += 1
            lock = self._locks.setdefault(key, threading.Lock())
        try:
            if not lock.acquire(timeout=BUSY_SECONDS):
                raise Refusal("another request about this machine is under way", "ask again later")
            try:
                yield
            finally:
                lock.release()
        finally:
            with self._guard:
                self._wanted[key] -= 1
                if not self._wanted[key]:
                    del self._wanted[key], self._locks[key]

    def get(self, key: Key, uid: int) -> Entry | None:
        """The entry; None when there is none. Raises Refusal when it is not `uid`'s."""
        entry = self._read(self._folder / key.name)
        if entry is not None and uid not in (0, entry.uid):
            raise Refusal("this machine is another user's")
        return entry

    def open(
        self, key: Key, uid: int, most: int, groups: tuple[str, ...] = (), jail: str = "", program: str = ""
    ) -> Entry:
        """The entry, made when there is none, with these groups and this jail too: written down once for all that is
        about to be made. Raises Refusal, when `uid` has `most` already too; OSError."""
        found = self.get(key, uid)
        if found is None and len(self.owned(uid)) >= most:
            raise Refusal(
                f"this user has {most} machines", "end machines, or start the helper with --machines"
            )
        entry = found or Entry(uid)
        entry = replace(
            entry,
            groups=tuple(dict.fromkeys((*entry.groups, *groups))),
            jail=jail or entry.jail,
            program=program or entry.program,
        )
        if entry != found:
            self.put(key, entry)
        return entry

    def put(self, key: Key, entry: Entry) -> None:
        """Write it down, so that it is there whole or not at all after a loss of power too. Raises OSError."""
        new = self._folder / f".{key.name}"
        with open(new, "w") as file:
            file.write(json.dumps(asdict(entry)))
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, self._folder / key.name)
        self._sync()

    def _sync(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def forget(self, key: Key) -> None:
        """Nothing is left of it."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._folder / key.name)

    def owned(self, uid: int) -> list[Key]:
        """The machines of `uid`; root's own are meant by 0. An entry that cannot be read is nobody's: it is told in
        the log, and refused to whoever asks for it."""
        found = []
        for key in self.machines():
            try:
                entry = self._read(self._folder / key.name)
            except Refusal as refusal:
                if key not in self._told:
                    self._told.add(key)
                    logger.warning("%s (mend: %s)", refusal.reason, refusal.mend)
                continue
            if entry is not None and entry.uid == uid:
                found.append(key)
        return found

    def machines(self) -> list[Key]:
        """Every machine there is an entry of."""
        names = (_NAME.fullmatch(entry.name) for entry in os.scandir(self._folder))
        return sorted((Key(**name.groupdict()) for name in names if name), key=lambda key: key.name)

    def visible(self, tag: str, uid: int) -> list[str]:
        """The machines of `tag` that `uid` may ask about."""
        mine = self.machines() if uid == 0 else self.owned(uid)
        return [key.machine for key in mine if key.tag == tag]

    def _read(self, path: Path) -> Entry | None:
        try:
            found = json.loads(path.read_text()[:_ENTRY_BYTES])
            groups, program = tuple(map(str, found["groups"])), str(found.get("program", ""))
            return Entry(int(found["uid"]), groups, str(found["jail"]), program)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise Refusal(f"the helper's entry {path.name} cannot be read", f"rm {path}") from error
