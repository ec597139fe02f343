"""transom serve: the controller in the foreground."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from transom.cli.failure import USAGE, Failure
from transom.cli.options import AsJson, State

if TYPE_CHECKING:
    from transom.settings import Settings


def serve(
    state: State = None,
    port: Annotated[
        int | None, typer.Option(help="TCP port; 0 takes a free one.", show_default="4000")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")] = None,
    as_json: AsJson = False,
) -> None:
    """Run the server until it is stopped; says where it is once it is ready."""
    settings = read_settings(state=state, port=port, host=host)
    from transom.app import serve as run

    run(settings, json_ready=as_json)


def read_settings(**given: Path | str | int | None) -> Settings:
    """The settings of the environment, and over them what was given. Raises Failure."""
    from pydantic import ValidationError

    from transom.settings import Settings

    chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    try:
        return Settings(**chosen)
    except ValidationError as error:
        # The values stay out: a database URL holds a password.
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}" for e in error.errors())
        raise Failure(f"the settings cannot be used: {wrong}", code="settings", exit_code=USAGE) from None
