"""The whole API in this process on a real port: real store, real auth, real vault; fake machines and desk."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.support.controller import IMAGE, POLICY
from tests.support.fakes import START, FakeDesk, FakeDriver, FakeKeeper, FakeLogs
from tests.support.waiting import until
from transom.api.build import build
from transom.api.limits import Limits
from transom.api.parts import Parts
from transom.api.views import Views
from transom.app import SHIPPED_PROVIDERS, quality_log
from transom.auth.limits import RateLimiter
from transom.auth.links import LinkService
from transom.auth.service import AuthService
from transom.choices import warm
from transom.exits import Exits
from transom.files.desk import FilesDesk
from transom.guests.guests import Guests
from transom.model.clock import now_ms, steady_ms
from transom.model.user import Role, User
from transom.observe.exits import ExitMetrics
from transom.observe.machines import MachineMetrics
from transom.observe.metrics import Metrics
from transom.observe.quality import QualityMetrics
from transom.recording.beats import BURST, BURST_S
from transom.recording.desk import RecordingDesk
from transom.serve import KEEP_ALIVE_S
from transom.sessions.run import Making
from transom.sessions.service import Terms
from transom.sessions.wire import wire
from transom.settings import Settings
from transom.signin.catalog import Catalog
from transom.store.database import Store
from transom.stream.broker import Broker
from transom.stream.quality import Quality
from transom.stream.seating import Seating
from transom.stream.terms import terms as peer_terms
from transom.vault.keys import key_source
from transom.vault.secrets import SecretRecords
from transom.vault.service import VaultService
from transom_wire.link import PeerOffer, Progress, Ready


def boots(keeper: FakeKeeper) -> None:
    """A guest that is ready at once."""
    for role in ("boot", "webrtc", "signin"):
        keeper.link(role)
    keeper.say("boot", Progress("display"), now_ms())
    keeper.say("boot", Ready(keeper.spec.width, keeper.spec.height), now_ms())


class Api:
    """The server under test and the world around it."""

    def __init__(self, state: Path, **settings: Any) -> None:
        self.settings = Settings(state=state, port=0, tick_seconds=0.1, **settings)
        self.store = Store(self.settings.database_url)
        self.driver, self.desk = FakeDriver(), FakeDesk()
        self.driver.on_create = boots
        self.auth = AuthService(self.store, now_ms)
        self.metrics, self.quality = Metrics(), Quality()
        self.machine_metrics = MachineMetrics(self.metrics.registry)
        self.quality_metrics = QualityMetrics(self.metrics.registry)
        self.quality_log = quality_log(self.store, self.quality_metrics)
        self.guests = Guests(self.driver)
        self.seating = Seating(
            self.store.links,
            self.guests,
            now_ms,
            steady=steady_ms,
            driver=peer_terms(self.settings, drives=True),
            dismiss=lambda *viewer, final: self.broker.dismiss(*viewer, final=final),
            unseated=self.quality.left,
        )
        count, seating = self.metrics.signalling, self.seating
        self.limits = Limits()
        self.broker = Broker(
            self.guests,
            steady_ms,
            count=count,
            terms=seating.terms,
            seated=seating.seated,
            flooded=self.limits.arrivals.flooded,
        )
        self.links = LinkService(self.store.links, now_ms)
        self.vault = VaultService(self.store, key_source(self.settings.kek, None), now_ms)
        terms = Terms("fake", 8 * 3600, 1800, self.settings.sessions_per_user, self.settings.sessions_max)
        records = SecretRecords(self.store, key_source(self.settings.kek, None), self.vault)
        exit_metrics = ExitMetrics(self.metrics.registry)
        self.exits = Exits(self.settings, self.store.exits, records, self.guests, exit_metrics, now_ms, {})
        self.recordings = RecordingDesk(
            self.driver,
            self.store.recordings,
            self.store,
            self.settings,
            state / "recordings",
            now_ms,
            RateLimiter(count=BURST, seconds=BURST_S).allow,
        )
        self.sessions = wire(
            store=self.store,
            machines=self.store,
            logs=FakeLogs(self.driver),
            egress=self.exits.egress,
            driver=self.driver,
            guests=self.guests,
            broker=self.broker,
            desk=self.desk,
            image=lambda: IMAGE,
            terms=terms,
            making=Making(self.settings.limits),
            policy=POLICY,
            warm=warm(self.settings),
            available=lambda: 2**40,
            clock=now_ms,
            tick_s=self.settings.tick_seconds,
            misbehaved=self.metrics.misbehaved,
            service_died=self.metrics.service_died,
            parting=self.recordings.parting,
        )
        self.sessions.ledger.watch_all(self.metrics.session)
        self.sessions.ledger.watch_all(lambda row: self.seating.over(row.id) if row.state.over else None)
        self.sessions.accounts.watch(self.machine_metrics.machine)
        self.guests.watch_usage(self.machine_metrics.used)
        self.exits.watch(self.guests, self.sessions)
        self.parts = Parts(
            settings=self.settings,
            clock=now_ms,
            sessions=self.sessions.service,
            ledger=self.sessions.ledger,
            broker=self.broker,
            seating=self.seating,
            links=self.links,
            quality=self.quality,
            quality_log=self.quality_log,
            auth=self.auth,
            users=self.store,
            credentials=self.store,
            vault=self.vault,
            catalog=Catalog.load((SHIPPED_PROVIDERS,)),
            driver=self.driver,
            guests=self.guests,
            machines=self.store,
            pool=self.sessions.pool,
            metrics=self.metrics,
            machine_metrics=self.machine_metrics,
            quality_metrics=self.quality_metrics,
            egress=self.exits.egress,
            exits=self.exits.desk,
            files=FilesDesk(self.driver, self.settings, self.store, now_ms, state / "spool"),
            recordings=self.recordings,
            limits=self.limits,
            views=Views(now_ms),
        )
        self.sessions.ledger.watch_all(self.recordings.noticed)
        self.app = build(self.settings, self._lifespan)
        self.url = ""

    @asynccontextmanager
    async def _lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        app.state.parts = self.parts
        await self.store.open()
        await self.exits.open()
        works = [self.sessions.adopter.keep_looking(), self.sessions.pool.run()]
        works += [self.quality_log.run(), self.seating.run()]
        works += [work() for _, work in self.exits.parts()]
        tasks = [asyncio.create_task(work) for work in works]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.sessions.reconciler.close()
            await self.recordings.close()
            await self.sessions.pool.close()
            await self.exits.close()
            await self.guests.close()
            await self.broker.close()
            await self.store.close()

    async def user(self, name: str, role: Role = Role.USER) -> User:
        return await self.auth.add_user(name, role)

    async def token(self, user: User) -> str:
        return (await self.auth.issue_token(user.id, "test"))[1]

    async def client(self, user: User | None = None, **headers: str) -> httpx.AsyncClient:
        """A client with a token of `user`, or of nobody."""
        if user is not None:
            headers["Authorization"] = f"Bearer {await self.token(user)}"
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=20)

    async def signed_in(self, user: User, **headers: str) -> httpx.AsyncClient:
        """A client with a cookie, as a browser on a page of this server."""
        client = httpx.AsyncClient(base_url=self.url, headers={"Origin": self.url, **headers}, timeout=20)
        answer = await client.post("/api/auth/sign-in", json={"key": await self.auth.issue_key(user.id)})
        assert answer.status_code == 200, answer.text
        return client

    async def ready_session(self, client: httpx.AsyncClient, **body: Any) -> str:
        answer = await client.post("/api/sessions", json=body)
        assert answer.status_code == 202, answer.text
        session: str = answer.json()["id"]
        async with asyncio.timeout(10):
            while (await self.sessions.ledger.get(session)).state != "ready":
                await asyncio.sleep(0.01)
        return session

    async def ended_session(self, client: httpx.AsyncClient) -> str:
        session = await self.ready_session(client)
        await client.delete(f"/api/sessions/{session}")
        async with asyncio.timeout(10):
            while not (await self.sessions.ledger.get(session)).state.over:
                await asyncio.sleep(0.01)
        return session

    def socket(self, path: str, **headers: str) -> Any:
        """A WebSocket to `path`."""
        address = self.url.replace("http", "ws", 1) + path
        return connect(address, additional_headers=headers, subprotocols=None)

    def offers(self, session: str) -> list[PeerOffer]:
        """What the guest's stream server was told."""
        bodies = [json.loads(body) for role, body in self.driver.of(session).to_guest() if role == "webrtc"]
        return [
            PeerOffer(body["peer"], body["epoch"], body["sdp"])
            for body in bodies
            if body["type"] == "peer_offer"
        ]


