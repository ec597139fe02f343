"""The machines that leave by exits now: what each keeper was told, and what it counts."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from transom.egress.health import Traffic
from transom.egress.usage import Reading, read_usage
from transom.model.clock import Clock
from transom.model.exit import Counted
from transom.model.ports import KeeperSender
from transom.model.session import Session, SessionState
from transom.model.stores import ExitStore
from transom_wire.control import SetExit, Snapshot
from transom_wire.exit import ExitRoute

DIRECT = "direct"
GONE = "Your exit was removed; a new desktop leaves as this server's operator has set it."
"""What is counted where a machine leaves by no exit."""
RouteOf = Callable[[str, str | None], ExitRoute]


@dataclass(slots=True)
class Held:
    """One living session's machine."""

    user: str
    provider: str | None
    machine: str | None = None
    claimed: bool = False
    """It is the session's: a warm machine gets its route with its claim."""
    told: ExitRoute | None = field(default=None, repr=False)
    """The route its keeper has for certain; None: unknown, so it is told."""
    exit: str | None = None
    """The exit its traffic is counted for."""
    pooled: bool = False
    """It has left by an exit: it never leaves by the host's own address after that."""
    next: deque[str | None] = field(default_factory=deque)
    """The exits after it: each begins when its keeper counts one change more."""
    last: Reading = field(default_factory=Reading)


class Living:
    """Sessions by id. A keeper that attaches is told its route, whatever it says it has."""

    def __init__(self, store: ExitStore, keepers: KeeperSender, clock: Clock) -> None:
        self._store, self._keepers, self._clock = store, keepers, clock
        self._held: dict[str, Held] = {}
        self._moved: dict[tuple[str, str], tuple[Counted, Reading]] = {}
        self._flushed_at = clock()

    def noticed(self, session: Session) -> bool:
        """A session's row changed; True when its route may be another one now."""
        if session.state.over:
            self._held.pop(session.id, None)
            return False
        held = self._held.get(session.id)
        if held is None:
            self._held[session.id] = Held(session.user, session.provider)
            return True
        ready = session.state is SessionState.READY and not held.claimed
        changed = ready or held.provider != session.provider
        held.provider, held.claimed = session.provider, held.claimed or ready
        return changed

    async def attached(self, session: str, snapshot: Snapshot) -> None:
        """A session's keeper answered. Raises Unavailable."""
        held = self._held.get(session)
        if held is None:
            return
        held.last = await self._counted(held, snapshot)
        held.machine, held.exit, held.told = snapshot.machine, snapshot.exit, None
        held.pooled = held.pooled or snapshot.exit is not None
        held.claimed = snapshot.session is not None
        held.next.clear()

    async def _counted(self, held: Held, snapshot: Snapshot) -> Reading:
        """The keeper's counters as far as they are counted: by this process, or by one before it."""
        reading = read_usage(snapshot.counters)
        if held.machine == snapshot.machine:
            # The store does not have all of it yet: what waits to be written would be counted twice.
            return replace(held.last, changes=reading.changes)
        known = await self._store.counted_of(snapshot.machine)
        if known is None:
            return replace(reading, bytes_up=0, bytes_down=0, connections=0, failed=0)
        return replace(
            reading,
            bytes_up=known.bytes_up,
            bytes_down=known.bytes_down,
            connections=known.connections,
            failed=known.failed,
        )

    def used(self, session: str, numbers: Mapping[str, str]) -> None:
        """A keeper's counters."""
        held = self._held.get(session)
        if held is None or held.machine is None:
            return
        reading = read_usage(numbers)
        for _ in range(min(len(held.next), max(0, reading.changes - held.last.changes))):
            held.exit = held.next.popleft()
        new, held.last = reading.since(held.last), reading
        if not new:
            return
        exit = held.exit or DIRECT
        place = (held.machine, exit)
        _, before = self._moved.get(place, (None, Reading()))
        together = before.plus(new)
        counted = Counted(
            held.machine,
            exit,
            held.user,
            session,
            together.bytes_up,
            together.bytes_down,
            together.connections,
            together.failed,
            self._clock(),
        )
        self._moved[place] = (counted, together)

    def users(self) -> set[str]:
        """Who has a living session."""
        return {held.user for held in self._held.values()}

    async def push(self, route_of: RouteOf) -> None:
        """Tell every keeper whose route is another one than it was told. One that is away learns it on return."""
        for session, held in list(self._held.items()):
            wanted = _never_back(held, route_of(held.user, held.provider))
            if held.machine is None or not held.claimed or wanted == held.told:
                continue
            if await self._keepers.tell(session, SetExit(wanted)):
                if _changes(held, wanted):
                    held.next.append(wanted.exit)
                held.told = wanted
                held.pooled = held.pooled or wanted.kind == "upstream"

    async def flush(self) -> Mapping[str, Traffic]:
        """Commit what was counted since the last time; what it says of each exit. Raises Unavailable."""
        now = self._clock()
        if not self._moved:
            self._flushed_at = now
            return {}
        moved, self._moved = self._moved, {}
        try:
            await self._store.count([counted for counted, _ in moved.values()])
        except BaseException:
            for place, entry in moved.items():
                self._moved[place] = _joined(entry, self._moved.get(place))
            raise
        seconds, self._flushed_at = max(1, now - self._flushed_at) / 1000, now
        return {exit: traffic(readings, seconds) for exit, readings in _by_exit(moved).items()}


def _never_back(held: Held, wanted: ExitRoute) -> ExitRoute:
    """A machine that left by an exit is shut in rather than sent out by the host's own address: its user was
    never asked, and the sites it has open would learn that address."""
    if held.pooled and wanted.kind == "direct":
        return ExitRoute(kind="none", why=GONE)
    return wanted


def _changes(held: Held, wanted: ExitRoute) -> bool:
    """The keeper will count a change. Of one that has just attached only the exit's name is known."""
    if held.told is None:
        return wanted.exit != held.exit
    return way_out(wanted) != way_out(held.told)


def way_out(route: ExitRoute) -> ExitRoute:
    """What a keeper counts as a change when it is another one: all but password, lists and words."""
    return replace(route, password=None, allow=(), deny=(), why="")


def traffic(readings: Iterable[Reading], seconds: float) -> Traffic:
    """What machines did through one exit in `seconds`."""
    total = Reading()
    for reading in readings:
        total = total.plus(reading)
    return Traffic(
        worked=total.worked,
        failed=total.failed_exit,
        bytes=total.bytes_up + total.bytes_down,
        seconds=seconds,
        latency_ms=total.latency_ms,
    )


def _joined(older: tuple[Counted, Reading], newer: tuple[Counted, Reading] | None) -> tuple[Counted, Reading]:
    if newer is None:
        return older
    together = older[1].plus(newer[1])
    numbers = {name: getattr(together, name) for name in ("bytes_up", "bytes_down", "connections", "failed")}
    return replace(newer[0], **numbers), together


def _by_exit(moved: Mapping[tuple[str, str], tuple[Counted, Reading]]) -> dict[str, list[Reading]]:
    found: dict[str, list[Reading]] = {}
    for (_, exit), (_, reading) in moved.items():
        if exit != DIRECT:
            found.setdefault(exit, []).append(reading)
    return found
