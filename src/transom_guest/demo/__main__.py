"""`python3 -m transom_guest.demo issuer|login`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from transom_guest.demo.cli import LoginError, login
from transom_guest.demo.issuer import serve


def main(arguments: list[str]) -> int:
    """Run one of the two; returns the exit code."""
    parser = argparse.ArgumentParser(prog="transom-demo", description="A provider that needs no account.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("issuer").add_argument("--port", type=int, default=8091)
    verbs.add_parser("login").add_argument("--issuer", default="http://127.0.0.1:8091")
    chosen = parser.parse_args(arguments)
    if chosen.verb == "issuer":
        with serve(chosen.port) as server:
            server.serve_forever()
        return 0
    try:
        account = login(chosen.issuer, Path(os.environ["HOME"]))
    except (LoginError, OSError) as error:
        print(f"Sign-in failed: {error}", file=sys.stderr)  # noqa: T201
        return 1
    print(f"Signed in as {account}.")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
