"""What the helper has made, and for whom: a small file for each machine, written before anything is made.

It outlives the helper, so that whatever was left by a crash can be found and removed. A machine belongs to the
user who asked for it first; root may act for everybody.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from transom_helper.refusal import Refusal

FOLDER = "machines"
BUSY_SECONDS = 25.0
"""Longest wait for another request about the same machine."""
_LOCKS = 64
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
        self._locks = tuple(threading.Lock() for _ in range(_LOCKS))
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for half_written in self._folder.glob(".*"):  # by a helper that was killed
            half_written.unlink(missing_ok=True)

    @contextmanager
    def hold(self, key: Key) -> Iterator[None]:
        """Nobody else acts on this machine meanwhile. Raises Refusal."""
        lock = self._locks[hash(key) % _LOCKS]
        if not lock.acquire(timeout=BUSY_SECONDS):
            raise Refusal("another request about this machine is under way", "ask again later")
        try:
            yield
        finally:
            lock.release()

    def get(self, key: Key, uid: int) -> Entry | None:
        """The entry; None when there is none. Raises Refusal when it is not `uid`'s."""
        entry = self._read(self._folder / key.name)
        if entry is not None and uid not in (0, entry.uid):
            raise Refusal("this machine is another user's")
        return entry

    def open(self, key: Key, uid: int, most: int) -> Entry:
        """The entry, made when there is none. Raises Refusal, when `uid` has `most` already too; OSError."""
        entry = self.get(key, uid)
        if entry is None:
            if len(self.owned(uid)) >= most:
                raise Refusal(
                    f"this user has {most} machines", "end machines, or start the helper with --machines"
                )
            entry = Entry(uid)
            self.put(key, entry)
        return entry

    def put(self, key: Key, entry: Entry) -> None:
        """Write it down. Raises OSError."""
        new = self._folder / f".{key.name}"
        new.write_text(json.dumps(asdict(entry)))
        os.replace(new, self._folder / key.name)

    def add_groups(self, key: Key, entry: Entry, groups: tuple[str, ...]) -> Entry:
        """The entry with these groups too. Raises OSError."""
        fuller = replace(entry, groups=tuple(dict.fromkeys((*entry.groups, *groups))))
        self.put(key, fuller)
        return fuller

    def forget(self, key: Key) -> None:
        """Nothing is left of it."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._folder / key.name)

    def owned(self, uid: int) -> list[Key]:
        """The machines of `uid`; root's own are meant by 0."""
        return [
            key
            for key in self.machines()
            if (entry := self._read(self._folder / key.name)) and entry.uid == uid
        ]

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
