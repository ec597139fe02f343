"""Runs the application in this process: one listening socket, one line when ready, one line when it cannot be."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import json
import os
import resource
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Protocol
from urllib.parse import quote

import structlog
import uvicorn
from fastapi import FastAPI

from transom.auth.limits import RateLimiter
from transom.auth.service import AuthService
from transom.model.errors import TransomError
from transom.model.ports import Driver
from transom.observe import logs
from transom.observe.metrics import Metrics
from transom.settings import Settings

log = structlog.get_logger(__name__)
TOKEN_LABEL = "this host"  # noqa: S105 - a label
WS_MESSAGE_LIMIT = 2 * 2**20
"""Bytes at which the server itself cuts a WebSocket message; the routes' own limits are lower."""
CONNECTIONS = 2000
"""Connections served at once; more are answered 503. A viewer holds up to three."""
OPEN_FILES = 65_536
"""Descriptors wanted at most: connections, a keeper's socket for each session, and the database."""
KEEP_ALIVE_S = 75
"""An idle connection is kept: longer than clients and proxies do (nginx's minute), who would send the next request into
one that is being closed, and answer 502."""
GRACE_S = 5
"""Seconds requests under way have at a stop."""
PROBE_DEADLINE_S = 20.0
LINES, LINES_S = 20, 600.0
"""Log lines of one kind that a session may cause in so many seconds: its guest decides how many there are."""


class CannotServe(Exception):
    """What is wrong, and what mends it, each in a few words for the operator."""

    def __init__(self, message: str, mend: str = "", code: str = "cannot_start") -> None:
        super().__init__(f"{message}: {mend}" if mend else message)
        self.message, self.mend, self.code = message, mend, code


class Served(Protocol):
    """What is needed of the composition."""

    auth: AuthService
    driver: Driver
    metrics: Metrics

    async def open(self) -> Any: ...
    async def close(self) -> None: ...


def serve(settings: Settings, served: Served, app: FastAPI, *, json_ready: bool) -> None:
    """Serve until told to stop. Raises SystemExit(1) after one line on standard error."""
    wait = RateLimiter(count=LINES, seconds=LINES_S).allow
    seldom = logs.Seldom(wait, served.metrics.left_out)
    logs.configure(form=settings.log_format, level=settings.log_level, seldom=seldom)
    raise_open_files()
    try:
        with _alone(settings), _listen(settings) as listener:
            asyncio.run(_run(settings, served, app, listener, json_ready))
    except CannotServe as error:
        print(_complaint(error, as_json=json_ready), file=sys.stderr)  # noqa: T201
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        return


async def _run(
    settings: Settings, served: Served, app: FastAPI, listener: socket.socket, json_ready: bool
) -> None:
    try:
        app.state.parts = await served.open()
        await _check_host(served.driver)
        ready = await _ready(settings, served.auth, listener)
    except TransomError as error:
        await served.close()
        raise CannotServe(error.message, str(getattr(error, "mend", "")), error.code) from None
    except BaseException:
        await served.close()
        raise
    config = server_config(settings, app)
    await Server(config, lambda: _announce(ready, json_ready)).serve(sockets=[listener])


def server_config(settings: Settings, app: FastAPI) -> uvicorn.Config:
    """How the application is served."""
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        limit_concurrency=CONNECTIONS,
        ws_max_size=WS_MESSAGE_LIMIT,
        ws_per_message_deflate=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )


class Server(uvicorn.Server):
    """Says when it is ready; a signal ends it as success, not as a death by signal."""

    def __init__(self, config: uvicorn.Config, announce: Any) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, then the one line."""
        await super().startup(sockets)
        if not self.should_exit:
            self._announce()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at the first SIGTERM or SIGINT; at a second SIGINT without waiting."""
        loop = asyncio.get_running_loop()
        caught = (signal.SIGTERM, signal.SIGINT)
        for each in caught:
            loop.add_signal_handler(each, self.handle_exit, each, None)
        try:
            yield
        finally:
            for each in caught:
                loop.remove_signal_handler(each)


