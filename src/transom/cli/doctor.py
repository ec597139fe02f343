"""transom doctor: what is missing or weak on this host, and the command that mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from transom.cli.failure import printable
from transom.cli.options import AsJson, State
from transom.cli.output import show_json
from transom.cli.serve import read_settings
from transom.model.machine import DRIVERS

if TYPE_CHECKING:
    from transom.model.finding import Finding


GROUPS = ("server", "host", *DRIVERS)
"""In this order; those of the server are told at once, the rest waits for the slowest driver."""


app = typer.Typer(help="What is missing or weak, and how to mend it.", invoke_without_command=True)


@app.callback()
def doctor(context: typer.Context, state: State = None, as_json: AsJson = False) -> None:
    """Say what is missing or weak here, and how to mend it; exit code 1 when sessions would not work."""
    if context.invoked_subcommand is not None:
        return
    from transom.cli.checks import run_checks
    from transom.model.finding import Standing

    findings: list[Finding] = []
    for finding in run_checks(read_settings(state=state)):
        findings.append(finding)
        if not as_json and finding.group == GROUPS[0]:
            show(finding)
    findings.sort(key=lambda finding: GROUPS.index(finding.group))
    if not as_json:
        for finding in findings:
            if finding.group != GROUPS[0]:
                show(finding)
    healthy = not any(finding.standing is Standing.PROBLEM for finding in findings)
    if as_json:
        rows = [
            {
                "group": f.group,
                "subject": f.subject,
                "standing": f.standing.value,
                "what": f.what,
                "mend": f.mend,
            }
            for f in findings
        ]
        show_json({"healthy": healthy, "findings": rows})
    if not healthy:
        raise typer.Exit(1)


@app.command()
def connect(context: typer.Context, session: str, state: State = None, as_json: AsJson = False) -> None:
    """Say why a session's picture does not come, looked at from this host; exit code 1 when it would not."""
    from transom.cli.client import connect as connected
    from transom.cli.connect import look, rows
    from transom.stream.preflight import judge

    # `transom doctor --state DIR --json connect S` says the same as with the options at its end
    before = context.parent.params if context.parent is not None else {}
    source = context.get_parameter_source("state")
    if source is None or source.name != "COMMANDLINE":
        state = before.get("state", state)
    as_json = as_json or bool(before.get("as_json"))
    found = look(connected(state), session)
    verdict = judge(found)
    if as_json:
        show_json({"standing": verdict.standing, "verdict": verdict.text, "looks": rows(found)})
    else:
        print(f"{verdict.standing:<8} {verdict.text}")
        for row in rows(found):
            print(
                f"{'ok' if row['works'] else 'problem':<8} {row['what']:<14}{printable(str(row['detail']))}"
            )
    if verdict.standing == "problem":
        raise typer.Exit(1)


def show(finding: Finding) -> None:
    """One finding for people; its mend on a line of its own."""
    print(f"{finding.standing:<8} {finding.group:<12}{finding.subject}: {printable(finding.what)}")
    if finding.mend:
        print(f"{'':<8} {'':<12}mend: {printable(finding.mend)}")
