"""Users, one-use keys, cookies and API tokens."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Protocol

from transom.auth.secret import digest_of, new_secret
from transom.model.clock import Clock
from transom.model.errors import Conflict, Invalid, NotFound, Unauthenticated
from transom.model.ids import new_id
from transom.model.stores import UserStore
from transom.model.user import Principal, Role, User

KEY_MS = 24 * 3_600_000
"""How long a one-use key waits to be used."""
COOKIE_MS = 30 * 86_400_000
"""How long a browser stays signed in, from the key it spent; use does not lengthen it."""
TOKENS_PER_USER = 50
FIRST_NAME = "admin"
_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")
LABEL_LIMIT = 100
SYSTEM = "system"
"""The user of audit lines that no user caused."""


class AccountStore(UserStore, Protocol):
    """Users, and the trail of what changes them."""

    async def add_audit(
        self, *, at: int, user: str, action: str, subject: str, outcome: str, detail: Mapping[str, str]
    ) -> None:
        """One line of the trail. Never a secret."""


class AuthService:
    """Signs people and programs in. Raises Unavailable where the store does.

    What gives or takes a way in is a line of the audit trail; no key, cookie or token leaves without its line.
    `by` is the user who does it; nobody's doing is the server's own.
    """

    def __init__(self, store: AccountStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def administrator(self) -> User:
        """The oldest administrator; `admin` is made if there is none."""
        known = await self._store.list_users(Role.ADMINISTRATOR)
        if known:
            return known[0]
        taken = {user.name for user in await self._store.list_users()}
        numbered = (f"{FIRST_NAME}{number}" for number in range(2, len(taken) + 3))
        name = next(name for name in (FIRST_NAME, *numbered) if name not in taken)
        return await self.add_user(name, Role.ADMINISTRATOR)

    async def add_user(self, name: str, role: Role, *, by: str = SYSTEM) -> User:
        """A new user, who has no way in yet. Raises Invalid for the name, Conflict when it is taken."""
        folded = name.strip().lower()
        if _NAME.fullmatch(folded) is None:
            raise Invalid("a name is 1 to 64 of a-z, 0-9 and . _ @ + -, and begins with a letter or digit")
        user = User(new_id("usr"), folded, role, self._clock())
        await self._store.add_user(user)
        await self._note(by, "user_add", user.id, name=user.name, role=user.role.value)
        return user

    async def remove_user(self, user_id: str, *, by: str = SYSTEM) -> None:
        """Remove a user, their secrets and credentials. Raises NotFound, Conflict for the last administrator."""
        user = await self._known(user_id)
        if user.role is Role.ADMINISTRATOR and len(await self._store.list_users(Role.ADMINISTRATOR)) == 1:
            raise Conflict("this is the last administrator")
        await self._store.delete_user(user.id)
        await self._note(by, "user_remove", user.id, name=user.name)

    async def issue_key(self, user_id: str, *, by: str = SYSTEM) -> str:
        """A key that signs this user in once, within 24 hours. Raises NotFound."""
        await self._known(user_id)
        _, key = await self._issue("key", user_id, "", KEY_MS)
        await self._note(by, "key_issue", user_id)
        return key

    async def sign_in(self, key: str) -> tuple[str, User]:
        """Spend a one-use key; returns the cookie's value and its user. Raises Unauthenticated."""
        spent = await self._use("key", key, once=True)
        if spent is None:
            raise Unauthenticated("this key is wrong, used or expired: ask for a new one", code="bad_key")
        _, user = spent
        _, cookie = await self._issue("cookie", user.id, "", COOKIE_MS)
        await self._note(user.id, "sign_in", user.id)
        return cookie, user

    async def sign_out(self, cookie: str) -> None:
        """End this cookie. Idempotent."""
        ended = await self._use("cookie", cookie, once=True)
        if ended is not None:
            await self._note(ended[1].id, "sign_out", ended[1].id)

    async def by_cookie(self, cookie: str) -> Principal | None:
        """Whose browser this is, or None."""
        found = await self._use("cookie", cookie, once=False)
        return None if found is None else Principal(found[1], "cookie")

    async def by_token(self, token: str) -> Principal | None:
        """Whose program this is, or None."""
        found = await self._use("token", token, once=False)
        return None if found is None else Principal(found[1], "token")

    async def issue_token(self, user_id: str, label: str) -> tuple[str, str]:
        """(id, token); the token cannot be shown again. Raises NotFound, Invalid, Conflict for too many."""
        await self._known(user_id)
        label = label.strip()
        if len(label) > LABEL_LIMIT or not label.isprintable():
            raise Invalid(f"a label is at most {LABEL_LIMIT} printable characters")
        if len(await self.tokens(user_id)) >= TOKENS_PER_USER:
            raise Conflict(f"a user has at most {TOKENS_PER_USER} tokens: delete one", code="too_many_tokens")
        id, token = await self._issue("token", user_id, label, None)
        await self._note(user_id, "token_create", id)
        return id, token

    async def keep_token(self, user_id: str, label: str, known: str | None) -> str:
        """`known` if it still signs this user in; or else a new token, in place of others of this label."""
        principal = await self.by_token(known) if known else None
        if known and principal is not None and principal.user.id == user_id:
            return known
        for token in await self.tokens(user_id):
            if token["label"] == label:
                await self.delete_token(str(token["id"]), user_id)
        return (await self.issue_token(user_id, label))[1]

    async def tokens(self, user_id: str) -> Sequence[Mapping[str, object]]:
        """id, label, created_at, expires_at, last_used_at of each token, oldest first."""
        return await self._store.list_secrets(kind="token", user=user_id)

    async def delete_token(self, id: str, user_id: str) -> bool:
        """End one of this user's tokens; False when they have no such token."""
        if id not in {token["id"] for token in await self.tokens(user_id)}:
            return False
        removed = await self._store.delete_secret(id=id, user=user_id)
        if removed:
            await self._note(user_id, "token_remove", id)
        return removed

    async def _note(self, by: str, action: str, subject: str, **detail: str) -> None:
        await self._store.add_audit(
            at=self._clock(), user=by, action=action, subject=subject, outcome="done", detail=detail
        )

    async def _known(self, user_id: str) -> User:
        user = await self._store.get_user(user_id)
        if user is None:
            raise NotFound("no such user")
        return user

    async def _issue(self, kind: str, user_id: str, label: str, life_ms: int | None) -> tuple[str, str]:
        secret, id, now = new_secret(), new_id("tok"), self._clock()
        digest = digest_of(secret)
        assert digest is not None
        await self._store.add_secret(
            id=id,
            kind=kind,
            digest=digest,
            user=user_id,
            label=label,
            at=now,
            expires_at=None if life_ms is None else now + life_ms,
        )
        return id, secret

    async def _use(self, kind: str, secret: str, *, once: bool) -> tuple[str, User] | None:
        digest = digest_of(secret)
        if digest is None:
            return None
        return await self._store.use_secret(kind=kind, digest=digest, at=self._clock(), once=once)
