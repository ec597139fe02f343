"""`python -m transom_keeper --machine ID --folder DIR`, with a KeeperConfig frame on standard input.

Prints one JSON line: `{"ready": true, "pid": N}` once the machine runs and the keeper answers, or
`{"error": ..., "mend": ...}`. The arguments are no secret: they are how a keeper is found in a process list.
"""

from __future__ import annotations

import argparse
import json
import sys

from transom_keeper.start import StartError, main


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="transom_keeper", allow_abbrev=False)
    parser.add_argument("--machine", required=True)
    parser.add_argument("--folder", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    arguments = _arguments()
    try:
        main(arguments.machine, arguments.folder)
    except StartError as error:
        sys.stdout.write(json.dumps({"error": str(error), "mend": error.mend}))
        sys.exit(1)
