"""transom user: who may sign in. For administrators."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from transom.cli.client import Client, connect
from transom.cli.failure import NOT_FOUND, Failure
from transom.cli.options import AsJson, State
from transom.cli.output import show_fields, show_json, show_rows

app = typer.Typer(help="Who may sign in. For administrators.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="A user's name or id.")]


@app.command("list")
def list_users(state: State = None, as_json: AsJson = False) -> None:
    """Every user."""
    show_rows(connect(state).get("users"), ("id", "name", "role"), as_json=as_json, none="No users.")


@app.command()
def add(
    name: str,
    administrator: Annotated[bool, typer.Option("--administrator", help="May see every session.")] = False,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Add a user, and print the link that signs them in once."""
    client = connect(state)
    role = "administrator" if administrator else "user"
    user = client.post("users", body={"name": name, "role": role})
    key = client.post("users", user["id"], "key")
    if as_json:
        show_json({**user, **key})
    else:
        show_fields({"id": user["id"], "name": user["name"], "link, once": key["url"]}, as_json=False)


@app.command()
def key(user: Name, state: State = None, as_json: AsJson = False) -> None:
    """A new link that signs a user in once."""
    client = connect(state)
    made = client.post("users", _find(client, user)["id"], "key")
    if as_json:
        show_json(made)
    else:
        print(made["url"])


@app.command()
def remove(user: Name, state: State = None, as_json: AsJson = False) -> None:
    """Remove a user with their sessions, tokens and credentials."""
    client = connect(state)
    found = _find(client, user)
    client.delete("users", found["id"])
    if as_json:
        show_json({"removed": found["id"]})
    else:
        print(f"{found['name']} is removed")


def _find(client: Client, wanted: str) -> dict[str, Any]:
    for user in client.get("users"):
        if wanted in (user["id"], user["name"]):
            found: dict[str, Any] = user
            return found
    raise Failure("no such user", mend="transom user list", code="not_found", exit_code=NOT_FOUND)
