"""What may be done with a session's files: the operator's rules, the scan, the audit trail, and so many at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

from transom.files.dialogue import dialogue
from transom.files.places import LISTINGS, TRANSFERS, Places
from transom.files.scan import Scanner
from transom.files.spool import Spool, read
from transom.model.clock import Clock
from transom.model.errors import Invalid, Refused, TooLarge, TransomError
from transom.model.ports import Driver
from transom.model.session import Session
from transom.model.stores import Trail
from transom_wire.files import FileEntry, FileGet, FilePut, name_fault

log = structlog.get_logger(__name__)
MIB = 2**20


class Rules(Protocol):
    """What is needed of the settings."""

    @property
    def files(self) -> str: ...
    @property
    def files_mib(self) -> int: ...
    @property
    def files_most(self) -> int: ...
    @property
    def files_scan(self) -> str | None: ...
    @property
    def files_scan_seconds(self) -> int: ...


@dataclass(slots=True)
class _Line:
    """A transfer's line in the trail, as far as it is known."""

    outcome: str = "cut"
    size: int = 0


class FilesDesk:
    """Carries files between viewers and machines. Every call raises TransomError."""

    def __init__(self, driver: Driver, rules: Rules, trail: Trail, clock: Clock, spool: Path) -> None:
        self._driver, self._rules, self._trail, self._clock = driver, rules, trail, clock
        self._spool = Spool(spool)
        self._scanner = Scanner(rules.files_scan, rules.files_scan_seconds) if rules.files_scan else None
        self._transfers = Places(TRANSFERS, "too many files travel at once: wait for one to end")
        self._listings = Places(LISTINGS, "the files are looked at too often at once: wait a moment")

    def open(self) -> None:
        """Begin with an empty spool; a scan that is not there is said now and not with the first file."""
        self._spool.clear()
        if self._scanner is not None and not self._scanner.there():
            log.error("the command of TRANSOM_FILES_SCAN is not there: no file passes", mend="install it")

    @property
    def policy(self) -> str:
        """off, up, down or both."""
        return self._rules.files

    @property
    def most_bytes(self) -> int:
        """Of one file."""
        return self._rules.files_mib * MIB

    async def listing(self, session: Session) -> tuple[list[FileEntry], bool]:
        """The files on the desktop, and whether there are some that cannot be shown; none where nothing travels."""
        if self.policy == "off":
            return [], False
        with self._listings.held(session):
            async with dialogue(self._driver, session.machine) as guest:
                return await guest.listing()

    async def put(
        self,
        session: Session,
        name: str,
        size: int | None,
        content: AsyncIterator[bytes],
        *,
        new: bool = False,
    ) -> int:
        """Put `content`, of `size` bytes where that is known, on the desktop as `name`; how much it was. A `new` one
        replaces none."""
        async with self._noted(session, "file_up", name) as line:
            self._allowed("up", name)
            if size is not None and size > self.most_bytes:
                raise self._too_large()
            with self._transfers.held(session):
                request = FilePut(name, size, self.most_bytes, self._rules.files_most, new)
                line.size = await self._put(session, request, self._counted(line, content))
            line.outcome = "ok"
        return line.size

    async def _put(self, session: Session, request: FilePut, content: AsyncIterator[bytes]) -> int:
        if self._scanner is None:
            async with dialogue(self._driver, session.machine) as guest:
                return await guest.put(request, content)
        async with self._spool.keep(content) as path:
            await self._scanner.check(path)
            async with dialogue(self._driver, session.machine) as guest:
                return await guest.put(request, read(path))

    @asynccontextmanager
    async def get(self, session: Session, name: str) -> AsyncIterator[tuple[int, AsyncIterator[bytes]]]:
        """The file's size and content, until the block ends. `ok` in the trail once all of it was read."""
        async with self._noted(session, "file_down", name) as line, AsyncExitStack() as held:
            self._allowed("down", name)
            held.enter_context(self._transfers.held(session))
            guest = await held.enter_async_context(dialogue(self._driver, session.machine))
            line.size = await guest.get(FileGet(name, self.most_bytes))
            content = guest.content(line.size)
            if self._scanner is not None:
                path = await held.enter_async_context(self._spool.keep(content))
                await self._scanner.check(path)
                content = read(path)
            yield line.size, _until_whole(line, content)

    async def remove(self, session: Session, name: str) -> None:
        """Remove a file from the desktop."""
        async with self._noted(session, "file_remove", name) as line:
            self._allowed("", name)
            with self._transfers.held(session):
                async with dialogue(self._driver, session.machine) as guest:
                    line.size = await guest.remove(name)
            line.outcome = "ok"

    def _allowed(self, way: str, name: str) -> None:
        """Raises Refused, Invalid."""
        if self.policy == "off" or (way and self.policy not in (way, "both")):
            raise Refused("files do not travel this way here", code="files_off")
        fault = name_fault(name)
        if fault:
            raise Invalid(f"a file cannot have this name: {fault}", code="name")

    async def _counted(self, line: _Line, content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for data in content:
            line.size += len(data)
            if line.size > self.most_bytes:
                raise self._too_large()
            yield data

    def _too_large(self) -> TooLarge:
        return TooLarge(f"a file may have {self._rules.files_mib} MiB")

    @asynccontextmanager
    async def _noted(self, session: Session, action: str, name: str) -> AsyncIterator[_Line]:
        """A line of the trail for whatever comes of it."""
        line = _Line()
        try:
            yield line
        except TransomError as error:
            line.outcome = error.code
            raise
        finally:
            detail = {"name": name[:200], "bytes": str(line.size)}
            try:
                await self._trail.add_audit(
                    at=self._clock(),
                    user=session.user,
                    action=action,
                    subject=session.id,
                    outcome=line.outcome,
                    detail=detail,
                )
            except TransomError as error:
                log.error("a transfer has no line in the trail", session=session.id, reason=error.message)


async def _until_whole(line: _Line, content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for data in content:
        yield data
    line.outcome = "ok"
