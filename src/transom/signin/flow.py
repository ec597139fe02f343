"""How a session's sign-in moves when its guest speaks. Pure. The guest is not believed in what it cannot know.

A guest may say that it starts, waits, saves, failed or was cancelled, and show a URL and a code, which are
cleaned. That a sign-in is done is the vault's word: `committed` says it, a guest's `done` alone does not.
"""

from __future__ import annotations

import re
from dataclasses import replace

from transom.model.credential import Credential
from transom.model.session import Signin, SigninStage
from transom_wire.link import SigninState

S = SigninStage
MOVES = frozenset({S.STARTING, S.WAITING, S.SAVING, S.FAILED, S.CANCELLED})
"""Where a guest may move a flow that is not over; backwards too: its agent may have been restarted."""
MAX_MESSAGE = 300

_URL = re.compile(r"https?://[^\s\"'<>\\^`{|}]{1,8100}")
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 -]{0,63}")


def advance(signin: Signin, said: SigninState) -> Signin | None:
    """The sign-in after the guest said that, or None when it changes nothing."""
    stage = SigninStage(said.stage)
    if signin.stage.over or stage not in MOVES:
        return None
    moved = replace(
        signin,
        stage=stage,
        url=web_url(said.url),
        user_code=said.user_code if said.user_code and _CODE.fullmatch(said.user_code) else None,
        message=plain(said.message),
    )
    return None if moved == signin else moved


def committed(signin: Signin, credential: Credential) -> Signin:
    """The vault holds `credential`: the sign-in is done, or, done before, has a newer expiry."""
    return replace(
        signin,
        stage=S.DONE,
        url=None,
        user_code=None,
        message="",
        saved_names=credential.names,
        saved_expires_at=credential.expires_at,
    )


def delayed(signin: Signin, message: str) -> Signin:
    """The vault cannot commit just now; the guest offers it again."""
    return replace(signin, stage=S.DONE if signin.stage is S.DONE else S.SAVING, message=message)


def web_url(url: str | None) -> str | None:
    """`url` if it is safe behind a link: http or https, printable."""
    return url if url and url.isprintable() and _URL.fullmatch(url) else None


def plain(text: str) -> str:
    """`text` without control characters, short."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:MAX_MESSAGE]
