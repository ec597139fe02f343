"""transom recording: recordings of sessions: which there are, one as a tar, and away with one."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import Annotated

import typer

from transom.cli.client import connect
from transom.cli.failure import Failure
from transom.cli.options import AsJson, State
from transom.cli.output import show_json, show_rows

app = typer.Typer(help="Recordings of sessions: list them, get one, remove one.", no_args_is_help=True)
COLUMNS = ("session", "started_at", "ended_at", "segments", "bytes", "user")


@app.command("list")
def list_recordings(state: State = None, as_json: AsJson = False) -> None:
    """One's own recordings; an administrator's list has everybody's."""
    show_rows(connect(state).get("recordings"), COLUMNS, as_json=as_json, none="Nothing is recorded.")


@app.command()
def get(
    session: str,
    to: Annotated[Path | None, typer.Option(help="File to write; SESSION.tar here unless given.")] = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Segments (MP4) and timeline (JSON lines) as one tar, readable by you alone."""
    client = connect(state)
    path = to or Path(f"{session}.tar")
    if os.path.lexists(path):
        raise Failure(f"{path} is there already", mend="choose another --to", code="exists")
    aside = path.with_name(f".transom-{secrets.token_hex(8)}")
    try:
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with (
            os.fdopen(descriptor, "wb") as file,
            client.stream("sessions", session, "recording", "archive") as chunks,
        ):
            size = sum(file.write(data) for data in chunks)
        aside.replace(path)
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}") from None
    finally:
        with contextlib.suppress(OSError):
            aside.unlink()
    if as_json:
        show_json({"session": session, "path": str(path), "bytes": size})
    else:
        print(f"{path}: {size} bytes")


@app.command()
def remove(sessions: list[str], state: State = None, as_json: AsJson = False) -> None:
    """Remove recordings for good."""
    client = connect(state)
    for session in sessions:
        client.delete("sessions", session, "recording")
        if not as_json:
            print(f"the recording of {session} is removed")
    if as_json:
        show_json({"removed": sessions})
