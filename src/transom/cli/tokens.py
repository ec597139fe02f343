"""transom token: API tokens of one's own."""

from __future__ import annotations

from typing import Annotated

import typer

from transom.cli.client import connect
from transom.cli.options import AsJson, State
from transom.cli.output import show_json, show_rows

app = typer.Typer(help="API tokens of one's own.", no_args_is_help=True)
COLUMNS = ("id", "label", "created_at", "last_used_at")


@app.command("list")
def list_tokens(state: State = None, as_json: AsJson = False) -> None:
    """One's tokens; nothing that signs in."""
    show_rows(connect(state).get("tokens"), COLUMNS, as_json=as_json, none="No tokens.")


@app.command()
def create(
    label: Annotated[str, typer.Argument(help="What it is for.")],
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Make a token. It is printed this once; keep it where others cannot read it."""
    made = connect(state).post("tokens", body={"label": label})
    if as_json:
        show_json(made)
    else:
        print(made["token"])


@app.command()
def remove(
    token: Annotated[str, typer.Argument(help="Its id.")], state: State = None, as_json: AsJson = False
) -> None:
    """End a token at once."""
    connect(state).delete("tokens", token)
    if as_json:
        show_json({"removed": token})
    else:
        print(f"{token} is removed")
