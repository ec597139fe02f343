"""transom exit: the upstream proxies that users leave by. For administrators.

No password is taken as an argument: every user of this host can read another's arguments.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from transom.cli.client import Client, connect
from transom.cli.failure import NOT_FOUND, USAGE, Failure
from transom.cli.options import AsJson, State
from transom.cli.output import show_fields, show_json, show_rows
from transom.egress.upstream import has_password, read_list
from transom.model.errors import Invalid

app = typer.Typer(help="The upstream proxies that users leave by.", no_args_is_help=True)
Exit = Annotated[str, typer.Argument(help="An exit's id or label.")]
Region = Annotated[str, typer.Option(help="Where it leaves, for people to read.")]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="May be said again and again.")]
LIST_LIMIT = 8 * 2**20
"""Bytes of a list."""
PART = 100_000
"""Characters sent in one request; the server takes little more."""
SHOWN = (
    "id",
    "label",
    "scheme",
    "host",
    "port",
    "username",
    "state",
    "score",
    "address",
    "users",
    "draining",
)


@app.command()
def add(
    url: Annotated[str, typer.Argument(help="http://USER@HOST:PORT, or with a range: HOST:{10001..10050}.")],
    password_file: Annotated[Path | None, typer.Option(help="File whose first line is the password.")] = None,
    password_env: Annotated[str | None, typer.Option(help="Environment variable with the password.")] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read it from standard input.")
    ] = False,
    label: Annotated[str, typer.Option(help="What to call it; several are numbered.")] = "",
    region: Region = "",
    tag: Tags = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Add one exit, or as many as a range stands for."""
    if has_password(url):
        raise Failure(
            "a password in an argument can be read by every user of this host, so it is not taken",
            mend="leave it out of the URL and add --password-stdin, --password-file or --password-env;"
            " or put the whole line into a file: transom exit import FILE",
            exit_code=USAGE,
        )
    password = _password(password_file, password_env, password_stdin)
    line = url if password is None else _with_password(url, password)
    _add(connect(state), line, label, region, tag, as_json=as_json)


