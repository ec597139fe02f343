"""What a hostile guest cannot do, tried from inside: as the machine's user, and as root of a namespace of its own."""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from textwrap import dedent

import pytest

from tests.support.image import GoldenImage
from tests.support.machine_lab import LIMITS, Lab, Machine, state_folder
from tests.support.unasked import not_asked
from transom.drivers import remains
from transom.model.ids import new_id
from transom_keeper.sandbox import argv0, tag_of
from transom_wire.control import RegisterPeer
from transom_wire.exit import DIRECT

pytestmark = pytest.mark.machine

QUOTAS = ("cpu.max", "cpu.cfs_quota_us")
"""Of control groups, versions 2 and 1."""
PRELUDE = """
import ctypes, errno, json, os, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *args):
    done = libc.syscall(number, *args)
    return 0 if done >= 0 else ctypes.get_errno()
def outcome(act):
    try: act()
    except OSError as error: return error.errno
    return 0
"""
NESTED = """
import subprocess
inner = {code!r}
done = subprocess.run(["unshare", "-Urn", sys.executable, "-c", inner], capture_output=True, text=True)
print(done.stdout + done.stderr)
"""


@pytest.fixture
async def machine(golden_image: GoldenImage, standin: Path) -> AsyncIterator[Machine]:
    lab = Lab(state_folder(), golden_image, standin)
    async with lab.machine() as made:
        yield made
    await lab.close()


async def tell(machine: Machine, code: str, *, nested: bool = False) -> object:
    """What `code` prints as JSON, run by the machine's user or by root of a user namespace nested in it."""
    code = PRELUDE + dedent(code)
    said = await machine.inside(PRELUDE + NESTED.format(code=code) if nested else code)
    try:
        return json.loads(said)
    except ValueError:
        raise AssertionError(said) from None


both = pytest.mark.parametrize("nested", [False, True], ids=["user", "nested root"])


@both
async def test_address_families_that_no_namespace_holds_are_refused(machine: Machine, nested: bool) -> None:
    """AF_PACKET, AF_VSOCK, AF_ALG, AF_BLUETOOTH, AF_CAN, AF_TIPC, AF_XDP, AF_RDS, AF_KCM, AF_SMC, AF_NFC."""
    families = [17, 40, 38, 31, 29, 30, 44, 21, 41, 43, 39, 3, 4, 9, 24]
    code = f"""
    kinds = (socket.SOCK_DGRAM, socket.SOCK_STREAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET)
    print(json.dumps(sorted({{outcome(lambda: socket.socket(family, kind))
        for family in {families} for kind in kinds}})))
    """
    assert await tell(machine, code, nested=nested) == [errno.EAFNOSUPPORT]


@both
async def test_rare_protocols_are_refused_and_common_ones_work(machine: Machine, nested: bool) -> None:
    code = """
    inet, stream, dgram = socket.AF_INET, socket.SOCK_STREAM, socket.SOCK_DGRAM
    rare = [(inet, stream, 132), (inet, stream, 262), (inet, 6, 33), (inet, 5, 0), (inet, dgram, 136),
            (socket.AF_INET6, stream, 132), (16, dgram, 12), (16, dgram, 6), (16, dgram, 4)]
    common = [(inet, stream, 0), (inet, stream | socket.SOCK_CLOEXEC, 6), (socket.AF_INET6, dgram, 17), (1, stream, 0),
              (16, socket.SOCK_RAW, 0)]
    print(json.dumps([[outcome(lambda: socket.socket(*each)) for each in group] for group in (rare, common)]))
    """
    rare, common = await tell(machine, code, nested=nested)  # type: ignore[misc]
    assert set(rare) <= {errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT}
    assert set(common) == {0}


