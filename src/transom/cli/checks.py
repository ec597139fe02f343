"""What `transom doctor` looks at. Each check changes nothing, and comes with the command that mends it."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from transom.model.errors import TransomError
from transom.model.finding import Finding, Standing
from transom.model.machine import DRIVERS, VM_DRIVERS

if TYPE_CHECKING:
    from transom.model.machine import Probe
    from transom.settings import Settings

PROBE_SECONDS = 60.0
FREE_MIB = 1024
"""Disk space below which the state folder is a worry: logs, database and one machine's folder."""


Check = Callable[["Settings"], Iterator[Finding]]
PROGRAMS = {
    "bwrap": "bubblewrap",
    "mmdebstrap": "mmdebstrap",
    "npm": "npm",
    "node": "nodejs",
    "tar": "tar",
}
"""Program -> Debian's package of it."""


def programs(settings: Settings) -> Iterator[Finding]:
    """Programs that the server and the image's recipe call."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        packages = " ".join(sorted({PROGRAMS[name] for name in missing}))
        yield Finding(
            "programs",
            Standing.PROBLEM,
            f"missing: {', '.join(missing)}",
            f"{_sudo()}apt-get install -y {packages}",
        )
    else:
        yield Finding("programs", Standing.OK, f"{', '.join(PROGRAMS)} are there")


def image(settings: Settings) -> Iterator[Finding]:
    """The golden image."""
    from transom.images.store import ImageStore

    store = ImageStore(settings.images_dir)
    current = store.current()
    if current is None:
        yield Finding("image", Standing.PROBLEM, "there is no image yet", "transom image build")
        return
    store.manifest(current)
    # its content is for `transom image verify`, which takes half a minute
    yield Finding("image", Standing.OK, f"{current[:19]} is there, with all its parts")


def host(settings: Settings) -> Iterator[Finding]:
    """What of the host weakens machines, or is missing for some."""
    from transom.drivers import host_facts
    from transom.drivers.facts import Wanted
    from transom.drivers.host import judge
    from transom_wire import WIRE_VERSION

    programs = {
        "bwrap": _which("bwrap"),
        "nft": _which("nft"),
        "qemu": settings.qemu,
        "firecracker": settings.firecracker,
    }
    ports = (settings.door_port_low, settings.door_port_high)
    facts = host_facts.gather(programs, settings.helper_socket, (settings.door_address, *ports))
    wanted = Wanted(
        driver=settings.driver,
        memory_bytes=settings.limits.memory_bytes,
        machines=machines_max(settings),
        door_address=settings.door_address,
        wire_version=WIRE_VERSION,
    )
    yield from judge(facts, wanted)


def machines_max(settings: Settings) -> int:
    """Machines at once, at most."""
    return settings.sessions_max + settings.pool_max


def machines(settings: Settings) -> Iterator[Finding]:
    """Whether this host can run machines, by each driver: what others lack than the one in use is a note."""
    probes = asyncio.run(_probe_all(settings, Path(__file__).resolve().parents[2]))
    for name, probe in probes.items():
        used = name == settings.driver
        if isinstance(probe, BaseException):
            words = probe.message if isinstance(probe, TransomError) else "no answer in time"
            yield Finding(
                "machines", _or_note(used, Standing.PROBLEM), words, getattr(probe, "mend", ""), name
            )
            continue
        for problem in probe.problems:
            yield Finding("machines", _or_note(used, Standing.PROBLEM), problem.what, problem.mend, name)
        for warning in probe.warnings:
            yield Finding("machines", _or_note(used, Standing.WARNING), warning.what, warning.mend, name)
        if probe.usable:
            standing = Standing.OK if used else Standing.NOTE
            yield Finding(
                "machines", standing, f"this host can run them{'' if used else ', too'}", group=name
            )


def _or_note(used: bool, standing: Standing) -> Standing:
    return standing if used else Standing.NOTE


async def _probe_all(settings: Settings, source: Path) -> dict[str, Probe | BaseException]:
    """What each driver says of this host, or why it says nothing; `source` holds the guest's code."""
    from transom.drivers.local import local_driver
    from transom.images.store import ImageStore

    images = ImageStore(settings.images_dir)

    async def one(name: str) -> Probe:
        driver = local_driver(settings.model_copy(update={"driver": name}), images, source)
        return await asyncio.wait_for(driver.probe(), PROBE_SECONDS)

    answers = await asyncio.gather(*map(one, DRIVERS), return_exceptions=True)
    return dict(zip(DRIVERS, answers, strict=True))


