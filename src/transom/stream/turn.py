"""STUN and TURN servers for viewers, with credentials that expire.

The scheme is coturn's `use-auth-secret` (draft-uberti-behave-turn-rest): the user name is the expiry and the
user, the password is `base64(HMAC-SHA1(secret, user name))`. The TURN server checks it without asking anybody,
and the secret stays in one file that both read. A TURN server is the viewer's tool: a guest never hears of it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypedDict

from transom.model.errors import Unavailable

SECRET_CHARACTERS = 16
"""A shared secret shorter than this can be found by trying; it is refused."""
SECRET_BYTES = 1024
"""What is read of the secret's file at most."""


class IceServer(TypedDict, total=False):
    """One entry of RTCConfiguration's `iceServers` (W3C WebRTC, 4.2.1)."""

    urls: list[str]
    username: str
    credential: str


class TurnSettings(Protocol):
    """What is needed of the settings."""

    @property
    def stun_urls(self) -> Sequence[str]: ...
    @property
    def turn_urls(self) -> Sequence[str]: ...
    @property
    def turn_secret_file(self) -> Path | None: ...
    @property
    def turn_seconds(self) -> int: ...


def ice_servers(settings: TurnSettings, user: str, now: int) -> list[IceServer]:
    """What a viewer gives its RTCPeerConnection, at Unix millisecond `now`; empty when nothing is configured.

    The secret is read anew each time, so that it can be changed without a restart. Raises Unavailable.
    """
    servers: list[IceServer] = []
    if settings.stun_urls:
        servers.append({"urls": list(settings.stun_urls)})
    if settings.turn_urls and settings.turn_secret_file is not None:
        secret = read_secret(settings.turn_secret_file)
        username, credential = turn_credentials(secret, user, now // 1000 + settings.turn_seconds)
        servers.append({"urls": list(settings.turn_urls), "username": username, "credential": credential})
    return servers


def turn_credentials(secret: str, user: str, expires_at: int) -> tuple[str, str]:
    """(user name, password) good until Unix second `expires_at`."""
    username = f"{expires_at}:{user}"
    return username, base64.b64encode(hmac.digest(secret.encode(), username.encode(), hashlib.sha1)).decode()


def read_secret(path: Path) -> str:
    """The shared secret: the file's first line. Raises Unavailable, which names the path and never the content."""
    try:
        with path.open("rb") as file:
            lines = file.read(SECRET_BYTES).decode().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Unavailable(f"the TURN secret in {path} cannot be read", code="turn_secret") from error
    secret = lines[0].strip() if lines else ""
    if len(secret) < SECRET_CHARACTERS:
        raise Unavailable(
            f"the TURN secret in {path} has under {SECRET_CHARACTERS} characters", code="turn_secret"
        )
    return secret
