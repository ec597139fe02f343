"""Structured logs, as JSON or for a terminal, from which secrets are removed before anything is written."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

import structlog

SECRET_NAMES = re.compile(
    r"(?i)(^|_)(key|token|secret|password|passwd|cookie|authorization|credential|credentials|sdp|body|kek)$"
)
"""Fields whose value is never written, whatever it is."""
SECRET_TEXT = re.compile(
    r"(?i)(bearer\s+)[A-Za-z0-9._~+/=-]{8,}"
    r"|([?&](?:key|token|code|state|access_token|id_token|secret)=)[^&\s\"']+"
    r"|(://[^/\s:@]+:)[^/\s@]+(?=@)"
    r"|(\b(?:sk|ghp|gho|xoxb)[-_])[A-Za-z0-9_-]{12,}"
    r"|(a=ice-pwd:)\S+"
    r"|(eyJ)[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"
)
"""Secrets inside a text: what is kept is the group before them."""
HIDDEN = "[hidden]"
TEXT_LIMIT = 6000
"""Characters of one value; a guest may send long reasons."""
LEFT_OUT_KEYS = 10_000
"""Lines whose omissions are remembered at once."""
HEAD = 1000
"""Of a text over the limit, its first characters and its last are kept: a traceback says the most at its end."""


def clean(text: str) -> str:
    """`text` without secrets and control characters, at most about TEXT_LIMIT characters."""
    if len(text) > TEXT_LIMIT:
        text = f"{text[:HEAD]}\n[...]\n{text[HEAD - TEXT_LIMIT :]}"
    kept = SECRET_TEXT.sub(lambda found: "".join(group or "" for group in found.groups()) + HIDDEN, text)
    return "".join(char if char >= " " or char in "\n\t" else "�" for char in kept)


def redact(_logger: object, _method: str, event: Mapping[str, Any]) -> Mapping[str, Any]:
    """A structlog processor: hide secret fields, clean every text."""
    return {name: _value(name, value) for name, value in event.items()}


def _value(name: str, value: Any) -> Any:
    if SECRET_NAMES.search(name):
        return HIDDEN
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {str(key): _value(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_value("", item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return clean(repr(value)) if not isinstance(value, bytes) else f"{len(value)} bytes"


class Seldom:
    """A structlog processor: what a session causes is written as often as `wait` allows, by session and line.

    `wait` counts one line of a key and gives 0 when it may be written. The others are counted, by `count`,
    and the next one that is written says how many of them there were.
    """

    def __init__(self, wait: Callable[[str], int], count: Callable[[], None]) -> None:
        self._wait, self._count = wait, count
        self._left_out: dict[str, int] = {}

    def __call__(self, _logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        """The line. Raises structlog.DropEvent."""
        if "session" not in event:
            return event
        key = f"{event['session']} {event.get('event')}"
        if not self.admits(key):
            if key in self._left_out or len(self._left_out) < LEFT_OUT_KEYS:
                self._left_out[key] = self._left_out.get(key, 0) + 1
            raise structlog.DropEvent
        left_out = self._left_out.pop(key, 0)
        if left_out:
            event["left_out"] = left_out
        return event

    def admits(self, key: str) -> bool:
        """Whether one more line of this kind may be written; it is counted when not."""
        if self._wait(key) == 0:
            return True
        self._count()
        return False


class Broken(logging.Filter):
    """Text on a WebSocket that is none is no fault of the server's: one line of the library's, seldom, and without the
    traceback that it would write for each."""

    def __init__(self, seldom: Seldom | None) -> None:
        super().__init__()
        self._seldom = seldom

    def filter(self, record: logging.LogRecord) -> bool:
        broken = record.exc_info and isinstance(record.exc_info[1], UnicodeDecodeError)
        if not broken or not record.name.startswith("uvicorn"):
            return True
        record.exc_info = None
        return self._seldom is None or self._seldom.admits("text that is none")


def configure(*, form: str, level: str, seldom: Seldom | None = None) -> None:
    """Send every log, those of libraries too, to standard error as `json` or `console` lines."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    first: list[Any] = [structlog.stdlib.filter_by_level, *([seldom] if seldom else [])]
    structlog.configure(
        processors=[*first, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    handler.addFilter(Broken(seldom))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for noisy in ("uvicorn.access", "httpx", "httpcore", "sqlalchemy.engine", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
