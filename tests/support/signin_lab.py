"""A sign-in agent outside of a machine: a link of two queues, a home of its own, a browser made of httpx."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from html import unescape
from pathlib import Path
from typing import Self, TypeVar
from urllib.parse import urljoin

import httpx
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from transom_guest.signin.agent import Agent
from transom_wire.codec import decode, encode
from transom_wire.link import (
    FROM_SIGNIN,
    TO_SIGNIN,
    CredentialSealed,
    CredentialStored,
    SigninSpec,
    SigninStart,
    SigninState,
    ToGuestMessage,
)
from transom_wire.sealing import Sealed, identity, open_sealed

T = TypeVar("T")
PATIENCE = 60.0
"""Seconds any single step of a sign-in may take on a busy machine."""


class QueueLink:
    """The agent's end of a link; both ways pass through the real codec."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[SigninState | CredentialSealed] = asyncio.Queue()
        self._to_guest: asyncio.Queue[ToGuestMessage | None] = asyncio.Queue()

    async def send(self, message: SigninState | CredentialSealed) -> None:
        parsed = decode(encode(message), FROM_SIGNIN)
        assert isinstance(parsed, SigninState | CredentialSealed)
        self.said.put_nowait(parsed)

    async def messages(self) -> AsyncIterator[ToGuestMessage]:
        while (message := await self._to_guest.get()) is not None:
            yield message

    def tell(self, message: ToGuestMessage) -> None:
        parsed = decode(encode(message), TO_SIGNIN)
        self._to_guest.put_nowait(parsed)  # type: ignore[arg-type]

    def cut(self) -> None:
        self._to_guest.put_nowait(None)


@dataclass
class SigninLab:
    """One user's machine as far as sign-ins go. `async with` it; then `start`, `until`, `opened`."""

    browse: Callable[[str], Awaitable[None]] | None = None
    answers: bool = True
    """Whether the pretended controller answers CredentialStored by itself."""
    home: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="transom-home-")))
    runtime: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="transom-run-")))
    urls: list[str] = field(default_factory=list)
    states: list[SigninState] = field(default_factory=list)
    sealed: list[CredentialSealed] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.key = X25519PrivateKey.generate()
        self.identity = identity(user="usr_a", provider="p", session="ses_a")
        self._came = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []
        self._flows = 0
        self.boot()

    def boot(self) -> None:
        """A fresh agent process, as far as memory goes."""
        self.agent = Agent(home=self.home, runtime=self.runtime, open_url=self._open)

    async def __aenter__(self) -> Self:
        self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.agent.close()
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        for folder in (self.home, self.runtime):
            shutil.rmtree(folder, ignore_errors=True)

    def connect(self) -> None:
        """A new link; the one before is left as it is."""
        self.link = QueueLink()
        self._tasks.append(asyncio.create_task(self.agent.serve(self.link)))
        self._tasks.append(asyncio.create_task(self._listen(self.link)))

    async def kill(self) -> None:
        """What a killed agent leaves: no process, its journal, its link cut."""
        self.link.cut()
        await self.agent.close()
        self.boot()
        self.connect()

    def start(self, spec: SigninSpec) -> str:
        """Ask for a sign-in; returns the flow's id."""
        self._flows += 1
        flow = f"flw_{self._flows}"
        self.link.tell(self.message(flow, spec))
        return flow

    def message(self, flow: str, spec: SigninSpec) -> SigninStart:
        public = self.key.public_key().public_bytes_raw()
        return SigninStart(flow, spec, "key1", public, self.identity)

    async def until(self, stage: str) -> SigninState:
        """The first state of that stage, seen already or to come. An unwanted failure fails the test at once."""
        found = await self._until(
            lambda: next((s for s in self.states if s.stage in (stage, "failed")), None)
        )
        assert found.stage == stage, found
        return found

    async def user_code(self) -> str:
        """The device code, once it is told."""
        return await self._until(lambda: next((s.user_code for s in self.states if s.user_code), None))

    async def serial(self, number: int) -> CredentialSealed:
        """What was sealed under that serial."""
        return await self._until(lambda: next((s for s in self.sealed if s.serial == number), None))

    def opened(self, message: CredentialSealed) -> dict[str, bytes]:
        """The files in a sealed message, by the vault's private key."""
        sealed = Sealed(message.wrapped_key, message.nonce, message.ciphertext)
        bundle = json.loads(open_sealed(self.key.private_bytes_raw(), sealed, self.identity.encode()))
        assert bundle["v"] == 1
        return {path: base64.b64decode(body) for path, body in bundle["files"].items()}

    async def _until(self, find: Callable[[], T | None]) -> T:
        async with asyncio.timeout(PATIENCE), self._came:
            while (found := find()) is None:
                await self._came.wait()
            return found

    async def _listen(self, link: QueueLink) -> None:
        while True:
            message = await link.said.get()
            async with self._came:
                if isinstance(message, SigninState):
                    self.states.append(message)
                else:
                    self.sealed.append(message)
                    if self.answers:
                        link.tell(CredentialStored(message.flow, message.serial, True))
                self._came.notify_all()

    async def _open(self, url: str) -> None:
        self.urls.append(url)
        if self.browse:
            await self.browse(url)


async def click_allow(url: str, *, code: str = "") -> None:
    """Be the user at the demo issuer: open the page, fill in the form, press Allow, follow the redirect."""
    async with httpx.AsyncClient(follow_redirects=True, timeout=PATIENCE, trust_env=False) as browser:
        page = await browser.get(url)
        page.raise_for_status()
        form = re.search(r'<form method="post" action="([^"]+)"', page.text)
        assert form, page.text
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text))
        fields = {name: unescape(value) for name, value in hidden.items()}
        fields |= {"code": code} if code else {"name": "Ada"}
        answer = await browser.post(urljoin(url, form.group(1)), data=fields)
        answer.raise_for_status()


def on_port(spec: SigninSpec, port: int) -> SigninSpec:
    """`spec` with the issuer's usual port replaced everywhere, so that tests do not meet."""
    return replace(
        spec,
        argv=tuple(part.replace("8091", str(port)) for part in spec.argv),
        companion=tuple(part.replace("8091", str(port)) for part in spec.companion),
        companion_port=port if spec.companion_port else None,
        url_pattern=spec.url_pattern.replace("8091", str(port)),
    )
