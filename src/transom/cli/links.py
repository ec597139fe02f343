"""transom session share, links, unshare: let others into one session, see who may, and end it."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer

from transom.cli.client import connect
from transom.cli.failure import Failure
from transom.cli.options import AsJson, State
from transom.cli.output import show_fields, show_json, show_rows

COLUMNS = ("id", "label", "kind", "created_at", "expires_at", "over")
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
KINDS = ("view", "ask")
_LIFETIME = re.compile(r"([0-9]{1,6})([smhd])")


def share(
    session: str,
    kind: Annotated[str, typer.Option(help="view: watch only; ask: may ask to drive as well.")] = "view",
    lifetime: Annotated[
        str | None, typer.Option("--for", help="15m, 1h, 2d; without it until the session ends.")
    ] = None,
    label: Annotated[str, typer.Option(help="The guest's name, as everybody in the session sees it.")] = "",
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Make a link that lets somebody watch. It is shown this once."""
    if kind not in KINDS:
        raise Failure(f"--kind is {' or '.join(KINDS)}")
    body: dict[str, Any] = {"kind": kind, "label": label}
    if lifetime is not None:
        body["seconds"] = seconds(lifetime)
    client = connect(state)
    link = client.post("sessions", session, "links", body=body)
    link["url"] = client.url + link["url"]
    if as_json:
        show_json(link)
    else:
        show_fields({name: link[name] for name in ("id", "kind", "expires_at", "url")}, as_json=False)


def links(session: str, state: State = None, as_json: AsJson = False) -> None:
    """The links of a session."""
    rows = connect(state).get("sessions", session, "links")
    show_rows(rows, COLUMNS, as_json=as_json, none="No links. Make one: transom session share SESSION")


def unshare(
    session: str,
    names: Annotated[list[str] | None, typer.Argument(metavar="LINK...", help="Without any: all.")] = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Withdraw links: whoever is in by them is out at once."""
    client = connect(state)
    living = [row["id"] for row in client.get("sessions", session, "links") if not row["over"]]
    ended = names or living
    for link in ended:
        client.delete("sessions", session, "links", link)
        if not as_json:
            print(f"{link} is withdrawn")
    if as_json:
        show_json({"withdrawn": ended})


def seconds(text: str) -> int:
    """The length of `15m` and the like. Raises Failure."""
    found = _LIFETIME.fullmatch(text)
    if found is None:
        raise Failure("a lifetime is a number and s, m, h or d: 15m")
    return int(found[1]) * UNITS[found[2]]
