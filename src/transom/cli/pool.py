"""transom pool: the warm machines, how making machines fares, and what failed. For administrators."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from transom.cli.client import connect
from transom.cli.failure import printable
from transom.cli.options import AsJson, State
from transom.cli.output import show_fields, show_json, show_rows

app = typer.Typer(help="Warm machines, and how making machines fares.", no_args_is_help=True)
COLUMNS = ("id", "driver", "slot", "phase", "session", "made_at", "memory", "processes")
FAILED = ("id", "driver", "made_at", "failed_stage", "cause")
MIB = 2**20


@app.command()
def show(state: State = None, as_json: AsJson = False) -> None:
    """How the pool stands, and the last day's machines by outcome."""
    found = connect(state).get("machines", limit="0")
    if as_json:
        show_json({"pool": found["pool"], "funnel": found["funnel"]})
        return
    show_fields(_pool(found["pool"]), as_json=False)
    print()
    show_rows(
        found["funnel"],
        ("driver", "warm", "outcome", "failed_stage", "count"),
        as_json=False,
        none="No machine was made in the last day.",
    )


@app.command("list")
def list_machines(
    failed: Annotated[bool, typer.Option("--failed", help="Those that failed, newest first.")] = False,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Machines that stand now, parked ones among them; or those that failed."""
    rows = connect(state).get("machines")["machines"]
    if failed:
        wrong = [row for row in rows if row["failed_stage"]]
        show_rows(wrong, FAILED, as_json=as_json, none="No machine has failed.")
        return
    standing = [_row(row) for row in rows if row["phase"] != "over"]
    show_rows(standing, COLUMNS, as_json=as_json, none="No machine stands.")


@app.command()
def log(machine: str, state: State = None) -> None:
    """What a failed machine wrote, as far as it is kept."""
    text: str = connect(state).get("machines", machine, "log")["log"]
    for line in text.splitlines():
        print(printable(line))


def _pool(pool: dict[str, Any]) -> dict[str, Any]:
    asked = pool["hits"] + pool["misses"]
    return {
        "parked": f"{pool['parked']} of {pool['target']} wanted ({pool['least']} to {pool['most']})",
        "making": pool["making"],
        "memory": f"{pool['memory_bytes'] // MIB} MiB",
        "claims": f"{pool['hits']} of {asked} sessions found one" if asked else "none yet",
        "failures": pool["failures"],
        "last failure": pool["last_failure"],
    }


def _row(row: dict[str, Any]) -> dict[str, Any]:
    usage = row["usage"]
    memory = f"{usage['memory_bytes'] // MIB} MiB" if "memory_bytes" in usage else None
    return row | {"memory": memory, "processes": usage.get("pids")}
