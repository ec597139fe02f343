"""What a sign-in leaves behind, as the store holds it: sealed, bound to one user."""

from __future__ import annotations

from dataclasses import dataclass

from transom_wire.sealing import Sealed


@dataclass(frozen=True, slots=True)
class Credential:
    """A row of the store; the newest generation of (user, provider) is the one that is given back."""

    id: str
    user: str
    provider: str
    session: str
    generation: int
    created_at: int
    expires_at: int | None
    names: tuple[str, ...]
    vault_key_id: str
    sealed: Sealed
    flow: str = ""
    """The sign-in that it came from, and `serial`, which rises within it: an older one never replaces a newer."""
    serial: int = 0


@dataclass(frozen=True, slots=True)
class CredentialFileContent:
    """One file, opened for its own user only. Never logged: repr shows no content."""

    path: str
    content: bytes

    def __repr__(self) -> str:
        return f"CredentialFileContent(path={self.path!r}, {len(self.content)} bytes)"
