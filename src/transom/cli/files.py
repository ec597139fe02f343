"""transom files: what is in a desktop's ~/Files, and files up and down."""

from __future__ import annotations

import contextlib
import os
import secrets
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from transom.cli.client import Client, connect
from transom.cli.failure import Failure
from transom.cli.options import AsJson, State
from transom.cli.output import show_json, show_rows
from transom_wire.files import CHUNK, name_fault

app = typer.Typer(help="A desktop's files: list them, put some there, get some.", no_args_is_help=True)
COLUMNS = ("name", "size", "modified_at")


@app.command("list")
def list_files(session: str, state: State = None, as_json: AsJson = False) -> None:
    """The files in the desktop's ~/Files."""
    found = connect(state).get("sessions", session, "files")
    show_rows(found["files"], COLUMNS, as_json=as_json, none="There are no files.")


@app.command()
def put(session: str, files: list[Path], state: State = None, as_json: AsJson = False) -> None:
    """Put files on the desktop; one of the same name there is replaced."""
    client = connect(state)
    done = []
    for path in files:
        try:
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                where = ("sessions", session, "files", unicodedata.normalize("NFC", path.name))
                done.append(client.put_file(*where, content=_chunks(file), size=size))
        except OSError as error:
            raise Failure(f"{path} cannot be read: {error.strerror}") from None
        if not as_json:
            print(f"{path.name}: {done[-1]['size']} bytes on the desktop")
    if as_json:
        show_json(done)


@app.command()
def get(
    session: str,
    names: list[str],
    to: Annotated[Path, typer.Option(help="Folder to write to.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Get files from the desktop, readable by you alone. What they hold, the desktop said: open them with care."""
    client = connect(state)
    done = []
    for name in names:
        fault = name_fault(name)
        if fault:
            raise Failure(f"{name!r} is no file's name: {fault}")
        try:
            to.mkdir(parents=True, exist_ok=True)
            size = _get(client, session, name, to, force=force)
        except OSError as error:
            raise Failure(f"{to / name} cannot be written: {error.strerror}") from None
        done.append({"name": name, "size": size})
        if not as_json:
            print(f"{to / name}: {size} bytes")
    if as_json:
        show_json(done)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while data := file.read(CHUNK):
        yield data


def _get(client: Client, session: str, name: str, to: Path, *, force: bool) -> int:
    """The file appears whole, or not at all. Raises OSError."""
    if not force and os.path.lexists(to / name):
        raise Failure(f"{to / name} is there already", mend="choose another --to, or --force", code="exists")
    aside = to / f".transom-{secrets.token_hex(8)}"
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file, client.stream("sessions", session, "files", name) as chunks:
            size = sum(file.write(data) for data in chunks)
        aside.replace(to / name)
    finally:
        with contextlib.suppress(FileNotFoundError):
            aside.unlink()
    return size