@app.command("import")
def import_list(
    file: Annotated[str, typer.Argument(help="A list, a line for each upstream; - is standard input.")],
    label: Annotated[str, typer.Option(help="What to call them; they are numbered.")] = "",
    region: Region = "",
    tag: Tags = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Add a seller's list: URLs with passwords, HOST:PORT:USER:PASS, ranges."""
    _add(connect(state), _read(file), label, region, tag, as_json=as_json)


@app.command("list")
def list_exits(state: State = None, as_json: AsJson = False) -> None:
    """Every exit, who has it, and how it fares. Of user names only the beginning is shown."""
    rows = connect(state).get("exits")
    show_rows(rows, SHOWN, as_json=as_json, none="No exits. Add some: transom exit import FILE")


@app.command()
def check(
    exit: Annotated[str | None, typer.Argument(help="An exit's id or label; left out: all.")] = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Ask through an exit, now: does it work, and by which address does it leave?"""
    client = connect(state)
    rows = client.post("exits", "check") if exit is None else [client.post("exits", exit, "check")]
    columns = ("label", "state", "score", "latency_ms", "address", "why")
    show_rows(rows, columns, as_json=as_json, none="No exits.")


@app.command()
def drain(
    exit: Exit,
    undo: Annotated[bool, typer.Option("--undo", help="Take it back into use.")] = False,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Take an exit out of use: nobody gets it, and its user moves by the rule of TRANSOM_EXIT_MOVE."""
    found = connect(state).post("exits", exit, "resume" if undo else "drain")
    if as_json:
        show_json(found)
    else:
        print(f"{found['label']} is {'in use again' if undo else 'being drained'}")


@app.command()
def remove(exit: Exit, state: State = None, as_json: AsJson = False) -> None:
    """Remove an exit; its user gets another one, or none."""
    connect(state).delete("exits", exit)
    if as_json:
        show_json({"removed": exit})
    else:
        print(f"{exit} is removed")


@app.command()
def leases(state: State = None, as_json: AsJson = False) -> None:
    """Who has which exit."""
    columns = ("name", "label", "address", "since_at", "shared", "asked", "word")
    show_rows(connect(state).get("exits", "leases"), columns, as_json=as_json, none="Nobody has an exit.")


@app.command()
def move(
    user: Annotated[str, typer.Argument(help="A user's name or id.")],
    to: Annotated[
        str | None, typer.Option(help="An exit's id or label; left out: the best free one.")
    ] = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Give a user another exit, also in the machines that run now."""
    client = connect(state)
    lease = client.post("exits", "leases", _user(client, user), "move", body={"exit": to})
    show_fields({name: lease[name] for name in ("name", "label", "address")}, as_json=as_json)


@app.command()
def lists(
    kind: Annotated[
        str | None, typer.Argument(help="user or provider; left out: every list is shown.")
    ] = None,
    subject: Annotated[
        str | None, typer.Argument(help="The user's name or id, or the provider's id.")
    ] = None,
    allow: Annotated[
        list[str] | None, typer.Option(help="HOST, *.HOST, HOST:PORT; nothing else then.")
    ] = None,
    deny: Annotated[list[str] | None, typer.Option(help="Never, whatever is allowed.")] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Lift both lists.")] = False,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Where the machines of a user, or of a provider's sign-ins, may go."""
    client = connect(state)
    if kind is None or subject is None:
        found = client.get("exits", "lists")
        show_rows(found, ("kind", "subject", "allow", "deny"), as_json=as_json, none="No lists.")
        return
    if kind not in ("user", "provider"):
        raise typer.BadParameter("say user or provider")
    subject = _user(client, subject) if kind == "user" else subject
    if clear:
        client.delete("exits", "lists", kind, subject)
        show_fields({"kind": kind, "subject": subject, "cleared": True}, as_json=as_json)
        return
    body = {"allow": allow or [], "deny": deny or []}
    show_fields(client.post("exits", "lists", kind, subject, body=body), as_json=as_json)


def _add(
    client: Client, text: str, label: str, region: str, tags: list[str] | None, *, as_json: bool
) -> None:
    try:
        read_list(text)
    except Invalid as error:
        raise Failure(error.message, exit_code=USAGE) from None
    added = known = 0
    for part in _parts(text):
        body: dict[str, Any] = {"lines": part, "region": region, "tags": tags or []}
        answer = client.post("exits", body={**body, "label": label} if label else body)
        added, known = added + answer["added"], known + answer["known"]
    if as_json:
        show_json({"added": added, "known": known})
    else:
        print(f"{added} exits added, {known} were known")


def _parts(text: str) -> Iterator[str]:
    """The list in parts of whole lines that a request carries."""
    part: list[str] = []
    size = 0
    for line in text.splitlines():
        if part and size + len(line) + 1 > PART:
            yield "\n".join(part)
            part, size = [], 0
        part.append(line)
        size += len(line) + 1
    if any(line.strip() for line in part):
        yield "\n".join(part)


def _password(file: Path | None, variable: str | None, stdin: bool) -> str | None:
    if sum((file is not None, variable is not None, stdin)) > 1:
        raise typer.BadParameter("say where the password is once")
    if file is not None:
        return _first_line(_read(str(file)))
    if variable is not None:
        if variable not in os.environ:
            raise Failure(f"{variable} is not set", exit_code=USAGE)
        return os.environ[variable]
    return _first_line(sys.stdin.readline(4096)) if stdin else None


def _first_line(text: str) -> str:
    return text.splitlines()[0] if text else ""


def _with_password(url: str, password: str) -> str:
    head, at, place = url.rpartition("@")
    if not at:
        raise Failure("a password needs a user name: http://USER@HOST:PORT", exit_code=USAGE)
    return f"{head}:{quote(password, safe='')}@{place}"


def _read(file: str) -> str:
    try:
        if file == "-":
            return sys.stdin.read(LIST_LIMIT)
        path = Path(file)
        if path.stat().st_size > LIST_LIMIT:
            raise Failure(f"{file} is larger than {LIST_LIMIT} bytes")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}", exit_code=NOT_FOUND) from None
    except UnicodeDecodeError:
        raise Failure(f"{file} is not text") from None


def _user(client: Client, wanted: str) -> str:
    for user in client.get("users"):
        if wanted in (user["id"], user["name"]):
            return str(user["id"])
    raise Failure("no such user", mend="transom user list", code="not_found", exit_code=NOT_FOUND)
