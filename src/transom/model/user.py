"""Who may do what."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a user is."""

    ADMINISTRATOR = "administrator"
    USER = "user"


@dataclass(frozen=True, slots=True)
class User:
    """A row of the store. A name is for people; the id is for rows."""

    id: str
    name: str
    role: Role
    created_at: int


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes this request, and by what: a cookie needs an Origin check, a token does not."""

    user: User
    by: str
    """`cookie` or `token`."""

    @property
    def administrator(self) -> bool:
        """True for the role that sees every session; nobody sees another's credentials."""
        return self.user.role is Role.ADMINISTRATOR
