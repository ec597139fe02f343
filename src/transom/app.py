"""The composition root: knows every part, builds them in order, starts and stops them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI

from transom import upkeep
from transom.api.build import build as build_api
from transom.api.limits import Limits
from transom.api.parts import Parts
from transom.api.views import Views
from transom.auth.limits import RateLimiter
from transom.auth.links import LinkService
from transom.auth.service import AuthService
from transom.choices import policy, prepare, terms, warm
from transom.drivers.local import local_driver
from transom.drivers.logs import FolderLogs
from transom.drivers.stage import stage
from transom.exits import Exits
from transom.files.desk import FilesDesk
from transom.guests.guests import Guests
from transom.images.store import ImageStore
from transom.model.clock import now_ms, steady_ms
from transom.model.errors import DriverError
from transom.model.ports import Driver
from transom.model.session import Session
from transom.observe.exits import ExitMetrics
from transom.observe.host import available_bytes
from transom.observe.machines import MachineMetrics
from transom.observe.metrics import Metrics
from transom.observe.quality import QualityMetrics
from transom.recording.beats import BURST, BURST_S
from transom.recording.desk import RecordingDesk
from transom.serve import serve as serve_app
from transom.sessions.run import Making
from transom.sessions.wire import Sessions, wire
from transom.settings import REPOSITORY, Settings
from transom.signin.catalog import Catalog
from transom.signin.service import SEALED_COUNT, SEALED_S, SigninService
from transom.store.database import Store
from transom.stream.broker import Broker
from transom.stream.quality import Quality
from transom.stream.quality_log import ALL_ROWS, ROWS, ROWS_S, QualityLog
from transom.stream.seating import Seating
from transom.stream.terms import terms as viewer_terms
from transom.vault.keys import key_source
from transom.vault.secrets import SecretRecords
from transom.vault.service import VaultService

log = structlog.get_logger(__name__)
SHIPPED_PROVIDERS = REPOSITORY / "providers"


class Composition:
    """Everything, wired. `open` once before the first request, `close` at the end; machines live on."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.images = ImageStore(settings.images_dir)
        self.store = Store(settings.database_url)
        self.auth = AuthService(self.store, now_ms)
        self.metrics = Metrics()
        self.machine_metrics = MachineMetrics(self.metrics.registry)
        self.exit_metrics = ExitMetrics(self.metrics.registry)
        self.quality_metrics = QualityMetrics(self.metrics.registry)
        self.limits = Limits()
        self._tasks: list[asyncio.Task[None]] = []
        self._opened = False

    async def open(self) -> Parts:
        """Bring everything up. Raises TransomError, whose message names the mend."""
        settings = self.settings
        prepare(settings)
        if (digest := self.images.current()) is not None:
            self.images.root(digest)
        else:
            log.warning("there is no image: no session can start", mend="transom image build")
        await self.store.open()
        self.driver = self._driver()
        self.guests = Guests(self.driver)
        await self._open_stream()
        self.vault = VaultService(self.store, key_source(settings.kek, settings.kek_command), now_ms)
        self.catalog = Catalog.load((SHIPPED_PROVIDERS, *settings.providers_dirs))
        await self._open_recordings()
        await self._open_exits()
        self.sessions = self._sessions()
        await self._watch()
        return self._parts()

    async def _open_stream(self) -> None:
        """Who watches and drives, how their pictures are, and how they come by them."""
        self.quality = Quality(self.quality_metrics.link, self.quality_metrics.dropped)
        self.quality_log = quality_log(self.store, self.quality_metrics)
        self.seating = Seating(
            self.store.links,
            self.guests,
            now_ms,
            steady=steady_ms,
            driver=viewer_terms(self.settings, drives=True),
            dismiss=self._dismiss,
            unseated=self.quality.left,
        )
        await self.seating.open()
        self.broker = Broker(
            self.guests,
            steady_ms,
            count=self.metrics.signalling,
            terms=self.seating.terms,
            seated=self.seating.seated,
            fared=self.quality.link_fared,
            flooded=self.limits.arrivals.flooded,
        )

    async def _open_recordings(self) -> None:
        few, folder = RateLimiter(count=BURST, seconds=BURST_S).allow, self.settings.state / "recordings"
        self.recordings = RecordingDesk(
            self.driver, self.store.recordings, self.store, self.settings, folder, now_ms, few
        )
        await self.recordings.open()

    async def _open_exits(self) -> None:
        settings = self.settings
        self.exits = Exits(
            settings,
            self.store.exits,
            SecretRecords(self.store, key_source(settings.kek, settings.kek_command), self.vault),
            self.guests,
            self.exit_metrics,
            now_ms,
            {provider.id: provider.network for provider in self.catalog.providers.values()},
        )
        await self.exits.open()

    def _sessions(self) -> Sessions:
        settings = self.settings
        wait, before = RateLimiter(count=SEALED_COUNT, seconds=SEALED_S).allow, self.recordings.before_signin
        return wire(
            store=self.store,
            machines=self.store,
            logs=FolderLogs(settings.machines),
            egress=self.exits.egress,
            driver=self.driver,
            guests=self.guests,
            broker=self.broker,
            desk=SigninService(self.catalog, self.vault, self.guests, now_ms, wait=wait, before=before),
            image=self.images.current,
            terms=terms(settings, self.driver.name),
            making=Making(settings.limits, settings.program),
            policy=policy(settings),
            warm=warm(settings),
            available=available_bytes,
            clock=now_ms,
            tick_s=settings.tick_seconds,
            misbehaved=self.metrics.misbehaved,
            service_died=self.metrics.service_died,
            parting=self.recordings.parting,
        )

    def _parts(self) -> Parts:
        """What requests need of it all."""
        return Parts(
            settings=self.settings,
            clock=now_ms,
            sessions=self.sessions.service,
            ledger=self.sessions.ledger,
            broker=self.broker,
            seating=self.seating,
            links=LinkService(self.store.links, now_ms),
            quality=self.quality,
            quality_log=self.quality_log,
            auth=self.auth,
            users=self.store,
            credentials=self.store,
            vault=self.vault,
            catalog=self.catalog,
            driver=self.driver,
            guests=self.guests,
            machines=self.store,
            pool=self.sessions.pool,
            metrics=self.metrics,
            machine_metrics=self.machine_metrics,
            quality_metrics=self.quality_metrics,
            egress=self.exits.egress,
            exits=self.exits.desk,
            files=self._files(),
            recordings=self.recordings,
            limits=self.limits,
            views=Views(now_ms),
        )

    def _driver(self) -> Driver:
        settings = self.settings
        try:
            self.guest_source = stage(settings.state / "guest")
        except OSError as error:
            raise DriverError(f"the guest's code cannot be staged: {error.strerror}") from error
        return local_driver(settings, self.images, self.guest_source, self.machine_metrics.restored)

    def _files(self) -> FilesDesk:
        desk = FilesDesk(self.driver, self.settings, self.store, now_ms, self.settings.state / "spool")
        desk.open()
        return desk

    async def _watch(self) -> None:
        for row in await self.store.list_sessions(living=True):
            self.metrics.adopted(row)
            self.exits.egress.noticed(row)
            self.recordings.noticed(row)
        for machine in await self.store.list_machines(living=True):
            self.machine_metrics.adopted(machine)
        self.sessions.accounts.watch(self.machine_metrics.machine)
        self.guests.watch_usage(self.machine_metrics.used)
        self.exits.watch(self.guests, self.sessions)
        self.sessions.ledger.watch_all(self.metrics.session)
        self.sessions.ledger.watch_all(self._forget_viewers)
        self.sessions.ledger.watch_all(self.recordings.noticed)

    def _forget_viewers(self, session: Session) -> None:
        if session.state.over:
            self.quality.forget(session.id)
            self.seating.over(session.id)

    async def _dismiss(self, session: str, peer: str, why: str, *, final: bool) -> bool:
        return await self.broker.dismiss(session, peer, why, final=final)

    def run(self) -> None:
        """Begin to adopt, reconcile and listen."""
        settings, old = self.settings, self.recordings.prune
        if not self._tasks:
            self._tasks = [
                asyncio.create_task(self.sessions.adopter.keep_looking(), name="adopt"),
                asyncio.create_task(upkeep.prove(self.vault), name="vault"),
                asyncio.create_task(upkeep.compile_code(self.images, self.guest_source), name="compile"),
                asyncio.create_task(upkeep.prune(settings, self.store, old, self._sweep), name="prune"),
                asyncio.create_task(self.quality_log.run(), name="quality"),
                asyncio.create_task(self.seating.run(), name="seats"),
                asyncio.create_task(self.sessions.pool.run(), name="pool"),
                *(asyncio.create_task(work(), name=name) for name, work in self.exits.parts()),
            ]

    async def _sweep(self) -> None:
        """Remove what was kept for images that are gone."""
        await asyncio.to_thread(self.images.sweep)
        await self.driver.sweep({each.digest for each in await asyncio.to_thread(self.images.list)})

    async def close(self) -> None:
        """Let go of everything in reverse; keepers and machines live on."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if hasattr(self, "sessions"):
            await self.sessions.reconciler.close()
            await self.recordings.close()
            await self.sessions.pool.close()
            await self.exits.close()
            await self.guests.close()
            await self.broker.close()
            await self.quality_log.flush()
        await self.store.close()


def quality_log(store: Store, metrics: QualityMetrics) -> QualityLog:
    """What viewers tell of their pictures, on its way to the store."""
    one, all_together = RateLimiter(count=ROWS, seconds=ROWS_S), RateLimiter(count=ALL_ROWS, seconds=ROWS_S)
    return QualityLog(store.quality, metrics.counted, one.allow, all_together.allow)


def assemble(composition: Composition) -> FastAPI:
    """The application on an opened or unopened composition."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if not hasattr(app.state, "parts"):
            app.state.parts = await composition.open()
        composition.run()
        try:
            yield
        finally:
            await composition.close()

    return build_api(composition.settings, lifespan)


def build(settings: Settings) -> FastAPI:
    """The application; its lifespan brings everything up and lets go of it."""
    return assemble(Composition(settings))


def serve(settings: Settings, json_ready: bool = False) -> None:
    """Serve until SIGTERM or SIGINT. Raises SystemExit(1), after one line that names the mend."""
    composition = Composition(settings)
    serve_app(settings, composition, assemble(composition), json_ready=json_ready)
