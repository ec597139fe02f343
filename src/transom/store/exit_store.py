"""The store's part for exits and alerts: every call is one transaction, as in `database.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from transom.model.alert import Alert
from transom.model.exit import Counted, Decision, Exit, Health, Lists, Pool
from transom.store import alerts, exits
from transom.store.exits import Plan
from transom.store.transactions import Transactions


class ExitRows:
    """Implements ExitStore and AlertStore of `model/stores.py` on an open store."""

    def __init__(self, transactions: Callable[[], Transactions]) -> None:
        self._transactions = transactions

    @property
    def _db(self) -> Transactions:
        return self._transactions()

    # ExitStore

    async def pool(self) -> Pool:
        return await self._db.read(exits.read_pool)

    async def decide(self, plan: Plan, *, at: int) -> tuple[Pool, Decision]:
        return await self._db.write(exits.decide, plan, at)

    async def add(self, offered: Sequence[Exit]) -> tuple[int, int]:
        return await self._db.write(exits.add_exits, offered)

    async def replace_sealed(self, sealed: Mapping[str, bytes | None]) -> None:
        await self._db.write(exits.replace_sealed, sealed)

    async def remove(self, exit: str, plan: Plan, *, at: int) -> tuple[Pool, Decision] | None:
        return await self._db.write(exits.remove_exit, exit, plan, at)

    async def set_draining(self, exit: str, draining: bool) -> bool:
        return await self._db.write(exits.set_draining, exit, draining)

    async def save_health(self, fares: Mapping[str, Health]) -> None:
        await self._db.write(exits.save_health, fares)

    async def save_address(self, exit: str, address: str, at: int) -> str | None:
        return await self._db.write(exits.save_address, exit, address, at)

    async def count(self, moved: Sequence[Counted]) -> None:
        await self._db.write(exits.count, moved)

    async def counted_of(self, machine: str) -> Counted | None:
        return await self._db.read(exits.counted_of, machine)

    async def usage(self, user: str | None) -> Sequence[Counted]:
        return await self._db.read(exits.usage_of, user)

    async def prune_usage(self, *, before: int) -> int:
        return await self._db.write(exits.prune_usage, before)

    async def set_lists(self, kind: str, subject: str, lists: Lists | None) -> None:
        await self._db.write(exits.set_lists, kind, subject, lists)

    async def lists(self) -> Mapping[tuple[str, str], Lists]:
        return await self._db.read(exits.all_lists)

    # AlertStore

    async def add_alert(self, alert: Alert) -> int:
        return await self._db.write(alerts.add_alert, alert)

    async def list_alerts(self, limit: int) -> Sequence[Alert]:
        return await self._db.read(alerts.list_alerts, limit)

    async def acknowledge(self, number: int, *, by: str, at: int) -> bool:
        return await self._db.write(alerts.acknowledge, number, by, at)
