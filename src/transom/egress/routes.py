"""Leases made into routes: what a keeper's forwarder is told. The passwords are opened once and kept in memory."""

from __future__ import annotations

from collections.abc import Mapping

from transom.egress.policy import together
from transom.egress.pool import NO_EXITS
from transom.model.exit import Exit, Lists, Pool
from transom.model.ports import SecretBox
from transom_wire.exit import ExitRoute

NOT_READY = "Your exit cannot be used now: the server cannot open its password."
EMPTY = Lists()


class Passwords:
    """Passwords of exits by id, each opened when its sealed record was first seen."""

    def __init__(self, box: SecretBox) -> None:
        self._box = box
        self._known: dict[str, tuple[bytes, str]] = {}

    async def learn(self, pool: Pool) -> None:
        """Open what is new, forget what is gone. Raises VaultError, Unavailable."""
        sealed = {id: exit.sealed for id, exit in pool.exits.items() if exit.sealed is not None}
        self._known = {id: held for id, held in self._known.items() if sealed.get(id) == held[0]}
        new = {id: record for id, record in sealed.items() if id not in self._known}
        for id, secret in (await self._box.open_secrets(new)).items():
            self._known[id] = (new[id], secret.decode("utf-8", "replace"))

    def of(self, exit: Exit) -> str | None:
        """The password; None where there is none."""
        return self._known[exit.id][1] if exit.sealed is not None and exit.id in self._known else None

    def ready(self, exit: Exit) -> bool:
        """It has no password, or it is known."""
        return exit.sealed is None or exit.id in self._known


def upstream_route(exit: Exit, passwords: Passwords, lists: Lists) -> ExitRoute:
    """The route by this exit."""
    if not passwords.ready(exit):
        return ExitRoute(kind="none", why=NOT_READY)
    upstream = exit.upstream
    return ExitRoute(
        kind="upstream",
        exit=exit.id,
        scheme=upstream.scheme,
        host=upstream.host,
        port=upstream.port,
        username=upstream.username,
        password=passwords.of(exit),
        allow=lists.allow,
        deny=lists.deny,
    )


def plain_route(kind: str, why: str, lists: Lists) -> ExitRoute:
    """The route of an installation without a pool: `none` or `direct`."""
    if kind != "direct":
        return ExitRoute(kind="none", why=why or NO_EXITS)
    return ExitRoute(kind="direct", allow=lists.allow, deny=lists.deny)


def lists_for(
    stored: Mapping[tuple[str, str], Lists],
    shipped: Mapping[str, Lists],
    user: str,
    provider: str | None,
    always: Lists = EMPTY,
) -> Lists:
    """What holds for this user's machine on which `provider` is signed in to."""
    found = [always, stored.get(("user", user), EMPTY)]
    if provider is not None:
        found += [shipped.get(provider, EMPTY), stored.get(("provider", provider), EMPTY)]
    return together(*found)