@both
async def test_no_packet_has_a_way_out(machine: Machine, nested: bool) -> None:
    """TCP and UDP, IPv4 and IPv6, the metadata address, multicast, broadcast, the host."""
    code = """
    places = [("1.1.1.1", 53), ("169.254.169.254", 80), ("10.0.0.1", 80), ("192.168.100.1", 80), ("224.0.0.251", 5353),
              ("2606:4700:4700::1111", 53), ("fe80::1", 80), ("ff02::fb", 5353), ("fd00::1", 80)]
    seen = set()
    for address, port in places:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(family, kind) as out:
                out.settimeout(2)
                seen.add(outcome(lambda: out.connect((address, port))))
    print(json.dumps(sorted(seen)))
    """
    allowed = {errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EINVAL}
    seen = await tell(machine, code, nested=nested)
    assert errno.ENETUNREACH in seen and set(seen) <= allowed  # type: ignore[operator, call-overload]


async def test_the_only_interface_is_loopback_and_the_host_s_ports_are_not_there(machine: Machine) -> None:
    async def answer(_: object, writer: object) -> None:
        writer.close()  # type: ignore[attr-defined]

    import asyncio

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    code = f"""
    names = [name for _, name in socket.if_nameindex()]
    print(json.dumps([names, outcome(lambda: socket.create_connection(("127.0.0.1", {port}), 2))]))
    """
    assert await tell(machine, code) == [["lo"], errno.ECONNREFUSED]
    server.close()


@both
async def test_io_uring_and_the_kernel_s_back_rooms_are_shut(machine: Machine, nested: bool) -> None:
    code = """
    room = ctypes.create_string_buffer(256)
    names = dict(io_uring_setup=425, io_uring_enter=426, io_uring_register=427, keyctl=250, add_key=248,
                 request_key=249, bpf=321, perf_event_open=298, userfaultfd=323, mount=165, fsopen=430,
                 open_tree=428, kexec_load=246, init_module=175, open_by_handle_at=304)
    arm = dict(keyctl=219, add_key=217, request_key=218, bpf=280, perf_event_open=241, userfaultfd=282, mount=40,
               kexec_load=104, init_module=105, open_by_handle_at=265)
    if os.uname().machine == "aarch64": names |= arm
    print(json.dumps({name: call(number, 0, room, 0, 0, 0) for name, number in names.items()}))
    """
    refused = await tell(machine, code, nested=nested)
    assert set(refused.values()) <= {errno.EPERM, errno.ENOSYS}  # type: ignore[attr-defined]
    assert refused["io_uring_setup"] == errno.ENOSYS  # type: ignore[index]


@pytest.mark.parametrize("nested", [False, True], ids=["user", "nested root"])
async def test_the_32_bit_door_to_sockets_kills(machine: Machine, nested: bool) -> None:
    """`int 0x80` with socketcall would not pass by the filter's numbers; the process is killed instead."""
    if os.uname().machine != "x86_64":
        not_asked("test_the_32_bit_door_to_sockets_kills", "this processor has no such door")
        return
    code = """
    import mmap, signal
    # mov eax, 102 (socketcall); mov ebx, 1; int 0x80; ret
    code = bytes.fromhex("b866000000" "bb01000000" "cd80" "c3")
    room = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    room.write(code)
    pid = os.fork()
    if pid == 0:
        ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(room)))()
        os._exit(0)
    x32 = call(0x40000000 + 41, 2, 1, 0)
    print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), x32]))
    """
    assert await tell(machine, code, nested=nested) == [-31, errno.ENOSYS]


async def test_user_namespaces_still_nest(machine: Machine) -> None:
    """Chromium's own sandbox is made of them."""
    assert await tell(machine, "print(json.dumps([os.getuid(), os.getpid() > 0]))", nested=True) == [0, True]


