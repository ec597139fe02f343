"""What people ask of exits: the operator's verbs, and a user's own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from transom.egress.pool import move as moving
from transom.egress.pool import without
from transom.egress.service import EgressService
from transom.egress.upstream import LIST_LIMIT
from transom.model.errors import Conflict, Invalid, NotFound, Unavailable
from transom.model.exit import Counted, Decision, Exit, Lease, Line, Lists, Pool, Upstream
from transom.model.ids import is_id, new_id
from transom.model.ports import SecretBox
from transom.model.stores import AlertStore, ExitStore

BY_HAND = "Your server's operator gave you another exit."
MOVED = "You have another exit now."


class ExitDesk:
    """Each verb is checked, committed with a line of the audit trail, and takes effect at once."""

    def __init__(self, egress: EgressService, store: ExitStore, box: SecretBox, alerts: AlertStore) -> None:
        self._egress, self._store, self._box, self.alerts = egress, store, box, alerts
        self._state = egress.state

    @property
    def pool(self) -> Pool:
        """The pool as it is."""
        return self._state.pool

    def found(self, exit: str) -> Exit:
        """The exit of that id, or of that label. Raises NotFound."""
        pool = self._state.pool
        named = pool.exits.get(exit) if is_id(exit, "ext") else None
        labelled = [one for one in pool.exits.values() if one.label == exit]
        if named is None and len(labelled) != 1:
            raise NotFound("no such exit" if not labelled else "several exits have that label: use the id")
        return named or labelled[0]

    async def add(
        self,
        upstreams: Sequence[Upstream],
        *,
        by: str,
        label: str = "",
        region: str = "",
        tags: Sequence[str] = (),
    ) -> tuple[int, int]:
        """Add what is new; a known upstream gets the password that is said now: (added, known).

        Raises Invalid, VaultError, Unavailable.
        """
        if len(upstreams) + len(self.pool.exits) > LIST_LIMIT:
            raise Invalid(f"more than {LIST_LIMIT} exits")
        known = {exit.upstream.key: exit for exit in self.pool.exits.values()}
        fresh = [each for each in upstreams if each.key not in known]
        names = _labels(label, fresh, [exit.label for exit in self.pool.exits.values()])
        made = [
            await self._made(upstream, name, region, tuple(tags))
            for upstream, name in zip(fresh, names, strict=True)
        ]
        await self._store.replace_sealed(
            {
                known[each.key].id: await self._sealed(known[each.key].id, each)
                for each in upstreams
                if each.key in known and each.password is not None
            }
        )
        added, _ = await self._store.add(made)
        await self._note(Line(by, "exit_add", label or "list", detail={"added": str(added)}))
        return added, len(upstreams) - added

    async def drain(self, exit: str, draining: bool, *, by: str) -> Exit:
        """Take it out of use, or back into it. Raises NotFound, Unavailable."""
        found = self.found(exit)
        await self._store.set_draining(found.id, draining)
        await self._note(Line(by, "exit_drain" if draining else "exit_resume", found.id))
        await self._egress.look()
        return self.found(found.id)

    async def remove(self, exit: str, *, by: str) -> None:
        """Remove it; its users get another one, or none. Raises NotFound, Unavailable."""
        found = self.found(exit)

        def plan(pool: Pool) -> Decision:
            decision = without(pool, found.id, self._state.clock(), self._state.terms.rules)
            return replace(decision, lines=(*decision.lines, Line(by, "exit_remove", found.id)))

        decision = await self._state.remove(found.id, plan)
        if decision is None:
            raise NotFound("no such exit")
        await self._egress.decided(decision)

    async def check(self, exit: str | None) -> list[Exit]:
        """Ask through this exit, or through all, now. Raises NotFound."""
        wanted = [self.found(exit).id] if exit is not None else list(self.pool.exits)
        await self._egress.checker.check(wanted)
        return [self.pool.exits[id] for id in wanted if id in self.pool.exits]

    async def move(self, user: str, *, to: str | None, by: str) -> Lease:
        """Give a user another exit, by the operator's word. Raises NotFound, Conflict, Unavailable."""
        target = self.found(to).id if to is not None else None
        return await self._move(user, to=target, by=by, word=BY_HAND)

    async def confirm(self, user: str) -> Lease:
        """A user who was asked says yes. Raises Conflict, Unavailable."""
        lease = self.pool.leases.get(user)
        if lease is None or not lease.asked:
            raise Conflict("nobody asked you to move", code="not_asked")
        return await self._move(user, to=None, by=user, word=MOVED)

    async def seen(self, user: str) -> None:
        """A user has read the word; a question stays."""

        def plan(pool: Pool) -> Decision:
            lease = pool.leases.get(user)
            if lease is None or lease.asked or not lease.word:
                return Decision()
            return Decision(drop=(user,), put=(replace(lease, word=""),))

        await self._state.decide(plan)

    async def set_lists(self, kind: str, subject: str, lists: Lists | None, *, by: str) -> None:
        """Where the machines of a user, or of a provider, may go; None: everywhere. Raises Unavailable."""
        await self._store.set_lists(kind, subject, lists)
        await self._note(Line(by, "exit_lists", f"{kind} {subject}", "done" if lists else "removed"))
        self._egress.wake()

    def lists(self) -> dict[tuple[str, str], Lists]:
        """Every list by (kind, subject)."""
        return dict(self._state.lists)

    async def usage(self, user: str | None) -> Sequence[Counted]:
        """What was moved, by session and exit; of one user or of all. Raises Unavailable."""
        return await self._store.usage(user)

    async def _move(self, user: str, *, to: str | None, by: str, word: str) -> Lease:
        found: list[tuple[Lease | None, str]] = []

        def plan(pool: Pool) -> Decision:
            decision, lease, why = moving(
                pool, user, self._state.clock(), self._state.terms.rules, to=to, word=word, by=by
            )
            found.append((lease, why))
            return decision

        await self._egress.decided(await self._decide(plan))
        lease, why = found[-1]
        if lease is None:
            raise Conflict(why, code="no_exit")
        return lease

    async def _decide(self, plan: Callable[[Pool], Decision]) -> Decision:
        if not self._state.known:
            raise Unavailable("the exits are not known yet")
        return await self._state.decide(plan)

    async def _note(self, line: Line) -> None:
        await self._state.decide(lambda _: Decision(lines=(line,)))

    async def _made(self, upstream: Upstream, label: str, region: str, tags: tuple[str, ...]) -> Exit:
        id = new_id("ext")
        return Exit(
            id=id,
            label=label,
            upstream=replace(upstream, password=None),
            sealed=await self._sealed(id, upstream),
            region=region,
            tags=tags,
            created_at=self._state.clock(),
        )

    async def _sealed(self, id: str, upstream: Upstream) -> bytes | None:
        if upstream.password is None:
            return None
        return await self._box.seal_secret(id, upstream.password.encode())


def _labels(wanted: str, fresh: Sequence[Upstream], taken: Sequence[str]) -> list[str]:
    """What the operator called them, else their places; numbered where there are several of one name."""
    names = [wanted or _place(upstream) for upstream in fresh]
    many, used = Counter(names), {name: _used(name, taken) for name in set(names)}
    labels = []
    for name in names:
        alone = many[name] == 1 and not used[name]
        used[name] += 1
        labels.append(name if alone else f"{name}-{used[name]}")
    return labels


def _used(name: str, taken: Sequence[str]) -> int:
    """The highest number of that name, 1 for the name itself."""
    tails = [label[len(name) :] for label in taken if label.startswith(name)]
    numbers = [int(tail[1:]) for tail in tails if re.fullmatch(r"-[0-9]{1,9}", tail)]
    return max([*numbers, 1 if "" in tails else 0], default=0)


def _place(upstream: Upstream) -> str:
    host = f"[{upstream.host}]" if ":" in upstream.host else upstream.host
    return f"{host}:{upstream.port}"
