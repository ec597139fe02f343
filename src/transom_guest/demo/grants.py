"""What the demo issuer has given out, and the rules by which it gives. Pure: time and randomness are handed in.

Authorization code with PKCE S256 (RFC 7636), loopback redirects on any port (RFC 8252, 7.3), codes that
work once, rotating refresh tokens, and the device flow as the codex tool speaks it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar
from urllib.parse import urlsplit

CODE_LIVES = 120
"""Seconds an authorization code may be used."""
REQUEST_LIVES = 900
"""Seconds a sign-in page, or a device code, may be answered."""
TOKEN_LIVES = 3600
"""Seconds an access token is good."""
MAX_OPEN = 200
"""Unanswered requests, codes or devices kept at once; the oldest go first."""
USER_CODE_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowels: no words (RFC 8628, 6.1)."""

T = TypeVar("T")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class OAuthError(ValueError):
    """The request is refused; `error` is RFC 6749's word for it."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description


class Pending(OAuthError):
    """The user has not entered the device's code yet."""


@dataclass(frozen=True, slots=True)
class AuthorizeRequest:
    """A sign-in page that was shown; `id` makes its form good for one answer."""

    id: str
    client: str
    redirect_uri: str
    state: str
    challenge: str
    at: float


@dataclass(frozen=True, slots=True)
class Grant:
    """What an authorization code stands for."""

    client: str
    redirect_uri: str
    challenge: str
    account: str
    at: float


@dataclass(frozen=True, slots=True)
class Device:
    """A tool that waits for its user to type a code."""

    id: str
    user_code: str
    client: str
    at: float
    account: str = ""