async def test_the_machine_s_user_is_nobody_outside(machine: Machine) -> None:
    inside = await tell(
        machine,
        """
        status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
        print(json.dumps([os.getuid(), os.getgroups(), status["CapEff"].strip(), status["CapBnd"].strip(),
                          status["NoNewPrivs"].strip(), status["Seccomp"].strip(),
                          open("/proc/self/uid_map").read().split()]))
        """,
    )
    uid, groups, effective, _, no_new, seccomp, mapped = inside  # type: ignore[misc]
    assert (uid, set(groups) <= {1000}, int(effective, 16), no_new, seccomp) == (1000, True, 0, "1", "2")
    assert mapped[0] == "1000" and mapped[2] == "1"
    for pid in machine.lab.processes(machine.id):
        assert Path(f"/proc/{pid}").stat().st_uid != 0 or pid == machine.lab.keeper(machine.id)
        status = Path(f"/proc/{pid}/status").read_text()
        (uids,) = [line.split()[1:] for line in status.splitlines() if line.startswith("Uid:")]
        assert "0" not in uids


async def test_the_host_s_files_are_not_there_and_the_image_cannot_be_written(machine: Machine) -> None:
    (machine.lab.state / "canary").write_text("the host's")
    code = f"""
    probes = [{str(machine.lab.state)!r}, {str(machine.lab.image.folder)!r}, {str(Path(__file__).parents[2])!r}]
    writes = ["/etc/x", "/usr/x", "/opt/x", "/opt/transom/x", "/dev/x", "/x", "/var/lib/x", "/etc/passwd"]
    mounts = open("/proc/self/mountinfo").read()
    print(json.dumps([[os.path.exists(each) for each in probes], [outcome(lambda: open(each, "w")) for each in writes],
                      mounts.splitlines(), os.listdir("/sys")]))
    """
    seen, writes, mounts, sysfs = await tell(machine, code)  # type: ignore[misc]
    assert seen[0] is False and seen[2] is False
    assert set(writes) <= {errno.EROFS, errno.EACCES}
    assert sysfs == []
    # of what is the host's only the image, the guest's code, and the one file that its keeper writes
    assert [line.split()[4] for line in mounts if str(machine.lab.state) in line] == ["/etc/machine-id"]


async def test_what_the_guest_can_see_of_its_keeper(machine: Machine) -> None:
    """Its own processes only; no descriptor of the init's; no path of the host's in a command line."""
    code = """
    lines = [open(f"/proc/{pid}/cmdline").read() for pid in os.listdir("/proc") if pid.isdigit()]
    boot = {os.readlink(f"/proc/{os.getppid()}/fd/{fd}").split(":")[0]
            for fd in os.listdir(f"/proc/{os.getppid()}/fd")}
    print(json.dumps([lines, sorted(boot), sorted(os.environ), len(os.listdir("/run/transom"))]))
    """
    lines, descriptors, variables, _ = await tell(machine, code)  # type: ignore[misc]
    assert not any("transom_keeper" in line or str(machine.lab.state) in line for line in lines)
    assert set(descriptors) <= {"pipe", "socket", "/dev/null", "/proc/1/fd", "anon_inode"}
    assert "TRANSOM_INIT_FD" not in variables
    assert {"DISPLAY", "HTTP_PROXY", "NO_PROXY", "SESSION_ID", "TRANSOM_LINK"} <= set(variables)


async def test_each_machine_has_an_id_of_its_own(machine: Machine) -> None:
    code = """
    names = ["/etc/machine-id", "/proc/sys/kernel/random/boot_id"]
    print(json.dumps([[open(name).read() for name in names], socket.gethostname()]))
    """
    first, name = await tell(machine, code)  # type: ignore[misc]
    async with machine.lab.machine() as other:
        second, another = await tell(other, code)  # type: ignore[misc]
    assert first[0] != second[0]
    assert len({first[1], second[1], Path("/proc/sys/kernel/random/boot_id").read_text()}) == 3
    assert [len(each) for each in first] == [33, 37]
    assert [name, another] == [each.id.replace("_", "-") for each in (machine, other)]


