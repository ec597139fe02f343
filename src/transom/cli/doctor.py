"""transom doctor: what is missing or weak on this host, and the command that mends it."""

from __future__ import annotations

import typer

from transom.cli.failure import printable
from transom.cli.options import AsJson, State
from transom.cli.output import show_json
from transom.cli.serve import read_settings


def doctor(state: State = None, as_json: AsJson = False) -> None:
    """Say what is missing or weak here, and how to mend it; exit code 1 when sessions would not work."""
    from transom.cli.checks import Finding, Standing, run_checks

    findings: list[Finding] = []
    for finding in run_checks(read_settings(state=state)):
        findings.append(finding)
        if not as_json:
            print(f"{finding.standing:<8} {finding.subject}: {printable(finding.what)}")
            if finding.mend:
                print(f"{'':<8} mend: {printable(finding.mend)}")
    healthy = not any(finding.standing is Standing.PROBLEM for finding in findings)
    if as_json:
        rows = [
            {"subject": f.subject, "standing": f.standing.value, "what": f.what, "mend": f.mend}
            for f in findings
        ]
        show_json({"healthy": healthy, "findings": rows})
    if not healthy:
        raise typer.Exit(1)
