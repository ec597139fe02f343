"""`python -m transom` is the command line."""

import sys

from transom.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
