"""What is seen of a host, from files such as Linux has them."""

from __future__ import annotations

import socket
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.support.helper_lab import helper
from transom.drivers import host_facts
from transom.drivers.facts import Swap
from transom_wire import WIRE_VERSION

LOCAL = ("127.0.0.1", 41000, 41999)


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def gather(root: Path) -> host_facts.Facts:
    return host_facts.gather(
        {"bwrap": Path("/bin/false"), "nft": Path("/none")}, root / "socket", LOCAL, root
    )


def test_a_host_that_says_nothing_is_no_error(tmp_path: Path) -> None:
    facts = gather(tmp_path)
    assert facts.programs == {}
    assert not facts.kvm.present and not facts.tun
    assert (facts.ksm, facts.smt_control, facts.swaps, facts.vulnerable, facts.memory_bytes) == (
        "",
        "",
        (),
        (),
        0,
    )
    assert facts.helper.reason and facts.door == "" and facts.door_is_own


def test_what_the_kernel_says_is_read(tmp_path: Path) -> None:
    write(
        tmp_path,
        sys__kernel__mm__ksm__run="1\n",
        sys__devices__system__cpu__smt__control="on\n",
        sys__devices__system__cpu__smt__active="1\n",
        sys__devices__system__cpu__vulnerabilities__mds="Vulnerable: Clear CPU buffers attempted\n",
        sys__devices__system__cpu__vulnerabilities__meltdown="Mitigation: PTI\n",
        proc__meminfo="MemTotal: 2048 kB\nMemAvailable:  1024 kB\nHugePages_Total: 5\n",
        proc__cpuinfo="flags : fpu hypervisor\n",
        proc__sys__user__max_user_namespaces="0\n",
        dev__kvm="",
    )
    facts = gather(tmp_path)
    assert (facts.ksm, facts.smt_control, facts.smt_active, facts.vulnerable) == ("1", "on", "1", ("mds",))
    assert (facts.memory_bytes, facts.available_bytes) == (2 * 2**20, 2**20)
    assert facts.sysctls == {"user.max_user_namespaces": "0"}
    assert facts.kvm.present and facts.kvm.nested and not facts.kvm.pvm
    assert facts.kvm.error == "Inappropriate ioctl for device"


def test_swap_that_is_encrypted_or_in_memory_is_told_apart(tmp_path: Path) -> None:
    write(
        tmp_path,
        **{
            "sys__class__block__dm-1__dm__uuid": "CRYPT-PLAIN-swap",
            "sys__class__block__dm-2__dm__uuid": "LVM-abc",
            "sys__class__block__zram1__backing_dev": "/dev/sdb1",
            "sys__class__block__dm-0__dm__uuid": "CRYPT-LUKS2-sda3_crypt",
            # logical volumes: of a volume group on LUKS, of one of which a half is open, of itself
            "sys__class__block__dm-3__dm__uuid": "LVM-def",
            "sys__class__block__dm-3__slaves__dm-0": "",
            "sys__class__block__dm-4__slaves__dm-0": "",
            "sys__class__block__dm-4__slaves__sdb2": "",
            "sys__class__block__dm-5__slaves__dm-5": "",
        },
    )
    lvm = ("/dev/dm-3", "/dev/dm-4", "/dev/dm-5")
    text = "Filename\tType\tSize\tUsed\tPriority\n" + "".join(
        f"{name}\tpartition\t100\t0\t-2\n"
        for name in ("/dev/dm-1", "/dev/dm-2", "/dev/zram0", "/dev/zram1", "/dev/sda2", "/swapfile", *lvm)
    )
    assert host_facts.swaps(text, tmp_path) == (
        Swap("/dev/dm-1", True),
        Swap("/dev/dm-2", False),
        Swap("/dev/zram0", True),
        Swap("/dev/zram1", False),
        Swap("/dev/sda2", False),
        Swap("/swapfile", False),
        Swap("/dev/dm-3", True),
        Swap("/dev/dm-4", False),
        Swap("/dev/dm-5", False),
    )
    assert host_facts.swaps("") == ()


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=300))
def test_no_text_breaks_the_readers(text: str) -> None:
    host_facts.swaps(text, Path("/nonexistent"))
    assert all(value >= 0 for value in host_facts.meminfo(text).values())


def test_the_door() -> None:
    assert host_facts.is_own("127.0.0.1") and not host_facts.is_own("192.0.2.7")
    assert host_facts.door_trouble("192.0.2.7", 41000, 41999) == ""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert "no free UDP port" in host_facts.door_trouble("127.0.0.1", port, port)


def test_the_clock_is_looked_at() -> None:
    assert host_facts.clock_synchronized() in (True, False)


def test_this_host(tmp_path: Path) -> None:
    facts = host_facts.gather({"bwrap": Path("/usr/bin/bwrap")}, tmp_path / "none", LOCAL)
    assert facts.memory_bytes > facts.available_bytes > 0
    assert "bubblewrap" in facts.programs["bwrap"]


def test_a_helper_that_answers(tmp_path: Path) -> None:
    with helper() as lab:
        found = host_facts.ask(Path(lab.socket))
    assert (found.reason, found.version) == ("", WIRE_VERSION)
    assert "no firecracker" in found.jail