@asynccontextmanager
async def serving(state: Path, **settings: Any) -> AsyncIterator[Api]:
    """The API on a free port of loopback, until the block ends."""
    api = Api(state, **settings)
    listener = socket.create_server(("127.0.0.1", 0))
    api.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(
        api.app,
        log_config=None,
        access_log=False,
        lifespan="on",
        timeout_keep_alive=KEEP_ALIVE_S,  # httpx's pool holds on for five seconds, as uvicorn would: a race
        timeout_graceful_shutdown=1,
    )
    server = Quiet(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await until(lambda: server.started or task.done(), 20)
        yield api
    finally:
        server.should_exit = True
        await task
        listener.close()


class Quiet(uvicorn.Server):
    """Leaves the test runner's signals alone."""

    def install_signal_handlers(self) -> None:
        return

    @property
    def capture_signals(self) -> Any:  # type: ignore[override]
        from contextlib import nullcontext

        return nullcontext


async def close_of(socket: ClientConnection) -> tuple[int, str]:
    """How the server ends this socket: (code, reason)."""
    try:
        async with asyncio.timeout(10):
            while True:
                await socket.recv()
    except ConnectionClosed as closed:
        assert closed.rcvd is not None, "closed without a close frame"
        return closed.rcvd.code, closed.rcvd.reason


__all__ = ["START", "Api", "boots", "close_of", "serving"]