@both
async def test_nobody_inside_writes_who_the_machine_is(machine: Machine, nested: bool) -> None:
    """What its keeper can write anew without a mount, nothing inside can write, mount over or put aside."""
    code = """
    import mmap
    MS_REMOUNT, MS_BIND = 32, 4096
    def mapped(name):
        with open(name) as file: mmap.mmap(file.fileno(), 1, mmap.MAP_SHARED, mmap.PROT_WRITE)
    def by_descriptor(name):
        with open(name) as file: os.open(f"/proc/self/fd/{file.fileno()}", os.O_RDWR)
    def mounted(name, flags):
        if libc.mount(b"/tmp", name.encode(), None, flags, None): raise OSError(ctypes.get_errno(), "")
    came = {}
    for name in ("/etc/machine-id", "/etc/hostname", "/proc/sys/kernel/random/boot_id"):
        before = open(name).read()
        came[name] = [outcome(act) for act in (
            lambda: open(name, "r+"), lambda: os.chmod(name, 0o666), lambda: os.unlink(name),
            lambda: os.rename(name, "/tmp/x"), lambda: os.truncate(name, 0), lambda: mapped(name),
            lambda: by_descriptor(name), lambda: mounted(name, MS_BIND), lambda: mounted(name, MS_BIND | MS_REMOUNT))]
        came[name].append(open(name).read() == before)
    print(json.dumps(came))
    """
    for name, outcomes in (await tell(machine, code, nested=nested)).items():  # type: ignore[attr-defined]
        *refused, same = outcomes
        assert same is True and 0 not in refused, (name, outcomes)


async def test_two_machines_do_not_see_one_another(machine: Machine) -> None:
    async with machine.lab.machine() as other:
        await machine.inside(
            "open('/tmp/planted', 'w').write('x'); open('/home/user/planted', 'w').write('x')"
        )
        seen = "print(json.dumps([os.path.exists('/tmp/planted'), os.path.exists('/home/user/planted')]))"
        assert await tell(machine, seen) == [True, True]
        assert await tell(other, seen) == [False, False]
        uids = {Path(f"/proc/{lab_pid}").stat().st_uid for lab_pid in inside_pids(machine)}
        others = {Path(f"/proc/{lab_pid}").stat().st_uid for lab_pid in inside_pids(other)}
        assert os.geteuid() != 0 or not uids & others


def inside_pids(machine: Machine) -> list[int]:
    keeper = machine.lab.keeper(machine.id)
    return [pid for pid in machine.lab.processes(machine.id) if pid != keeper]


async def test_a_guest_s_process_passes_for_no_other_machine(machine: Machine) -> None:
    """Names are free to choose: a hundred keepers that are none would each be waited for as orphans."""
    other, folder = new_id("mch"), machine.lab.folder
    sleep = ("-c", "import time; time.sleep(600)")
    keeper = ("python3", *sleep, "transom_keeper", "--machine", other, "--folder", str(folder / other))
    names = [(argv0(other, tag_of(folder / other)), *sleep), keeper]
    code = f"""
    import subprocess
    for words in {names!r}:
        subprocess.Popen(words, executable="/usr/bin/python3", stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    print(json.dumps("started"))
    """
    assert await tell(machine, code) == "started"
    assert sum(other in line for line in _command_lines()) == len(names)
    assert set(await machine.lab.driver.observe()) == {machine.id}
    assert len(machine.lab.processes(machine.id)) >= 2


