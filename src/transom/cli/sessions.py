"""transom session: look at sessions, start one, end some."""

from __future__ import annotations

import time
import uuid
from typing import Annotated, Any

import typer

from transom.cli import links, quality
from transom.cli.client import Client, connect
from transom.cli.failure import Failure
from transom.cli.options import AsJson, State
from transom.cli.output import show_fields, show_json, show_rows

app = typer.Typer(help="Desktops: look at them, start one, end some.", no_args_is_help=True)
for command in (links.share, links.links, links.unshare):
    app.command()(command)
COLUMNS = ("id", "state", "provider", "created_at", "expires_at", "reason")
FIELDS = (
    *("id", "state", "reason", "detail", "provider", "driver", "created_at", "expires_at", "idle_at"),
    *("width", "height", "warnings", "timeline", "page"),
)
OVER = ("ended", "failed")
POLL_S = 0.25
app.command("quality")(quality.show)


@app.command("list")
def list_sessions(state: State = None, as_json: AsJson = False) -> None:
    """One's own living and recent sessions."""
    rows = connect(state).get("sessions")
    show_rows(rows, COLUMNS, as_json=as_json, none="No sessions. Start one: transom session create")


@app.command()
def show(session: str, state: State = None, as_json: AsJson = False) -> None:
    """One session: where it is, and why."""
    _show(connect(state).get("sessions", session), as_json)


@app.command()
def create(
    provider: Annotated[str | None, typer.Option(help="Sign in to this provider.")] = None,
    start_url: Annotated[str | None, typer.Option(help="Page the browser opens first.")] = None,
    width: Annotated[int | None, typer.Option(help="Desktop width in pixels.")] = None,
    height: Annotated[int | None, typer.Option(help="Desktop height in pixels.")] = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait until it is ready; 0: do not.", min=0)] = 0,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Start a session; its page is where to watch it."""
    client = connect(state)
    wanted = {"provider": provider, "start_url": start_url, "width": width, "height": height}
    body = {name: value for name, value in wanted.items() if value is not None}
    session = client.post("sessions", body=body, headers={"Idempotency-Key": uuid.uuid4().hex})
    if wait:
        session = _wait_ready(client, session["id"], wait)
    _show(session, as_json)


@app.command()
def stop(sessions: list[str], state: State = None, as_json: AsJson = False) -> None:
    """End sessions; their machines are taken down, what is not saved is lost."""
    client = connect(state)
    ended = []
    for session in sessions:
        client.delete("sessions", session)
        ended.append(session)
        if not as_json:
            print(f"{session} is ending")
    if as_json:
        show_json({"ending": ended})


def _wait_ready(client: Client, session: str, seconds: float) -> Any:
    until = time.monotonic() + seconds
    while True:
        found = client.get("sessions", session)
        if found["state"] == "ready":
            return found
        if found["state"] in OVER:
            raise Failure(f"the session is over: {found.get('reason')} {found.get('detail') or ''}".rstrip())
        if time.monotonic() > until:
            raise Failure(f"{session} is not ready after {seconds:g} s: it is {found['state']}")
        time.sleep(POLL_S)


def _show(session: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show_json(session)
        return
    known = {name: session[name] for name in FIELDS if name in session}
    signin = session.get("signin")
    if signin:
        known["sign-in"] = f"{signin['provider']}: {signin['stage']} {signin.get('message') or ''}".strip()
        known["open"] = signin.get("url")
        known["code"] = signin.get("user_code")
    show_fields(known, as_json=False)
