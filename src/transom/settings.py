"""Every setting of the controller, from `TRANSOM_...` variables or from the command line.

Each docstring says what happens when nobody sets it. Lists are written with commas, or as JSON.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, field_validator, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from transom.model.machine import DriverName
from transom.settings_stream import StreamSettings, Words
from transom_wire import screen
from transom_wire.helper import HELPER_SOCKET
from transom_wire.keeper_config import Limits

REPOSITORY = Path(__file__).resolve().parents[2]
Paths = Annotated[tuple[Path, ...], NoDecode]
MIB = 2**20
MACHINES_MOST = 2000
"""Machines on one host: each has a user of its own, in the range that begins at `uid_base`."""


def default_state() -> Path:
    """`/var/lib/transom` for root, `~/.local/share/transom` for everybody else."""
    return Path("/var/lib/transom") if os.geteuid() == 0 else Path.home() / ".local/share/transom"


def default_images() -> Path:
    """`/var/cache/transom/images` for root, the user's own cache for everybody else."""
    if os.geteuid() == 0:
        return Path("/var/cache/transom/images")
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "transom" / "images"


class Settings(StreamSettings):
    """What an operator may choose. Unset, the controller serves this host alone, on port 4000."""

    model_config = SettingsConfigDict(env_prefix="TRANSOM_", extra="forbid", frozen=True)

    state: Path = Field(default_factory=default_state)
    """Folder of everything that lasts. Unset: `/var/lib/transom` for root, `~/.local/share/transom` for others."""
    host: str = "127.0.0.1"
    """Address to listen on. Unset: only this host reaches the pages."""
    port: int = Field(4000, ge=0, le=65535)
    """TCP port of pages and API; 0 takes a free one."""
    public_url: str | None = None
    """Where browsers reach the pages, behind a reverse proxy say. Unset: `http://host:port`."""
    database: str | None = None
    """SQLAlchemy URL. Unset: SQLite in the state folder."""
    images_dir: Path = Field(
        default_factory=default_images,
        validation_alias=AliasChoices("images_dir", "TRANSOM_IMAGES"),
    )
    """Folder of golden images. Unset: `/var/cache/transom/images` for root, `~/.cache/transom/images` for others."""
    image_suite: str = "trixie"
    """Debian release of the golden image. Unset: Debian 13."""
    image_mirror: str | None = Field(None, validation_alias=AliasChoices("image_mirror", "TRANSOM_MIRROR"))
    """Debian mirror for the golden image, a snapshot for builds that can be repeated. Unset: Debian's own."""
    image_without: Words = ()
    """Layers left out of the golden image: `cli`, `desktop`, `gstreamer`, `vm`. Unset: none."""
    providers_dirs: Paths = ()
    """Folders of provider files beside those shipped; a later one replaces a provider of the same id. Unset: none."""
    web_dir: Path = REPOSITORY / "web"
    """The pages. Unset: those shipped."""

    door_address: str = "127.0.0.1"
    """Address of this host that viewers send media to. Unset: only viewers on this host have WebRTC."""
    door_port_low: int = Field(41000, ge=1024, le=65535)
    """First UDP port for media; one port a session."""
    door_port_high: int = Field(41999, ge=1024, le=65535)
    """Last UDP port for media."""
    exit: Literal["none", "direct"] = "none"
    """How machines reach the internet where no exit is in the pool. Unset: not at all; `direct` leaves by this
    host's own address."""
    exits: Words = Field((), repr=False)
    """Upstream proxies for the pool, as `http://user:pass@host:{10001..10050}`; added at the start. Unset: those
    added by `transom exit`."""
    exits_file: Path | None = None
    """File with such a list, a line each; added at the start. Unset: none."""
    exit_sharing: Literal["share", "refuse"] = "refuse"
    """When no exit is free: `share` gives one that somebody has. Unset: the user has no way out."""
    exit_move: Literal["never", "ask", "at_once"] = "at_once"
    """The user of a drained or dead exit moves `at_once`, after being asked, or never."""
    exit_echo_url: str | None = Field(None, pattern=r"^https?://[^\s@]+$")
    """URL that answers with the caller's address, asked through each exit. Unset: addresses are not measured, and
    a check only tries the exit's port."""
    exit_check_seconds: int = Field(300, ge=1, le=86400)
    """How often an exit that works is checked."""
    exit_low: int = Field(1, ge=0, le=10000)
    """Fewer free exits than this are an alert."""
    alert_webhook_url: str | None = Field(None, pattern=r"^https?://[^\s@]+$")
    """URL that alerts are posted to, signed. Unset: none."""
    alert_webhook_secret_file: Path | None = None
    """File with the key of the webhook's signature, 16 bytes or more."""

    session_seconds: int = Field(8 * 3600, ge=60, le=30 * 86400)
    """Longest life of a session."""
    idle_seconds: int = Field(1800, ge=10, le=86400)
    """A session no viewer is heard of for this long ends."""
    reconnect_seconds: int = Field(120, ge=10, le=3600)
    """After a start of the controller, viewers have this long to come back before sessions count as idle;
    the keeper's own deadline is later than the session's idle end by as much."""
    requested_deadline_s: int = Field(60, ge=1, le=3600)
    """Longest wait for a machine's creation to begin."""
    creating_deadline_s: int = Field(60, ge=1, le=3600)
    """Longest time to make keeper and machine."""
    booting_deadline_s: int = Field(120, ge=1, le=3600)
    """Longest time until a browser window has painted."""
    stopping_deadline_s: int = Field(60, ge=1, le=3600)
    """Longest time to take a machine down; then the session counts as failed."""
    sessions_per_user: int = Field(3, ge=1, le=1000)
    """Living sessions one user may have."""
    sessions_max: int = Field(20, ge=1, le=2000)
    """Living sessions on this host."""
    failed_keep_seconds: int = Field(1800, ge=0, le=3600)
    """A failed machine's folder with its logs is kept this long for inspection."""
    pool_min: int = Field(0, ge=0, le=200)
    """Warm machines, booted and waiting for a session, that are always there. Unset: none."""
    pool_max: int = Field(0, ge=0, le=200)
    """Most warm machines, when many sessions are asked for. Unset: there is no warm pool, each session's machine
    is made for it."""
    pool_memory_mib: int = Field(1024, ge=0, le=1048576)
    """Memory of this host that warm machines leave to everything else: below it they are given back."""
    pool_age_seconds: int = Field(3600, ge=60, le=86400)
    """A warm machine that has waited longer is replaced by a fresh one, made before it goes where there is room."""
    machine_log_days: int = Field(14, ge=1, le=3650)
    """What became of each machine, and the log of one that failed, is kept this long."""
    forget_seconds: int = Field(7 * 86400, ge=60, le=365 * 86400)
    """Rows of sessions that are over are kept this long."""
    audit_days: int = Field(365, ge=1, le=36500)
    """Lines of the audit trail are kept this long."""
    tick_seconds: float = Field(5.0, ge=0.05, le=60)
    """How often the reconcile loop looks by itself, events aside."""

    driver: DriverName = "namespace"
    """How machines are made. Unset: sandboxes on this host's own kernel; `qemu` and `firecracker` make virtual
    machines, each with a kernel of its own, and need the root helper."""
    helper_socket: Path = Path(HELPER_SOCKET)
    """Socket of the root helper. Unset: where its service unit puts it."""
    qemu: Path = Path("/usr/bin/qemu-system-x86_64")
    """QEMU's program, below `/usr`. Unset: Debian's."""
    firecracker: Path = Path("/usr/local/bin/firecracker")
    """Firecracker's program, for its version; which one the root helper starts, its own setting says."""
    accelerator: Literal["auto", "kvm", "tcg"] = "auto"
    """What runs a virtual machine's instructions. Unset: KVM where `/dev/kvm` works, else emulation (tcg), which
    is slow."""
    vm_cpus: int = Field(2, ge=1, le=64)
    """Processors of a virtual machine; `cpu_millis` bounds what they get of the host's."""
    program: Literal["browser", "terminal"] = "browser"
    """What a desktop starts with. Unset: Chromium; a terminal is for emulated machines, in which Chromium takes a
    minute."""

    memory_mib: int = Field(2048, ge=256, le=1048576)
    """Memory of one machine."""
    cpu_millis: int = Field(2000, ge=100, le=1000000)
    """Thousandths of a core for one machine."""
    disk_mib: int = Field(8192, ge=64, le=16777216)
    """What one machine may write over its read-only image, in memory or on disk as its driver has it."""
    pids: int = Field(1024, ge=64, le=1000000)
    """Processes and threads of one machine."""
    uid_base: int = Field(1_900_000_000, ge=1000, le=2**31)
    """First of the users that machines run as when the controller is root; slot N takes `uid_base + N`."""
    width: int = Field(1280, ge=screen.MIN_SIDE, le=screen.MAX_SIDE)
    """Desktop width in pixels when a request names none."""
    height: int = Field(720, ge=screen.MIN_SIDE, le=screen.MAX_SIDE)
    """Desktop height in pixels when a request names none."""

    allowed_origins: Words = ()
    """Origins besides the server's own that may use cookies. Unset: none."""
    trusted_proxies: Words = ()
    """Addresses of reverse proxies whose X-Forwarded-* headers are believed. Unset: none."""
    kek_file: Path | None = None
    """File of the key-encryption key. Unset: `kek` in the state folder, made 0600 at the first start."""
    kek_command: str | None = None
    """Command that prints the key-encryption key, base64; it wins over the file. Unset: the file."""
    log_format: Literal["json", "console"] = "console"
    """`json` for machines that read logs."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severity that is written."""

    @field_validator(
        "stun_urls",
        "turn_urls",
        "allowed_origins",
        "trusted_proxies",
        "providers_dirs",
        "exits",
        "image_without",
        "recording_pages",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str) and value.lstrip().startswith("["):
            return tuple(json.loads(value))
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("state", "images_dir", "web_dir", mode="after")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @model_validator(mode="after")
    def _together(self) -> Settings:
        if self.door_port_low > self.door_port_high:
            raise ValueError("door_port_low is above door_port_high")
        if self.pool_min > self.pool_max:
            raise ValueError("pool_min is above pool_max")
        if self.sessions_max + self.pool_max > MACHINES_MOST:
            raise ValueError(f"sessions_max and pool_max are more than {MACHINES_MOST} machines together")
        if self.door_port_high - self.door_port_low + 1 < self.sessions_max + self.pool_max:
            raise ValueError("fewer door ports than sessions_max and pool_max: each machine takes one")
        if self.turn_urls and not self.turn_secret_file:
            raise ValueError("turn_urls needs turn_secret_file")
        if self.alert_webhook_url and not self.alert_webhook_secret_file:
            raise ValueError("alert_webhook_url needs alert_webhook_secret_file")
        if not screen.allowed(self.width, self.height):
            raise ValueError(f"width times height is more than {screen.MAX_AREA} pixels")
        return self

    @property
    def database_url(self) -> str:
        """The database, SQLite in the state folder unless set."""
        return self.database or f"sqlite:///{self.state / 'transom.db'}"

    @property
    def origins(self) -> tuple[str, ...]:
        """Origins that may use cookies besides the one a request came to."""
        own = urlsplit(self.public_url or "")
        return (*self.allowed_origins, f"{own.scheme}://{own.netloc}") if own.netloc else self.allowed_origins

    @property
    def kek(self) -> Path:
        """The key-encryption key's file."""
        return self.kek_file or self.state / "kek"

    @property
    def machines(self) -> Path:
        """The machines' folders."""
        return self.state / "machines"

    @property
    def client_file(self) -> Path:
        """Where the command line finds this server and its token; 0600."""
        return self.state / "client.json"

    @property
    def limits(self) -> Limits:
        """What one machine may use."""
        return Limits(
            memory_bytes=self.memory_mib * MIB,
            cpu_millis=self.cpu_millis,
            pids=self.pids,
            disk_bytes=self.disk_mib * MIB,
        )
