"""What a measured address means beside all others: alerts, at the moment something became so. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from transom.model.alert import Alert, AlertKind
from transom.model.exit import Exit, ExitState, Health, Pool


def of_address(pool: Pool, exit: Exit, before: str | None, now: int) -> Iterator[Alert]:
    """`exit` was measured: `before` is what was known of it then."""
    address = exit.address
    if address is None or address == before:
        return
    if before is not None:
        text = f"{exit.label} leaves by {address} now; before it was {before}"
        yield Alert(AlertKind.ADDRESS_CHANGED, text, now, exit.id)
    twins = sorted(
        other.label for other in pool.exits.values() if other.address == address and other.id != exit.id
    )
    if twins:
        text = f"{exit.label} leaves by {address}, and so does {', '.join(twins[:3])}"
        yield Alert(AlertKind.ADDRESS_DUPLICATE, text, now, exit.id)


def of_host(exit: Exit, host: str | None, now: int) -> Alert | None:
    """`exit` leaves by `host`, this host's own address if that is known."""
    if exit.address is None or exit.address != host:
        return None
    text = f"{exit.label} leaves by {host}, which is this host's own address"
    return Alert(AlertKind.ADDRESS_IS_HOST, text, now, exit.id)


def of_health(exit: Exit, before: Health, now: int) -> Iterator[Alert]:
    """`exit` was checked; `before` is how it fared until then."""
    after = exit.health
    if before.state.usable and not after.state.usable:
        yield Alert(
            AlertKind.EXIT_DOWN, f"{exit.label} does not work: {after.why or 'no reason'}", now, exit.id
        )
    down = (ExitState.QUARANTINED, ExitState.DEAD)
    if before.state in down and after.state is ExitState.DEAD and before.state is not after.state:
        yield Alert(AlertKind.EXIT_DOWN, f"{exit.label} counts as dead: {after.why}", now, exit.id)
    if before.state is not ExitState.HEALTHY and after.state is ExitState.HEALTHY and before.strikes:
        yield Alert(AlertKind.EXIT_BACK, f"{exit.label} works again", now, exit.id)


def low(pool: Pool, below: int) -> bool:
    """Fewer free exits than `below` are left, in a pool that has any."""
    return bool(pool.exits) and len(pool.free()) < below
