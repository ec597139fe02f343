"""Errors that somebody catches.

TransomError
 ├─ NotFound            404: no such thing, or not yours: a stranger learns nothing from the difference
 ├─ Gone                410: the session has ended; `reason` says why
 ├─ Conflict            409: it is not in a state for this
 ├─ Refused             403: signed in, and not allowed
 ├─ Unauthenticated     401
 ├─ TooLarge            413
 ├─ Invalid             422: the request says something that cannot be
 ├─ TooMany             429: `retry_after` seconds
 ├─ Unavailable         503: the store, a disk or a machine cannot serve now; `retry_after` seconds
 ├─ Full                507: the desktop's disk, or the server's, has no room
 ├─ DriverError         a driver could not do a step; `mend` is the command or act that helps
 └─ VaultError          a credential cannot be stored or opened
"""

from __future__ import annotations


class TransomError(Exception):
    """What all of ours have in common: a stable `code` for programs and a sentence for people."""

    status = 500
    code = "internal"

    def __init__(self, message: str, *, code: str | None = None, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.retry_after = retry_after


class NotFound(TransomError):
    status, code = 404, "not_found"


class Gone(TransomError):
    status, code = 410, "gone"

    def __init__(self, message: str, *, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class Conflict(TransomError):
    status, code = 409, "conflict"


class Exists(TransomError):
    status, code = 412, "exists"


class Refused(TransomError):
    status, code = 403, "refused"


class Unauthenticated(TransomError):
    status, code = 401, "unauthenticated"


class TooLarge(TransomError):
    status, code = 413, "too_large"


class Invalid(TransomError):
    status, code = 422, "invalid"


class TooMany(TransomError):
    status, code = 429, "too_many"


class Unavailable(TransomError):
    status, code = 503, "unavailable"


class Full(TransomError):
    status, code = 507, "full"


class DriverError(TransomError):
    status, code = 503, "driver"

    def __init__(self, message: str, *, mend: str = "", stage: str = "boot") -> None:
        super().__init__(message)
        self.mend = mend
        self.stage = stage
        """Where it failed: `image`, `network` or `boot` (model.machine.FAILED_STAGES)."""


class VaultError(TransomError):
    status, code = 503, "vault"
