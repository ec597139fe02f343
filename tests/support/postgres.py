"""A PostgreSQL server of the test's own: unix socket only, in a folder that goes away with it."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

START_SECONDS = 60.0


def server_programs() -> Path:
    """The folder with initdb and postgres, newest version first: Debian keeps them off PATH."""
    found = shutil.which("postgres")
    installed = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True
    )
    candidates = [*installed, *([Path(found).resolve().parent] if found else [])]
    for folder in candidates:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise RuntimeError("PostgreSQL's server is missing: apt-get install postgresql")


class Postgres:
    """`with Postgres() as server: server.url("name")`. As root it runs as an unprivileged user."""

    def __init__(self) -> None:
        self._programs = server_programs()
        self._folder = Path(tempfile.mkdtemp(prefix="transom-pg-", dir="/tmp"))
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0

    def __enter__(self) -> Postgres:
        try:
            self._initialise()
            self.start()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *raised: object) -> None:
        self.stop(signal.SIGQUIT)  # what it holds is not wanted: no checkpoint
        self._remove()

    def start(self) -> None:
        """Start the server; returns when it takes connections."""
        self._process = subprocess.Popen(
            [
                *self._as_nobody(),
                str(self._programs / "postgres"),
                *("-D", str(self._folder / "data"), "-k", str(self._folder)),
                *("-c", "listen_addresses=", "-c", "max_connections=40", "-c", "shared_buffers=16MB"),
                *(
                    "-c",
                    "fsync=off",
                ),  # it outlives no host, and a database for each test is many files to write
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=(self._folder / "log").open("ab"),
            cwd="/",
            start_new_session=True,
        )
        self._wait_until_ready()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server at once, cutting every connection."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(how)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(20)

    def new_database(self) -> str:
        """A fresh, empty database; returns its SQLAlchemy URL."""
        self._databases += 1
        name = f"test_{self._databases}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
        return self.url(name)

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of a database."""
        return f"postgresql://transom@/{database}?host={quote(str(self._folder))}"

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Run one statement, outside a transaction."""
        import psycopg

        with psycopg.connect(self._conninfo(database), autocommit=True, connect_timeout=5) as connection:
            connection.execute(statement.encode())

    def _conninfo(self, database: str) -> str:
        return f"host={self._folder} user=transom dbname={database}"

    def _initialise(self) -> None:
        if os.geteuid() == 0:
            owner = self._owner()
            os.chown(self._folder, owner.pw_uid, owner.pw_gid)
        subprocess.run(
            [
                *self._as_nobody(),
                str(self._programs / "initdb"),
                *("-D", str(self._folder / "data"), "-U", "transom", "--auth=trust", "--no-sync"),
                *("--encoding=UTF8", "--locale=C"),
            ],
            check=True,
            capture_output=True,
            cwd="/",
            timeout=START_SECONDS,
        )

    def _wait_until_ready(self) -> None:
        import psycopg

        until = time.monotonic() + START_SECONDS
        while True:
            try:
                self.execute("SELECT 1")
                return
            except psycopg.OperationalError:
                if time.monotonic() > until or self._process is None or self._process.poll() is not None:
                    log = (self._folder / "log").read_text(errors="replace")[-2000:]
                    raise RuntimeError(f"PostgreSQL did not start:\n{log}") from None
                time.sleep(0.05)

    def _as_nobody(self) -> Sequence[str]:
        # The server refuses to run as root, and so should a test.
        if os.geteuid() != 0:
            return ()
        owner = self._owner()
        return ("setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups", "--")

    @staticmethod
    def _owner() -> pwd.struct_passwd:
        try:
            return pwd.getpwnam("postgres")
        except KeyError:
            return pwd.getpwnam("nobody")

    def _remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