class Grants:
    """The issuer's memory."""

    def __init__(
        self, *, issuer: str, now: Callable[[], float], secret: Callable[[], str], key: bytes
    ) -> None:
        """`secret` gives a fresh unguessable URL-safe string; `key` signs tokens."""
        self._issuer, self._now, self._secret, self._key = issuer, now, secret, key
        self._requests: dict[str, AuthorizeRequest] = {}
        self._grants: dict[str, Grant] = {}
        self._devices: dict[str, Device] = {}
        self._refresh: dict[str, tuple[str, str]] = {}

    def ask(self, query: dict[str, str]) -> AuthorizeRequest:
        """Check an authorization request and remember it. Raises OAuthError: then nothing is redirected."""
        redirect, client = query.get("redirect_uri", ""), query.get("client_id", "")
        if not is_loopback_redirect(redirect):
            raise OAuthError("invalid_request", "redirect_uri must be http on this machine, with a port")
        if not client or len(client) > 100:
            raise OAuthError("invalid_request", "client_id is missing")
        if query.get("response_type") != "code":
            raise OAuthError("unsupported_response_type", "only code is supported")
        if query.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(
            query.get("code_challenge", "")
        ):
            raise OAuthError("invalid_request", "PKCE with S256 is required")
        if not 8 <= len(query.get("state", "")) <= 500:
            raise OAuthError("invalid_request", "state is missing")
        request = AuthorizeRequest(
            self._secret(), client, redirect, query["state"], query["code_challenge"], self._now()
        )
        _keep(self._requests, request.id, request)
        return request

    def allow(self, request_id: str, account: str) -> tuple[AuthorizeRequest, str]:
        """The user allowed it: the request, and its one-use code. Raises OAuthError."""
        request = self._requests.pop(request_id, None)
        if request is None or self._now() - request.at > REQUEST_LIVES:
            raise OAuthError("invalid_request", "this sign-in page is no longer valid")
        code = self._grant(request.client, request.redirect_uri, request.challenge, account)
        return request, code

    def redeem(self, form: dict[str, str]) -> dict[str, object]:
        """Exchange a code or a refresh token for tokens. Raises OAuthError."""
        kind = form.get("grant_type")
        if kind == "refresh_token":
            held = self._refresh.pop(form.get("refresh_token", ""), None)
            if held is None or held[0] != form.get("client_id"):
                raise OAuthError("invalid_grant", "this refresh token was used or never given")
            return self._tokens(*held)
        if kind != "authorization_code":
            raise OAuthError("unsupported_grant_type", "authorization_code or refresh_token")
        grant = self._grants.pop(form.get("code", ""), None)
        if grant is None or self._now() - grant.at > CODE_LIVES:
            raise OAuthError("invalid_grant", "this code was used, is too old or was never given")
        if grant.client != form.get("client_id") or grant.redirect_uri != form.get("redirect_uri"):
            raise OAuthError("invalid_grant", "the code belongs to another client or redirect")
        verifier = form.get("code_verifier", "")
        if not _VERIFIER.fullmatch(verifier) or not hmac.compare_digest(
            challenge_of(verifier), grant.challenge
        ):
            raise OAuthError("invalid_grant", "the code verifier does not fit")
        return self._tokens(grant.client, grant.account)

    def new_device(self, client: str) -> Device:
        """A device code for `client`. Raises OAuthError."""
        if not client or len(client) > 100:
            raise OAuthError("invalid_request", "client_id is missing")
        device = Device(self._secret(), self._user_code(), client, self._now())
        _keep(self._devices, device.id, device)
        return device

    def confirm_device(self, typed: str, account: str) -> None:
        """The user typed a code; case, spaces and the dash do not matter. Raises OAuthError."""
        plain = re.sub(r"[^A-Z]", "", typed[:40].upper())
        for device in self._devices.values():
            fresh = self._now() - device.at <= REQUEST_LIVES and not device.account
            if fresh and hmac.compare_digest(device.user_code.replace("-", ""), plain):
                self._devices[device.id] = replace(device, account=account)
                return
        raise OAuthError("invalid_request", "this code is not known, or no longer valid")

    def poll_device(self, device_id: str, user_code: str, verifier: str) -> dict[str, str]:
        """What codex polls for: a code with its own verifier. Raises Pending, OAuthError."""
        device = self._devices.get(device_id)
        if device is None or not hmac.compare_digest(device.user_code, user_code):
            raise OAuthError("invalid_grant", "this device code was never given")
        if not device.account:
            raise Pending("authorization_pending", "the code has not been entered yet")
        del self._devices[device_id]
        challenge = challenge_of(verifier)
        redirect = f"{self._issuer}/deviceauth/callback"
        code = self._grant(device.client, redirect, challenge, device.account)
        return {"authorization_code": code, "code_challenge": challenge, "code_verifier": verifier}

    def _grant(self, client: str, redirect: str, challenge: str, account: str) -> str:
        code = self._secret()
        _keep(self._grants, code, Grant(client, redirect, challenge, account, self._now()))
        return code

    def _user_code(self) -> str:
        digest = hashlib.sha256(self._secret().encode()).digest()
        letters = "".join(USER_CODE_LETTERS[byte % len(USER_CODE_LETTERS)] for byte in digest[:8])
        return f"{letters[:4]}-{letters[4:]}"

    def _tokens(self, client: str, account: str) -> dict[str, object]:
        refresh = self._secret()
        _keep(self._refresh, refresh, (client, account))
        claims = {
            "iss": self._issuer,
            "aud": client,
            "sub": account,
            "email": f"{re.sub(r'[^a-z0-9]+', '.', account.lower()).strip('.') or 'demo'}@demo.invalid",
            "iat": int(self._now()),
            "exp": int(self._now()) + TOKEN_LIVES,
        }
        return {
            "token_type": "Bearer",
            "expires_in": TOKEN_LIVES,
            "access_token": sign_jwt({**claims, "jti": self._secret()}, self._key),
            "id_token": sign_jwt({**claims, **_codex_claims(account)}, self._key),
            "refresh_token": refresh,
        }


def is_loopback_redirect(uri: str) -> bool:
    """True for `http://127.0.0.1:PORT/...` and its two other names: nothing outside this machine."""
    if len(uri) > 500 or not uri.isascii() or not uri.isprintable() or "\\" in uri:
        return False
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return False
    local = parts.hostname in ("127.0.0.1", "localhost", "::1")
    return parts.scheme == "http" and local and bool(port) and "@" not in parts.netloc and not parts.fragment


def challenge_of(verifier: str) -> str:
    """RFC 7636's S256."""
    return _b64(hashlib.sha256(verifier.encode("ascii", "replace")).digest())


def sign_jwt(claims: dict[str, object], key: bytes) -> str:
    """A JWT with HS256."""
    head = _b64(json.dumps({"alg": "HS256", "typ": "JWT"}, separators=(",", ":")).encode())
    body = _b64(json.dumps(claims, separators=(",", ":")).encode())
    return f"{head}.{body}." + _b64(hmac.new(key, f"{head}.{body}".encode(), hashlib.sha256).digest())


def _codex_claims(account: str) -> dict[str, object]:
    """What the codex tool reads from an id token besides the e-mail address."""
    return {"https://api.openai.com/auth": {"chatgpt_account_id": account, "chatgpt_plan_type": "free"}}


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _keep(kept: dict[str, T], key: str, value: T) -> None:
    kept[key] = value
    while len(kept) > MAX_OPEN:
        del kept[next(iter(kept))]
