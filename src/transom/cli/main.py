"""The command line. Each command imports what it needs when it runs, so that `--help` is quick."""

from __future__ import annotations

from typing import Annotated

import typer

from transom.cli import (
    credentials,
    doctor,
    echo,
    exits,
    files,
    images,
    pool,
    recordings,
    sessions,
    tokens,
    users,
    vault,
)
from transom.cli.failure import Commands
from transom.cli.serve import serve

app = typer.Typer(
    name="transom",
    cls=Commands,
    help="A desktop with a browser for each user, in a machine of its own, streamed to a web page.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(serve)
app.add_typer(doctor.app, name="doctor")
app.add_typer(sessions.app, name="session")
app.add_typer(files.app, name="files")
app.add_typer(recordings.app, name="recording")
app.add_typer(credentials.app, name="credential")
app.add_typer(tokens.app, name="token")
app.add_typer(users.app, name="user")
app.add_typer(images.app, name="image")
app.add_typer(pool.app, name="pool")
app.add_typer(vault.app, name="vault")
app.add_typer(exits.app, name="exit")
app.add_typer(echo.app, name="echo")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(version("transom"))
        except PackageNotFoundError:
            print("unpackaged")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False,
) -> None:
    """A desktop with a browser for each user, in a machine of its own, streamed to a web page."""


def main() -> int:
    """Run the command line. Every end but a plain one leaves by SystemExit with its own code."""
    app()
    return 0
