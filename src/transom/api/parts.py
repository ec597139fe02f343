"""What the API stands on, put together by the composition root."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request, WebSocket

from transom.api.limits import Limits
from transom.api.views import Views
from transom.auth.links import LinkService
from transom.auth.service import AuthService
from transom.egress.desk import ExitDesk
from transom.egress.service import EgressService
from transom.files.desk import FilesDesk
from transom.guests.guests import Guests
from transom.model.clock import Clock
from transom.model.ports import Driver, Vault
from transom.model.stores import CredentialStore, MachineStore, UserStore
from transom.observe.machines import MachineMetrics
from transom.observe.metrics import Metrics
from transom.observe.quality import QualityMetrics
from transom.recording.desk import RecordingDesk
from transom.sessions.ledger import Ledger
from transom.sessions.pooling import Pool
from transom.sessions.service import SessionService
from transom.settings import Settings
from transom.signin.catalog import Catalog
from transom.stream.broker import Broker
from transom.stream.quality import Quality
from transom.stream.quality_log import QualityLog
from transom.stream.seating import Seating


@dataclass(frozen=True)
class Parts:
    """Everything a route may use; nothing else is global."""

    settings: Settings
    clock: Clock
    sessions: SessionService
    ledger: Ledger
    broker: Broker
    seating: Seating
    links: LinkService
    quality: Quality
    quality_log: QualityLog
    auth: AuthService
    users: UserStore
    credentials: CredentialStore
    vault: Vault
    catalog: Catalog
    driver: Driver
    guests: Guests
    machines: MachineStore
    pool: Pool
    metrics: Metrics
    machine_metrics: MachineMetrics
    quality_metrics: QualityMetrics
    egress: EgressService
    exits: ExitDesk
    files: FilesDesk
    recordings: RecordingDesk
    limits: Limits
    views: Views


def parts_of(connection: Request | WebSocket) -> Parts:
    """The parts of the server that took this request."""
    parts: Parts = connection.app.state.parts
    return parts
