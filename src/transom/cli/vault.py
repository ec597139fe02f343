"""transom vault: the key that protects every credential. Works on the state folder, while no server does."""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transom.cli.failure import NOT_FOUND, Failure
from transom.cli.options import AsJson, State
from transom.cli.output import show_json
from transom.cli.serve import read_settings

if TYPE_CHECKING:
    from transom.settings import Settings

app = typer.Typer(help="The key that protects every credential.", no_args_is_help=True)


@app.command()
def rewrap(
    new_file: Annotated[Path | None, typer.Option(help="File of the new key; made if it is missing.")] = None,
    new_command: Annotated[str | None, typer.Option(help="Command that prints the new key.")] = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Put the vault under a new key-encryption key; then set TRANSOM_KEK_FILE or TRANSOM_KEK_COMMAND to it."""
    if (new_file is None) == (new_command is None):
        raise typer.BadParameter("give --new-file or --new-command")
    settings = read_settings(state=state)
    with _no_server(settings.state):
        count = asyncio.run(_rewrap(settings, new_file or Path(), new_command))
    if as_json:
        show_json({"vault_keys": count})
    else:
        print(
            f"{count} vault keys are under the new key: set it in the server's settings before its next start"
        )


@contextmanager
def _no_server(state: Path) -> Iterator[None]:
    # A server that runs would go on with the old key, and open nothing.
    from transom.serve import open_lock

    try:
        with open_lock(state) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
    except BlockingIOError:
        raise Failure(f"a server runs on {state}", mend="stop it, then try again") from None
    except FileNotFoundError:
        raise Failure(f"there is no server's state in {state}", exit_code=NOT_FOUND) from None


async def _rewrap(settings: Settings, new_file: Path, new_command: str | None) -> int:
    from transom.model.clock import now_ms
    from transom.store.database import Store
    from transom.vault.keys import key_source
    from transom.vault.rotate import rewrap as exchange

    old = key_source(settings.kek, settings.kek_command)
    store = Store(settings.database_url)
    await store.open()
    try:
        return await exchange(store, old, key_source(new_file, new_command), now_ms)
    finally:
        await store.close()
