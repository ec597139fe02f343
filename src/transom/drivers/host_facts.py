"""Looks at this host for `host.judge`. Blocking; it changes nothing but an empty machine of KVM, gone at once."""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import socket
import stat
from collections.abc import Mapping
from pathlib import Path

from transom.drivers.facts import Facts, Kvm, RootHelper, Swap
from transom.drivers.version import version_line
from transom_keeper import cgroups
from transom_keeper.helper import NO_TAG, Helper, HelperError

SECONDS = 5.0
"""For the helper to answer."""
KVM = Path("/dev/kvm")
KVM_GET_API_VERSION, KVM_CREATE_VM, KVM_API_VERSION = 0xAE00, 0xAE01, 12
_SYSCTLS = {
    "kernel.apparmor_restrict_unprivileged_userns": "kernel/apparmor_restrict_unprivileged_userns",
    "kernel.unprivileged_userns_clone": "kernel/unprivileged_userns_clone",
    "user.max_user_namespaces": "user/max_user_namespaces",
}
_VHOST = ("/dev/vhost-net", "/dev/vhost-vsock")
_TIMEX_BYTES, _TIMEX_STATUS, _STA_UNSYNC, _TIME_ERROR = 256, 40, 0x40, 5
"""struct timex of 64-bit Linux: where `status` is, and adjtimex(2)'s words for no synchronization."""
_DEEPEST = 8
"""Device mapper's devices on one another that are looked through."""


def gather(
    programs: Mapping[str, Path], helper: Path, door: tuple[str, int, int], root: Path = Path("/")
) -> Facts:
    """Look. `programs` are bwrap, nft, qemu and firecracker; `door` is address, first and last port; `root` is
    where /proc, /sys and /dev are."""
    groups = cgroups.own_bases()
    memory = meminfo(_read(root / "proc/meminfo"))
    return Facts(
        kernel=platform.release(),
        architecture=platform.machine(),
        programs={name: said for name, path in programs.items() if (said := version_line(path))},
        kvm=look_at_kvm(root),
        tun=_is_device(root / "dev/net/tun"),
        vhost=tuple(each for each in _VHOST if _is_device(root / each[1:])),
        sysctls={name: text for name, path in _SYSCTLS.items() if (text := _read(root / "proc/sys" / path))},
        cgroup_version=max((base.version for base in groups if cgroups.offers(base)), default=0),
        controllers=offered(groups),
        ksm=_read(root / "sys/kernel/mm/ksm/run"),
        smt_control=_read(root / "sys/devices/system/cpu/smt/control"),
        smt_active=_read(root / "sys/devices/system/cpu/smt/active"),
        vulnerable=vulnerable(root / "sys/devices/system/cpu/vulnerabilities"),
        swaps=swaps(_read(root / "proc/swaps"), root),
        memory_bytes=memory.get("MemTotal", 0),
        available_bytes=memory.get("MemAvailable", 0),
        clock_synchronized=clock_synchronized(),
        door=door_trouble(*door),
        door_is_own=is_own(door[0]),
        helper=ask(helper),
        uid=os.geteuid(),
    )


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, ValueError):
        return ""


def _is_device(path: Path) -> bool:
    try:
        return stat.S_ISCHR(path.stat().st_mode)
    except OSError:
        return False


def look_at_kvm(root: Path = Path("/")) -> Kvm:
    """Open it and have it make a machine: it may be there and do neither."""
    nested = " hypervisor" in _read(root / "proc/cpuinfo")
    pvm = (root / "sys/module/kvm_pvm").is_dir()
    path = root / "dev/kvm"
    if not path.exists():
        return Kvm(False, nested=nested, pvm=pvm)
    try:
        return Kvm(True, _try_kvm(path), nested, pvm)
    except OSError as error:
        return Kvm(True, error.strerror or "it fails", nested, pvm)


def _try_kvm(path: Path) -> str:
    """Raises OSError."""
    device = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        if fcntl.ioctl(device, KVM_GET_API_VERSION) != KVM_API_VERSION:
            return "its API is of another version"
        os.close(fcntl.ioctl(device, KVM_CREATE_VM, 0))
        return ""
    finally:
        os.close(device)


def offered(bases: list[cgroups.Base]) -> tuple[str, ...]:
    """Controllers that a group of ours could have."""
    found = {
        each
        for base in bases
        if os.access(base.path if base.path.is_dir() else base.path.parent, os.W_OK)
        for each in cgroups.offers(base)
    }
    return tuple(each for each in cgroups.CONTROLLERS if each in found)


def vulnerable(folder: Path) -> tuple[str, ...]:
    """Files of `folder` that say Vulnerable."""
    try:
        files = sorted(folder.iterdir())
    except OSError:
        return ()
    return tuple(each.name for each in files if _read(each).startswith("Vulnerable"))


def swaps(text: str, root: Path = Path("/")) -> tuple[Swap, ...]:
    """The places of /proc/swaps, whose first line is a heading."""
    names = [line.split()[0] for line in text.splitlines()[1:] if line.split()]
    return tuple(Swap(name, _is_safe(name, root)) for name in names)


def _is_safe(name: str, root: Path) -> bool:
    real = os.path.basename(os.path.realpath(name))
    if real.startswith("zram"):
        # one with a backing device writes there what does not compress
        return _read(root / "sys/class/block" / real / "backing_dev") in ("", "none")
    return _is_encrypted(real, root)


def _is_encrypted(device: str, root: Path, deep: int = _DEEPEST) -> bool:
    """The block device is dm-crypt's, or all that it is made of is: a logical volume on LUKS."""
    place = root / "sys/class/block" / device
    if _read(place / "dm/uuid").startswith("CRYPT-"):
        return True
    try:
        below = sorted(os.listdir(place / "slaves"))
    except OSError:
        return False
    return bool(below) and deep > 0 and all(_is_encrypted(each, root, deep - 1) for each in below)


def meminfo(text: str) -> dict[str, int]:
    """Bytes by name. Pure."""
    found = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if len(words) == 2 and words[0].isdigit() and words[1] == "kB":
            found[name] = int(words[0]) * 1024
    return found


def clock_synchronized() -> bool | None:
    """What the kernel was told of its clock; None when it does not say."""
    buffer = ctypes.create_string_buffer(_TIMEX_BYTES)
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(buffer)
    except (OSError, AttributeError):
        return None
    if state < 0:
        return None
    status = int.from_bytes(buffer.raw[_TIMEX_STATUS : _TIMEX_STATUS + 4], "little")
    return state != _TIME_ERROR and not status & _STA_UNSYNC


def is_own(address: str) -> bool:
    """Whether a socket of ours can have this address."""
    return _bind(address, 0) is None


def door_trouble(address: str, low: int, high: int) -> str:
    """Why a door cannot be opened there; empty when it can. An address that is not ours means all of them."""
    own = address if is_own(address) else ("::" if ":" in address else "0.0.0.0")
    trouble = ""
    for port in range(low, high + 1):
        error = _bind(own, port)
        if error is None:
            return ""
        trouble = f"no free UDP port in {low}-{high}: {error.strerror}"
    return trouble


def _bind(address: str, port: int) -> OSError | None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as one:
            one.bind((address, port))
    except OSError as error:
        return error
    return None


def ask(helper: Path) -> RootHelper:
    """What the root helper at this socket says."""
    try:
        found = Helper(str(helper), SECONDS).survey(NO_TAG)
    except HelperError as error:
        return RootHelper(error.reason)
    return RootHelper(version=found.version, jail=found.jail, controllers=found.controllers)