def page(settings: Settings) -> Iterator[Finding]:
    """What the pages need from npm."""
    if (settings.web_dir / "node_modules/@novnc/novnc/core/rfb.js").is_file():
        yield Finding("page", Standing.OK, "its dependencies are installed")
    else:
        mend = f"npm ci --prefix {settings.web_dir} --ignore-scripts"
        yield Finding("page", Standing.PROBLEM, "noVNC is not installed", mend)


def port(settings: Settings) -> Iterator[Finding]:
    """The port that the server would listen on."""
    if _own_server_answers(settings):
        yield Finding("port", Standing.OK, "a transom server of this state folder answers")
        return
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((settings.host, settings.port))
    except OSError as error:
        what = f"{settings.host} port {settings.port} cannot be used: {error.strerror}"
        yield Finding("port", Standing.PROBLEM, what, f"transom serve --port {settings.port + 1}")
        return
    yield Finding("port", Standing.OK, f"{settings.port} is free")


def database(settings: Settings) -> Iterator[Finding]:
    """The database: there, readable, of a schema that this version knows."""
    from transom.store.schema import inspect

    words = {
        "new": "will be made at the first start",
        "current": "is up to date",
        "older": "will be migrated at the next start",
    }
    yield Finding("database", Standing.OK, words[inspect(settings.database_url)])


def vault_key(settings: Settings) -> Iterator[Finding]:
    """The key-encryption key's file, or its command."""
    from transom.vault.keys import key_source

    file = settings.kek
    if settings.kek_command is None and not os.path.lexists(file):
        yield Finding("vault key", Standing.OK, "will be made at the first start")
        return
    asyncio.run(key_source(file, settings.kek_command).load())
    yield Finding("vault key", Standing.OK, "can be read, by the server alone")


def state_folder(settings: Settings) -> Iterator[Finding]:
    """The state folder: writable, passable for the machines' users, on a disk with room."""
    folder = next(path for path in (settings.state, *settings.state.parents) if path.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        yield Finding("state", Standing.PROBLEM, f"{folder} cannot be written", "transom serve --state DIR")
        return
    closed = _closed_folder(folder) if os.geteuid() == 0 else None
    if closed is not None:
        what = f"the machines' users cannot pass through {closed}"
        yield Finding("state", Standing.PROBLEM, what, f"chmod o+x {closed}")
        return
    free = shutil.disk_usage(folder).free // 2**20
    if free < FREE_MIB:
        what = f"{free} MiB are free on the disk of {folder}"
        yield Finding("state", Standing.WARNING, what, "remove old images: transom image list")
    elif settings.driver in VM_DRIVERS and free < settings.disk_mib * (count := machines_max(settings)):
        what = (
            f"{free} MiB are free on the disk of {folder}: {count} machines may fill {settings.disk_mib} each"
        )
        mend = "set TRANSOM_DISK_MIB, TRANSOM_SESSIONS_MAX and TRANSOM_POOL_MAX, or make room"
        yield Finding("state", Standing.NOTE, what, mend)
    else:
        yield Finding("state", Standing.OK, f"{settings.state} can be used, {free // 1024} GiB are free")


CHECKS: Sequence[Check] = (programs, image, page, state_folder, database, vault_key, port, host, machines)


def run_checks(settings: Settings, checks: Sequence[Check] = CHECKS) -> Iterator[Finding]:
    """Every finding; a check that fails by an error of ours, or of the host's, is a finding too."""
    for check in checks:
        subject = check.__name__.replace("_", " ")
        try:
            yield from check(settings)
        except TransomError as error:
            yield Finding(subject, Standing.PROBLEM, error.message, str(getattr(error, "mend", "")))
        except (OSError, TimeoutError) as error:
            words = error.strerror if isinstance(error, OSError) and error.strerror else "no answer in time"
            yield Finding(subject, Standing.PROBLEM, f"it cannot be looked at: {words}")


def _own_server_answers(settings: Settings) -> bool:
    from transom.cli.client import Client, find_server
    from transom.cli.failure import Failure

    try:
        Client(find_server(settings.state, environment={})).get("me")
    except Failure:
        return False
    return True


def _closed_folder(folder: Path) -> Path | None:
    """The first folder on the way that others may not pass through."""
    for path in (*reversed(folder.parents), folder):
        if not path.stat().st_mode & stat.S_IXOTH:
            return path
    return None


def _sudo() -> str:
    return "" if os.geteuid() == 0 else "sudo "


def _which(program: str) -> Path:
    """Where a program is; administrators' folders are not on everybody's PATH."""
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    return Path(found or f"/usr/sbin/{program}")