def _command_lines() -> list[str]:
    """Of the processes there are now; one that ends meanwhile is left out."""
    lines = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            lines.append(Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace"))
    return lines


async def test_memory_is_bounded_where_the_host_can(machine: Machine) -> None:
    """A guest that takes too much loses a process of its own; the keeper and the machine live on."""
    if without := [each for each in machine.channel.snapshot.warnings if "no memory limit" in each]:
        not_asked("test_memory_is_bounded_where_the_host_can", without[0])
        return
    code = """
    pid = os.fork()
    if pid == 0:
        open("/proc/self/oom_score_adj", "w").write("1000")
        hoard = [bytearray(os.urandom(1)) * (64 << 20) for _ in range(64)]
        os._exit(0)
    print(json.dumps(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])))
    """
    assert await tell(machine, code) == -9
    assert "alive" in await machine.inside("print('alive')")


async def test_processes_are_bounded_where_the_host_can(machine: Machine) -> None:
    if without := [each for each in machine.channel.snapshot.warnings if "no pids limit" in each]:
        not_asked("test_processes_are_bounded_where_the_host_can", without[0])
        return
    code = """
    made = []
    try:
        while len(made) < 400:
            pid = os.fork()
            if pid == 0:
                import time; time.sleep(60)
            made.append(pid)
    except BlockingIOError: pass
    for pid in made: os.kill(pid, 9)
    for pid in made: os.waitpid(pid, 0)
    print(json.dumps(len(made)))
    """
    assert 0 < await tell(machine, code) < 256  # type: ignore[operator]


async def test_disk_and_processors_are_bounded(machine: Machine) -> None:
    """All that can be written is memory, each place at most half of the machine's; its share of the processors is its
    control group's, where the host has one."""
    limits = LIMITS
    code = """
    places = [line.split()[4] for line in open("/proc/self/mountinfo") if " - tmpfs " in line]
    sizes = {place: os.statvfs(place) for place in places}
    print(json.dumps({place: found.f_frsize * found.f_blocks for place, found in sizes.items()
                      if not found.f_flag & os.ST_RDONLY and os.access(place, os.W_OK)}))
    """
    sizes = await tell(machine, code)
    assert {"/tmp", "/dev/shm"} <= set(sizes)  # type: ignore[call-overload]
    assert all(0 < size <= limits.memory_bytes // 2 for size in sizes.values()), sizes  # type: ignore[attr-defined]
    if without := [each for each in machine.channel.snapshot.warnings if "no cpu limit" in each]:
        not_asked("test_disk_and_processors_are_bounded", without[0])
        return
    groups = [group for owner, group in remains.groups(machine.lab.folder) if owner == machine.id]
    said = [
        (group / name).read_text().split()[0]
        for group in groups
        for name in QUOTAS
        if (group / name).exists()
    ]
    assert said == [str(limits.cpu_millis * 100)], "microseconds of each 100,000"


async def test_no_module_is_wanted_after_the_rights_are_gone(lab: Lab) -> None:
    """What a keeper imports late it may not be able to read: each of its parts is made to work once."""
    ask = """
    import urllib.request, urllib.error
    def ask(url):
        try: return urllib.request.urlopen(url, timeout=10).status
        except urllib.error.HTTPError as error: return error.code
        except OSError as error: return str(error)
    urls = ["http://127.0.0.1:9/", "http://localhost.invalid/", "https://nowhere.invalid/"]
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = ""
    print(json.dumps([ask(url) for url in urls]))
    """
    async with lab.machine(lab.spec(exit=DIRECT)) as machine:
        answers = await tell(machine, ask)
        assert all(isinstance(each, str) or each >= 400 for each in answers)  # type: ignore[attr-defined]
        for _ in range(2):
            _, writer = await lab.driver.open_stream(machine.id, "vnc")
            writer.close()
        await knock(machine)
        log = (lab.folder / machine.id / "keeper.log").read_text()
        assert "late import" not in log, log
        assert "Traceback" not in log, log


async def knock(machine: Machine) -> None:
    """A registered peer's door, and a stranger's datagram at it."""
    register = RegisterPeer("per_x", "gfrag", "p" * 24, "vfrag", 5000)
    await machine.channel.send(register)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        snapshot = machine.channel.snapshot
        for datagram in (b"x", b"\0\1\0\0\x21\x12\xa4\x42" + bytes(12), b""):
            stranger.sendto(datagram, (snapshot.door_address, snapshot.door_port))
    await machine.reattach()
    assert machine.channel.snapshot.peers == ("per_x",)