def raise_open_files() -> None:
    """Take as many descriptors as the hard limit grants, up to OPEN_FILES: the soft one is often 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _check_host(driver: Driver) -> None:
    try:
        async with asyncio.timeout(PROBE_DEADLINE_S):
            probe = await driver.probe()
    except TimeoutError:
        log.warning("the host could not be looked at in time")
        return
    for warning in probe.warnings:
        log.warning("host", what=warning.what, mend=warning.mend)
    if not probe.usable:
        problem = probe.problems[0] if probe.problems else None
        if problem is None:
            raise CannotServe("this host cannot run machines", "transom doctor")
        raise CannotServe(problem.what, problem.mend)


async def _ready(settings: Settings, auth: AuthService, listener: socket.socket) -> dict[str, str]:
    url = _url(settings, listener)
    administrator = await auth.administrator()
    token = await auth.keep_token(administrator.id, TOKEN_LABEL, _known_token(settings.client_file))
    key = await auth.issue_key(administrator.id)
    home = (settings.public_url or url).rstrip("/")
    _write_private(settings.client_file, {"url": url, "token": token})
    return {"url": url, "token": token, "key": key, "key_url": f"{home}/?key={quote(key, safe='')}"}


def _announce(ready: dict[str, str], json_ready: bool) -> None:
    line = json.dumps(ready) if json_ready else f"transom ready: {ready['key_url']}"
    print(line, flush=True)  # noqa: T201


def _complaint(error: CannotServe, *, as_json: bool) -> str:
    """One line for standard error, or the object that every command's errors are."""
    if not as_json:
        return f"transom cannot start: {error}"
    return json.dumps({"error": {"code": error.code, "message": error.message, "mend": error.mend}})


def _url(settings: Settings, listener: socket.socket) -> str:
    port = listener.getsockname()[1]
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)
    return f"http://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{port}"


def _known_token(path: Path) -> str | None:
    try:
        found = json.loads(path.read_text()).get("token")
    except (OSError, ValueError, AttributeError):
        return None
    return found if isinstance(found, str) else None


def _write_private(path: Path, content: dict[str, str]) -> None:
    """Write for this user only; whoever reads meanwhile sees the old or the new. Raises CannotServe."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(content, file)
        fresh.replace(path)
    except OSError as error:
        raise CannotServe(
            f"{path} cannot be written ({error.strerror})", "make room, or its owner you"
        ) from None


def open_lock(state: Path) -> IO[str]:
    """The file whose lock the one controller holds. Other users may not open it: who can, can hold the lock.
    Raises OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(state / "controller.lock", flags, 0o600)
    os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, "w")


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """One controller for each state folder. Raises CannotServe."""
    try:
        settings.state.mkdir(mode=0o711, parents=True, exist_ok=True)
        file = open_lock(settings.state)
    except OSError as error:
        raise CannotServe(f"{settings.state}: {error.strerror}", "choose another with --state") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CannotServe(
                f"another transom serves {settings.state}", "end it, or choose another --state"
            ) from None
        yield


@contextmanager
def _listen(settings: Settings) -> Iterator[socket.socket]:
    """The listening socket. Raises CannotServe."""
    host = settings.host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, settings.port))
        listener.listen(256)
    except (OSError, OverflowError) as error:
        listener.close()
        raise _why_not(settings, error) from None
    with listener:
        yield listener


def _why_not(settings: Settings, error: Exception) -> CannotServe:
    code = getattr(error, "errno", None)
    if code == errno.EADDRINUSE:
        mend = "end what listens there, or choose another with --port"
        return CannotServe(f"port {settings.port} is in use", mend)
    if code == errno.EACCES:
        return CannotServe(f"port {settings.port} needs privileges", "choose one above 1023 with --port")
    return CannotServe(f"{settings.host}:{settings.port} cannot be listened on: {error}")
