"""transom credential: what sign-ins left in the vault, and its files back."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Annotated, Any

import typer

from transom.cli.client import connect
from transom.cli.failure import Failure
from transom.cli.options import AsJson, State
from transom.cli.output import show_json, show_rows

app = typer.Typer(help="What sign-ins left in the vault; yours alone.", no_args_is_help=True)
COLUMNS = ("provider", "names", "generation", "created_at", "expires_at")
Provider = Annotated[str, typer.Argument(help="As in `transom credential list`.")]


@app.command("list")
def list_credentials(state: State = None, as_json: AsJson = False) -> None:
    """One's own credentials: their files' names, no content."""
    none = "No credentials. Sign in first: transom session create --provider PROVIDER"
    show_rows(connect(state).get("credentials"), COLUMNS, as_json=as_json, none=none)


@app.command()
def pull(
    provider: Provider,
    to: Annotated[Path, typer.Option("--to", help="Folder to write into.", file_okay=False)],
    force: Annotated[bool, typer.Option("--force", help="Overwrite files with other content.")] = False,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Write a credential's files into a folder, readable by you alone."""
    from transom.cli.unpack import write_files

    answer = connect(state).post("credentials", provider, "pull")
    done = write_files(to, _files(answer), force=force)
    if as_json:
        files = [{"path": path, "standing": standing} for path, standing in sorted(done.items())]
        show_json({"provider": provider, "generation": answer["generation"], "to": str(to), "files": files})
        return
    for path, standing in sorted(done.items()):
        print(f"{standing}: {to / path}")


@app.command()
def forget(
    provider: Provider,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Remove a credential from the vault. The provider itself is not told: sign out there as well."""
    if not yes and not as_json:
        typer.confirm(f"Remove every generation of {provider}?", abort=True)
    connect(state).delete("credentials", provider)
    if as_json:
        show_json({"forgotten": provider})
    else:
        print(f"{provider} is forgotten")


def _files(answer: Any) -> dict[str, bytes]:
    try:
        listed = [
            (file["path"], base64.b64decode(file["content"], validate=True)) for file in answer["files"]
        ]
        files = {str(path): content for path, content in listed}
        if len(files) != len(listed) or not isinstance(answer["generation"], int):
            raise ValueError
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise Failure("the server's answer cannot be read: nothing was written") from None
    return files
