"""Who gets which exit. Pure: a Pool and a rule in, a Decision out; the store commits it whole.

A user keeps their exit. Two users never share one while a free one is left; where none is, the operator's
`sharing` decides. A user moves when their exit is drained, dead or gone, or shared while another is free:
never, after being asked, or at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from transom.egress.health import score
from transom.model.exit import Decision, Exit, ExitState, Lease, Line, MoveRule, Pool, Sharing

NONE_LEFT = "Every exit is taken by somebody else, and your server's operator does not share them."
NONE_WORKS = "No exit works at the moment."
NO_EXITS = "Your server has no exit to the internet."
SHARED = "All exits are taken: you share this one with another user."
CROWDED = "You shared an exit with another user."
REMOVED = "Your exit was removed."
MOVED = "You have another one now."
QUIET = "Your exit does not answer at the moment. It is kept for you and tried again."


@dataclass(frozen=True, slots=True)
class Rules:
    """The operator's choice."""

    sharing: Sharing = "refuse"
    move: MoveRule = "at_once"


def grant(pool: Pool, user: str, now: int, rules: Rules) -> tuple[Decision, Lease | None, str]:
    """The user's lease, made if they have none: (what to write, the lease or None, why there is none)."""
    held = pool.leases.get(user)
    if held is not None and held.exit in pool.exits:
        return Decision(), held, ""
    lease, why = _new(pool, user, now, rules)
    if lease is None:
        return Decision(), None, why
    return Decision(put=(lease,), lines=(_line(user, "exit_lease", lease.exit, ""),)), lease, ""


def move(
    pool: Pool, user: str, now: int, rules: Rules, *, to: str | None = None, word: str = "", by: str = ""
) -> tuple[Decision, Lease | None, str]:
    """Give the user another exit, `to` or the best: (what to write, the new lease or None, why there is none).

    The old lease stays where there is no other.
    """
    held = pool.leases.get(user)
    if to is not None:
        wanted = pool.exits.get(to)
        if wanted is None:
            return Decision(), None, "There is no such exit."
        others = [other for other in pool.users_of(to) if other != user]
        if others and rules.sharing == "refuse":
            return Decision(), None, "That exit is another user's."
        lease = Lease(user, to, now, shared=bool(others), word=word)
    else:
        away = held.exit if held else None
        found, why = _new(pool, user, now, rules, away=away)
        if found is None:
            return Decision(), None, why
        lease = replace(found, word=word or found.word)
    line = _line(by or user, "exit_move", lease.exit, held.exit if held else "", user)
    return Decision(drop=(user,), put=(lease,), lines=(line,)), lease, ""


def overdue(pool: Pool, now: int, rules: Rules) -> Decision:
    """What the rule says about every user whose exit is not what it should be. One Decision for all."""
    put: dict[str, Lease] = {}
    lines: list[Line] = []
    for lease in sorted(pool.leases.values(), key=lambda lease: (lease.since, lease.user)):
        current = replace_leases(pool, put)
        reason = _reason(current, lease)
        if reason is None:
            if (calm := _calm(pool, lease)) != lease:
                put[lease.user] = calm
            continue
        decided, line = _act(current, lease, reason, now, rules)
        if decided != lease:
            put[lease.user] = decided
        if line is not None:
            lines.append(line)
    changed = tuple(put.values())
    return Decision(drop=tuple(lease.user for lease in changed), put=changed, lines=tuple(lines))


def without(pool: Pool, exit: str, now: int, rules: Rules) -> Decision:
    """What becomes of the users of an exit that is removed: it cannot stay theirs, whatever the rule says."""
    left = Pool({id: one for id, one in pool.exits.items() if id != exit}, dict(pool.leases))
    users = pool.users_of(exit)
    for user in users:
        left = Pool(left.exits, {name: lease for name, lease in left.leases.items() if name != user})
    put: dict[str, Lease] = {}
    lines = []
    for user in users:
        found, _ = _new(replace_leases(left, put), user, now, rules)
        if found is not None:
            put[user] = replace(found, word=f"{REMOVED} {MOVED}")
        lines.append(_line(user, "exit_move", found.exit if found else "", exit))
    return Decision(drop=tuple(users), put=tuple(put.values()), lines=tuple(lines))


def replace_leases(pool: Pool, put: dict[str, Lease]) -> Pool:
    """The pool as it would be with these leases."""
    return Pool(pool.exits, {**pool.leases, **put}) if put else pool


def _act(pool: Pool, lease: Lease, reason: str, now: int, rules: Rules) -> tuple[Lease, Line | None]:
    if rules.move == "never":
        return replace(lease, asked=False, word=f"{reason} It stays yours."), None
    strict = replace(rules, sharing="refuse") if reason is CROWDED else rules
    decision, found, why = move(pool, lease.user, now, strict, word=f"{reason} {MOVED}")
    if found is None:
        return replace(lease, asked=False, word=f"{reason} {why}"), None
    if rules.move == "ask":
        return replace(lease, asked=True, word=f"{reason} Another one is ready for you."), None
    return found, decision.lines[0]


def _reason(pool: Pool, lease: Lease) -> str | None:
    """Why this user should have another exit, or None."""
    exit = pool.exits[lease.exit]
    if exit.draining:
        return "Your exit is being taken out of use."
    if exit.health.state is ExitState.DEAD:
        return "Your exit does not work any more."
    if lease.shared and pool.users_of(exit.id)[:1] != [lease.user] and pool.free():
        return CROWDED
    return None


def _calm(pool: Pool, lease: Lease) -> Lease:
    """The lease of a user with nothing to decide: no question, and a word only while the exit is quiet."""
    quiet = pool.exits[lease.exit].health.state is ExitState.QUARANTINED
    shared = lease.shared and pool.users_of(lease.exit) != [lease.user]
    over = lease.asked or lease.word == QUIET or (lease.word == SHARED and not shared)
    word = QUIET if quiet else "" if over else lease.word
    return replace(lease, asked=False, shared=shared, word=word)


def _new(
    pool: Pool, user: str, now: int, rules: Rules, *, away: str | None = None
) -> tuple[Lease | None, str]:
    free = [exit for exit in pool.free() if exit.id != away]
    if free:
        return Lease(user, best(free).id, now), ""
    if not pool.exits:
        return None, NO_EXITS
    usable = [exit for exit in pool.exits.values() if exit.usable and exit.id != away]
    if not usable:
        return None, NONE_WORKS
    if rules.sharing == "refuse":
        return None, NONE_LEFT
    fewest = min(len(pool.users_of(exit.id)) for exit in usable)
    chosen = best([exit for exit in usable if len(pool.users_of(exit.id)) == fewest])
    return Lease(user, chosen.id, now, shared=True, word=SHARED), ""


def best(exits: list[Exit]) -> Exit:
    """The highest score; of equals the one that moved the least, then the oldest."""
    return min(exits, key=lambda e: (-score(e.health), e.bytes_up + e.bytes_down, e.created_at, e.id))


def _line(by: str, action: str, exit: str, before: str, user: str = "") -> Line:
    detail = {"from": before} if before else {}
    return Line(by, action, exit, detail={**detail, "user": user} if user and user != by else detail)
