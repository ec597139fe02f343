"""`python -m transom` is the command line."""

from transom.cli.main import main

if __name__ == "__main__":
    main()
