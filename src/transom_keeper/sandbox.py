"""What bubblewrap is told: one machine's file system, environment and namespaces. Pure.

Nothing of the host is in it but the golden root, the guest's own code and its machine-id, all read-only.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from transom_keeper import machine_id
from transom_wire.keeper_config import KeeperConfig

GUEST_UID = 1000
GUEST_MOUNT = "/opt/transom"
LINK_PORT = 4001
FORWARDER_PORT = 3128
DOOR_SOCKETS = 12
"""Three for each of four viewers."""
LOOPBACK = "127.0.0.1"
PYTHON = "/usr/bin/python3"
INIT = f"{GUEST_MOUNT}/transom_guest/init.py"
INIT_FD_VARIABLE = "TRANSOM_INIT_FD"

BOOT_ID = "/proc/sys/kernel/random/boot_id"
"""The host's own would be every machine's on it."""

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PROXY = f"http://{LOOPBACK}:{FORWARDER_PORT}"
_NO_PROXY = "localhost,127.0.0.1,::1"
_SHARED_MEMORY_PART = 2
"""Each tmpfs may hold one part in this many of the machine's memory: a bound where no cgroup gives one."""

ARGV0 = re.compile(r"transom-sandbox:(?P<machine>[A-Za-z0-9_-]{1,64}):(?P<tag>[0-9a-f]{8})")
"""How a sandbox's outer processes are told from everybody else's: see `argv0`."""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What the golden root holds; bubblewrap can bind over a file in a read-only root, but not make one."""

    files: frozenset[str]
    """Which of the paths that say who a machine is are plain files in the image."""
    has_guest_mount: bool
    opt_empty: bool


class ImageError(ValueError):
    """The golden root is not one that a sandbox can start from."""


def tag_of(folder: Path) -> str:
    """Names the folder that the machine's `folder` is in, so that two controllers on one host, with a state
    folder each, never take the other's sandboxes and groups for their own orphans."""
    return hashlib.sha256(str(folder.parent).encode()).hexdigest()[:8]


def argv0(machine: str, tag: str) -> str:
    """The name a sandbox carries in the host's process list; `tag` names the state folder it belongs to."""
    return f"transom-sandbox:{machine}:{tag}"


def environment(session: str, init_fd: int) -> dict[str, str]:
    """The guest's whole environment."""
    return {
        "PATH": _PATH,
        "HOME": "/home/user",
        "USER": "user",
        "LOGNAME": "user",
        "SHELL": "/bin/bash",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "DISPLAY": ":1",
        "XDG_RUNTIME_DIR": "/run/user/1000",
        "SESSION_ID": session,
        "HTTP_PROXY": _PROXY,
        "HTTPS_PROXY": _PROXY,
        "NO_PROXY": _NO_PROXY,
        "http_proxy": _PROXY,
        "https_proxy": _PROXY,
        "no_proxy": _NO_PROXY,
        "TRANSOM_LINK": f"{LOOPBACK}:{LINK_PORT}",
        "TRANSOM_LINK_TOKEN_FILE": "/run/transom/link-token",
        "TRANSOM_VNC_SOCKET": "/run/transom/vnc.sock",
        "PYTHONPATH": GUEST_MOUNT,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        INIT_FD_VARIABLE: str(init_fd),
    }


def host_name(machine: str) -> str:
    """The name that a machine has for itself: a claim's, too."""
    return machine.replace("_", "-")


def fresh_boot_id() -> str:
    """One that no kernel had: a random UUID (RFC 9562, version 4)."""
    return f"{uuid.uuid4()}\n"


def identity_files(name: str) -> dict[str, str]:
    """Files of /etc that say who this machine is, but for its machine-id: `name` is its own, and stays."""
    return {
        "/etc/passwd": (
            "root:x:0:0:root:/root:/usr/sbin/nologin\n"
            "user:x:1000:1000:user:/home/user:/bin/bash\n"
            "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
        ),
        "/etc/group": "root:x:0:\ntty:x:5:\nuser:x:1000:\nnogroup:x:65534:\n",
        "/etc/resolv.conf": "",
        "/etc/hostname": f"{name}\n",
        "/etc/hosts": f"127.0.0.1 localhost {name}\n::1 localhost\n",
    }


def arguments(
    config: KeeperConfig,
    facts: ImageFacts,
    files: Mapping[str, int],
    *,
    init_fd: int,
    seccomp_fd: int,
    info_fd: int,
) -> list[str]:
    """What goes to `bwrap --args`, and after it the command. `files` maps a path of /etc to the descriptor
    of its content. Raises ImageError."""
    return [
        *_namespaces(host_name(config.machine), seccomp_fd, info_fd),
        *_file_system(config, facts, files),
        "--clearenv",
        *(
            item
            for name, value in environment(config.session or "", init_fd).items()
            for item in _set(name, value)
        ),
        "--chdir",
        "/home/user",
    ]


COMMAND = [PYTHON, "-I", "-S", INIT]


def _set(name: str, value: str) -> tuple[str, str, str]:
    return "--setenv", name, value


def _namespaces(name: str, seccomp_fd: int, info_fd: int) -> list[str]:
    return [
        "--unshare-all",
        "--die-with-parent",
        "--new-session",
        *("--uid", str(GUEST_UID), "--gid", str(GUEST_UID)),
        *("--hostname", name),
        *("--seccomp", str(seccomp_fd)),
        *("--info-fd", str(info_fd)),
    ]


def _file_system(config: KeeperConfig, facts: ImageFacts, files: Mapping[str, int]) -> list[str]:
    share = config.limits.memory_bytes // _SHARED_MEMORY_PART
    return [
        *("--ro-bind", config.image_root, "/"),
        *("--proc", "/proc"),
        *("--dev", "/dev"),
        *_tmpfs("/dev/shm", share, "1777"),  # noqa: S108 (a path in the sandbox)
        *("--remount-ro", "/dev"),
        *_tmpfs("/tmp", share, "1777"),  # noqa: S108
        *_tmpfs("/var/tmp", share, "1777"),  # noqa: S108
        *_tmpfs("/run", share, "0755"),
        *_tmpfs("/home", share, "0755"),
        *("--perms", "0700", "--dir", "/home/user"),
        *("--perms", "0755", "--dir", "/run/user"),
        *("--perms", "0700", "--dir", "/run/user/1000"),
        *("--perms", "0700", "--dir", "/run/transom"),
        *(item for path, fd in files.items() for item in ("--ro-bind-data", str(fd), path)),
        *_machine_id(config.folder, facts),
        *_guest(config.guest_source, facts),
    ]


def _machine_id(folder: str, facts: ImageFacts) -> list[str]:
    if machine_id.SHOWN_AT not in facts.files:
        return []
    return ["--ro-bind", f"{folder}/{machine_id.NAME}", machine_id.SHOWN_AT]


def _tmpfs(path: str, size: int, mode: str) -> list[str]:
    return ["--perms", mode, "--size", str(size), "--tmpfs", path]


def _guest(source: str, facts: ImageFacts) -> list[str]:
    bind = ["--ro-bind", source, GUEST_MOUNT]
    if facts.has_guest_mount:
        return bind
    if not facts.opt_empty:
        raise ImageError(f"the image has no folder {GUEST_MOUNT}, and its /opt is in use")
    return [*_tmpfs("/opt", 2**20, "0755"), *bind, "--remount-ro", "/opt"]
