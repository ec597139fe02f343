"""Every promise of `transom/drivers/contract.py`, of each driver, with real machines."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.support.machine_lab import Lab, Machine, a_claim, alive, now_ms, opened, until
from tests.support.standin_boot import HERE
from tests.support.vmm import vmm_of
from transom.drivers import remains
from transom.drivers.logs import FolderLogs
from transom.drivers.snapshots import BAD
from transom.model.errors import DriverError, Unavailable
from transom.model.ids import new_id
from transom.model.machine import MachineState
from transom.observe.host import available_bytes
from transom_wire import WIRE_VERSION
from transom_wire.codec import encode
from transom_wire.control import (
    Acknowledge,
    ClaimAnswer,
    FromGuest,
    GuestMisbehaved,
    MachineExited,
    RegisterPeer,
    ReleasePeer,
    SetDeadline,
    StopMachine,
    ToGuest,
)
from transom_wire.link import PeerAnswer, PeerOffer, Ready

pytestmark = pytest.mark.machine


async def test_probe_says_usable_and_nothing_without_a_mend(lab: Lab) -> None:
    probe = await lab.driver.probe()
    assert probe.usable, probe.problems
    assert all(each.what and each.mend for each in (*probe.problems, *probe.warnings))


async def test_create_makes_a_machine_whose_guest_becomes_ready(lab: Lab) -> None:
    async with lab.machine() as machine:
        snapshot = machine.channel.snapshot
        assert (snapshot.state, snapshot.machine) == ("running", machine.id)
        assert 42000 <= snapshot.door_port <= 42999
        await machine.hear_guest(Ready)
        await machine.reattach()
        assert {"guest", "ready"} <= machine.channel.snapshot.stages.keys()
        assert await lab.driver.observe() == {machine.id: MachineState.RUNNING}


async def test_create_again_finds_the_machine_that_runs(machine: Machine) -> None:
    lab, spec = machine.lab, machine.lab.spec(machine.id)
    keeper = lab.keeper(spec.machine)
    await lab.driver.create(spec)
    await lab.another_controller().create(spec)
    assert lab.keeper(spec.machine) == keeper


async def test_two_creates_at_once_make_one_machine(lab: Lab) -> None:
    spec = lab.spec()
    other = lab.another_controller()
    done = await asyncio.gather(lab.driver.create(spec), other.create(spec), return_exceptions=True)
    assert None in done, done
    await lab.driver.create(spec)
    assert lab.keeper(spec.machine)
    await lab.driver.destroy(spec.machine, keep_folder=False)


async def test_create_after_one_that_was_cut_short(lab: Lab) -> None:
    spec = lab.spec()
    folder = lab.folder / spec.machine
    folder.mkdir(parents=True)
    (folder / "keeper.sock").touch()
    (folder / "keeper.log").write_text("half")
    async with lab.machine(spec) as machine:
        assert machine.channel.snapshot.state == "running"


async def test_create_of_a_machine_that_has_ended_is_refused(lab: Lab) -> None:
    spec = lab.spec()
    async with lab.machine(spec) as machine:
        await machine.channel.send(StopMachine(reason="test"))
        await machine.hear(lambda each: isinstance(each, MachineExited))
        await until(lambda: lab.dead(machine.id), "the machine to end")
        with pytest.raises(DriverError, match="ended"):
            await lab.driver.create(spec)


async def test_a_cancelled_create_leaves_nothing_that_destroy_does_not_remove(lab: Lab) -> None:
    spec = lab.spec()
    creating = asyncio.ensure_future(lab.driver.create(spec))
    await until(lambda: (lab.folder / spec.machine).exists(), "the folder")
    creating.cancel()
    await asyncio.gather(creating, return_exceptions=True)
    await lab.driver.destroy(spec.machine, keep_folder=False)
    await until(lambda: not lab.remains(spec.machine), "nothing left")


async def test_a_failed_create_says_why_and_leaves_nothing_that_runs(lab: Lab) -> None:
    broken = lab.another_controller(guest=lab.state / "nowhere-at-all")
    spec = lab.spec()
    with pytest.raises(DriverError, match="nowhere-at-all"):
        await broken.create(spec)
    assert lab.processes(spec.machine) == []
    await lab.driver.destroy(spec.machine, keep_folder=False)
    assert lab.remains(spec.machine) == []


async def test_the_log_of_a_start_that_failed_is_there_until_the_machine_is_destroyed(lab: Lab) -> None:
    spec, driver = lab.spec(warm=True), lab.another_controller()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        driver._host = replace(driver._host, door_ports=(port, port))
        with pytest.raises(DriverError, match="no free UDP port"):
            await driver.create(spec)
    assert lab.processes(spec.machine) == []
    assert "no free UDP port" in await FolderLogs(lab.folder).read(spec.machine)
    await lab.driver.create(spec)
    assert await lab.driver.observe() == {spec.machine: MachineState.RUNNING}
    await lab.driver.destroy(spec.machine, keep_folder=False)
    assert lab.remains(spec.machine) == []


@pytest.mark.parametrize(
    "name", ["", "..", "../../etc", "ses_" + "a" * 20, "mch_short", "mch_" + "a" * 19 + "/"]
)
async def test_a_name_that_is_no_machine_never_becomes_a_path(lab: Lab, name: str) -> None:
    with pytest.raises(DriverError):
        await lab.driver.destroy(name, keep_folder=False)
    with pytest.raises(Unavailable):
        await lab.driver.attach(name)
    with pytest.raises(Unavailable):
        await lab.driver.open_stream(name, "vnc")


async def test_attach_and_streams_of_a_machine_that_never_was(lab: Lab) -> None:
    with pytest.raises(Unavailable):
        await lab.driver.attach(new_id("mch"))
    with pytest.raises(Unavailable):
        await lab.driver.open_stream(new_id("mch"), "vnc")
    await lab.driver.destroy(new_id("mch"), keep_folder=False)
    await lab.driver.purge(new_id("mch"))


async def test_the_newest_controller_wins(machine: Machine) -> None:
    older = machine.channel
    machine.channel = await machine.lab.another_controller().attach(machine.id)
    async with asyncio.timeout(10):
        async for _ in older.messages():
            pass
    await older.close()
    assert "uid=1000" in await machine.inside("import os; print(f'uid={os.getuid()}')")


async def test_what_was_not_acknowledged_comes_again_and_the_rest_does_not(lab: Lab) -> None:
    async with lab.machine() as machine:
        await machine.ready()
        offer = PeerOffer(peer="per_a", epoch=1, sdp="print('kept')")
        await machine.channel.send(ToGuest(role="webrtc", body=encode(offer)))
        first = await machine.hear(lambda each: opened(each, PeerAnswer) is not None)
        await machine.reattach()
        again = await machine.hear(lambda each: opened(each, PeerAnswer) is not None)
        assert (again.number, again.body) == (first.number, first.body)
        await machine.channel.send(Acknowledge(number=again.number))
        assert "later" in await machine.inside("print('later')")
        machine.heard.clear()
        await machine.reattach()
        assert "last" in await machine.inside("print('last')")
        numbers = [each.number for each in machine.heard if isinstance(each, FromGuest)]
        assert all(number > again.number for number in numbers)


async def test_streams_carry_bytes_both_ways_several_at_once(machine: Machine) -> None:
    streams = await asyncio.gather(*(machine.lab.driver.open_stream(machine.id, "vnc") for _ in range(3)))
    payload = os.urandom(200_000).hex().encode()

    async def echoed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(payload)
        back = await reader.readexactly(len(payload))
        writer.close()
        return back

    async with asyncio.timeout(30):
        assert await asyncio.gather(*(echoed(*each) for each in streams)) == [payload.upper()] * 3


async def test_a_stream_ends_with_its_machine_s_controller_or_not(lab: Lab) -> None:
    async with lab.machine() as machine:
        await machine.ready()
        reader, writer = await lab.another_controller().open_stream(machine.id, "vnc")
        await machine.channel.close()
        writer.write(b"alone")
        assert await reader.readexactly(5) == b"ALONE"
        await lab.driver.destroy(machine.id, keep_folder=False)
        assert await reader.read() == b""
        writer.close()


async def test_a_peer_is_registered_with_the_door_and_released(machine: Machine) -> None:
    register = RegisterPeer(
        peer="per_x",
        guest_ufrag="gfrag",
        guest_password="p" * 24,
        viewer_ufrag="vfrag",
        agent_port=5000,
    )
    await machine.channel.send(register)
    await machine.look(lambda seen: seen.peers == ("per_x",))
    await machine.channel.send(ReleasePeer(peer="per_x"))
    await machine.look(lambda seen: seen.peers == ())


async def test_stop_is_answered_noted_and_the_keeper_leaves(lab: Lab) -> None:
    spec = lab.spec()
    async with lab.machine(spec) as machine:
        await machine.channel.send(StopMachine(reason="enough"))
        exited = await machine.hear(lambda each: isinstance(each, MachineExited))
        assert "enough" in exited.reason
        await until(lambda: not lab.processes(machine.id), "the keeper to leave")
        assert json.loads((lab.folder / machine.id / "exit.json").read_text())["reason"] == exited.reason
        assert not (lab.folder / machine.id / "keeper.sock").exists()
        assert await lab.driver.observe() == {machine.id: MachineState.GONE}


async def test_an_exited_machine_can_be_asked_why(lab: Lab) -> None:
    """The keeper stays for a controller that comes late; what the guest said is not lost."""
    async with lab.machine() as machine:
        await machine.hear_guest(Ready)
        await machine.channel.close()
        await asyncio.to_thread(os.kill, init_of(lab, machine.id), signal.SIGKILL)
        await until(lambda: lab.dead(machine.id), "the machine to end")
        assert await lab.driver.observe() == {machine.id: MachineState.GONE}
        machine.channel = await lab.driver.attach(machine.id)
        assert machine.channel.snapshot.state == "exited"
        machine.heard.clear()
        await machine.hear(lambda each: isinstance(each, MachineExited))
        assert any(opened(each, Ready) for each in machine.heard)


def init_of(lab: Lab, machine: str) -> int:
    """The first process inside: the sandbox's innermost that the host can name."""
    keeper = lab.keeper(machine)
    return max(pid for pid in lab.processes(machine) if pid != keeper)


async def test_the_guest_s_own_end_is_reported(lab: Lab) -> None:
    async with lab.machine() as machine:
        await machine.ready()
        code = PeerOffer(peer="per_b", epoch=9, sdp="import os; os.kill(os.getppid(), 9)")
        await machine.channel.send(ToGuest(role="webrtc", body=encode(code)))
        exited = await machine.hear(lambda each: isinstance(each, MachineExited))
        assert "signal 9" in exited.reason or "virtual machine ended" in exited.reason


async def test_the_deadline_ends_a_machine_that_nobody_watches(lab: Lab) -> None:
    spec = lab.spec(seconds=1.0)
    await lab.driver.create(spec)
    await until(lambda: lab.dead(spec.machine), "the deadline")
    assert "deadline" in (lab.folder / spec.machine / "exit.json").read_text()


async def test_the_deadline_moves_both_ways(lab: Lab) -> None:
    async with lab.machine(lab.spec(seconds=600)) as machine:
        later = now_ms() + 900_000
        await machine.channel.send(SetDeadline(deadline=later))
        await machine.look(lambda seen: seen.deadline == later)
        await machine.channel.send(SetDeadline(deadline=now_ms() + 100))
        exited = await machine.hear(lambda each: isinstance(each, MachineExited))
        assert "deadline" in exited.reason


async def test_a_killed_keeper_takes_its_machine_along(lab: Lab) -> None:
    spec = lab.spec()
    await lab.driver.create(spec)
    inside = [pid for pid in lab.processes(spec.machine) if pid != lab.keeper(spec.machine)]
    assert inside
    os.kill(lab.keeper(spec.machine), signal.SIGKILL)
    await until(lambda: not any(alive(pid) for pid in inside), "the machine to die")
    assert (lab.folder / spec.machine / "keeper.sock").exists()
    assert await lab.driver.observe() == {spec.machine: MachineState.GONE}
    with pytest.raises(Unavailable):
        await lab.driver.attach(spec.machine)
    await lab.driver.destroy(spec.machine, keep_folder=False)
    assert lab.remains(spec.machine) == []
    assert await lab.driver.observe() == {}


async def test_a_hung_keeper_is_destroyed_too(lab: Lab) -> None:
    spec = lab.spec()
    await lab.driver.create(spec)
    os.kill(lab.keeper(spec.machine), signal.SIGSTOP)
    await lab.driver.destroy(spec.machine, keep_folder=False)
    assert lab.remains(spec.machine) == []


CREATOR = """
import asyncio, pickle, sys
lab, machine = pickle.loads(sys.stdin.buffer.read())
async def main():
    await lab.driver.create(lab.spec(machine))
    channel = await lab.driver.attach(machine)
    print("made", flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


async def test_a_killed_creator_leaves_a_machine_that_another_adopts(lab: Lab) -> None:
    machine = lab.spec().machine
    creator = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CREATOR),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert creator.stdin is not None and creator.stdout is not None
    creator.stdin.write(pickle.dumps((lab, machine)))
    creator.stdin.close()
    assert await asyncio.wait_for(creator.stdout.readline(), 60) == b"made\n"
    os.killpg(creator.pid, signal.SIGKILL)
    await creator.wait()
    assert await lab.driver.observe() == {machine: MachineState.RUNNING}
    channel = await lab.driver.attach(machine)
    assert channel.snapshot.state == "running"
    await channel.close()
    await lab.driver.destroy(machine, keep_folder=False)
    assert lab.remains(machine) == []


async def test_orphans_are_found_without_a_folder(lab: Lab) -> None:
    spec = lab.spec()
    await lab.driver.create(spec)
    remains.remove_folder(lab.folder / spec.machine)
    assert await lab.driver.observe() == {spec.machine: MachineState.GONE}
    await lab.driver.destroy(spec.machine, keep_folder=False)
    assert await lab.driver.observe() == {}


async def test_another_state_folder_s_machines_are_not_ours(machine: Machine) -> None:
    stranger = machine.lab.another_controller(folder=machine.lab.state / "other" / "machines")
    assert await stranger.observe() == {}


async def test_a_kept_folder_holds_logs_and_no_socket_until_purged(lab: Lab) -> None:
    spec = lab.spec()
    async with lab.machine(spec) as machine:
        await machine.hear_guest(Ready)
    await lab.driver.create(spec2 := lab.spec())
    await lab.driver.destroy(spec2.machine, keep_folder=True)
    await lab.driver.destroy(spec2.machine, keep_folder=True)
    kept = {each.name for each in (lab.folder / spec2.machine).iterdir()}
    assert {"keeper.log", "exit.json"} <= kept and "keeper.sock" not in kept
    assert (lab.folder / spec2.machine).stat().st_uid == os.geteuid()
    assert await lab.driver.observe() == {spec2.machine: MachineState.GONE}
    await lab.driver.purge(spec2.machine)
    await lab.driver.purge(spec2.machine)
    assert await lab.driver.observe() == {}


async def test_twenty_lives_leave_nothing(lab: Lab) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20 if lab.making is None else 5):
        spec = lab.spec(slot=1)
        await lab.driver.create(spec)
        await lab.driver.destroy(spec.machine, keep_folder=False)
        assert lab.remains(spec.machine) == []
    assert await lab.driver.observe() == {}
    assert len(os.listdir("/proc/self/fd")) <= before + 2


@pytest.mark.only("namespace")
async def test_a_machine_is_there_quickly(lab: Lab) -> None:
    """From the call to the guest's Hello: 0.2 s on a quiet host; the bound is for a loaded one."""
    took = []
    for _ in range(3):
        began = time.time()
        async with lab.machine() as machine:
            await machine.ready()
            took.append(int(machine.channel.snapshot.stages["guest"]) / 1000 - began)
    assert min(took) < 2.0


@pytest.mark.parametrize(
    ("role", "lines", "reason"),
    [
        ("signin", "say(b'not json')", "not JSON"),
        ("signin", 'say(b\'{"type": "ready", "width": 640, "height": 480}\')', "unexpected"),
        ("signin", "link.sendall(b'\\xff' * 4)", "frame"),
        ("signin", '[say(b\'{"type": "ping"}\') for _ in range(1000)]', "floods"),
    ],
)
async def test_a_guest_that_breaks_the_rules_is_cut_off_and_reported(
    machine: Machine, role: str, lines: str, reason: str
) -> None:
    code = f"""
import os, socket, struct, json, time
host, _, port = os.environ["TRANSOM_LINK"].rpartition(":")
link = socket.create_connection((host, int(port)))
def say(body):
    link.sendall(struct.pack("!I", len(body)) + body)
say(json.dumps(dict(type="hello", version={WIRE_VERSION}, role={role!r}, token=os.environ["TOKEN"])).encode())
try:
    {lines}
    while link.recv(4096): pass
except ConnectionError: pass
print("cut off")
"""
    assert "cut off" in await machine.inside(code)
    reports = [each for each in machine.heard if isinstance(each, GuestMisbehaved)]
    assert reports and reports[0].role == role and reason in reports[0].reason
    assert "fine" in await machine.inside("print('fine')")


async def test_strangers_on_the_link_are_closed_without_a_word(machine: Machine) -> None:
    """A page in the machine's browser, a wrong token, the boot token again: nothing is said, nothing breaks."""
    code = """
import os, socket, struct, json
host, _, port = os.environ["TRANSOM_LINK"].rpartition(":")
def ask(data):
    with socket.create_connection((host, int(port))) as link:
        link.sendall(data)
        try: return link.recv(4096)
        except ConnectionError: return b""
def hello(**fields):
    body = json.dumps(dict(dict(type="hello", version=VERSION, role="webrtc", token="x" * 32), **fields)).encode()
    return struct.pack("!I", len(body)) + body
print([ask(b"GET / HTTP/1.1\\r\\nHost: 127.0.0.1:4001\\r\\n\\r\\n"), ask(hello()), ask(hello(role="boot")),
       ask(hello(version=99)), ask(b"\\0\\0\\0\\0"), ask(b"\\xff\\xff\\xff\\xff")])
"""
    before = int(machine.channel.snapshot.counters["link_garbage"])
    assert await machine.inside(f"VERSION = {WIRE_VERSION}\n{code}") == str([b""] * 6) + "\n"
    await machine.reattach()
    assert machine.channel.snapshot.roles == ("boot", "webrtc")
    assert int(machine.channel.snapshot.counters["link_garbage"]) >= before + 6


@pytest.mark.needs("warm")
async def test_a_warm_machine_waits_without_identity_and_is_claimed_once(lab: Lab) -> None:
    async with lab.machine(lab.spec(warm=True)) as machine:
        await machine.parked()
        assert machine.channel.snapshot.session is None
        claim = a_claim(new_id("ses"))
        assert await machine.claim(claim) == ClaimAnswer(session=claim.session, accepted=True)
        assert await machine.claim(claim) == ClaimAnswer(session=claim.session, accepted=True)
        other = await machine.claim(a_claim(new_id("ses")))
        assert not other.accepted and other.reason
        await machine.reattach()
        assert machine.channel.snapshot.session == claim.session
        assert machine.channel.snapshot.deadline == claim.deadline
        assert "fine" in await machine.inside("print('fine')")


WHO = f"""{HERE}
import hashlib, json, os, platform, random, ssl, time, uuid
from transom_guest.stream.certificate import make
from transom_wire.sealing import seal
def read(path):
    with open(path) as file: return file.read().strip()
print(json.dumps({{
    "drawn": DRAWN,
    "clock": time.time(),
    "kernel": os.urandom(16).hex(),
    "uuid": str(uuid.uuid4()),
    "python": random.getrandbits(64),
    "openssl": ssl.RAND_bytes(16).hex(),
    "certificate": make().fingerprint,
    "sealing key": seal(bytes([9]) + bytes(31), b"", b"").wrapped_key[:32].hex(),
    "link token": hashlib.sha256(TOKEN.encode()).hexdigest(),
    "machine-id": read("/etc/machine-id"),
    "host name": platform.node(),
    "its file": read("/etc/hostname"),
}}))
"""
CLONES = int(os.environ.get("TRANSOM_TEST_CLONES", "5"))
"""As many at one time as fit into half of the memory there is, and the others after them; a hundred, by
`make test-clones`, take minutes."""
CLOCK_SECONDS = 1.5
"""What a claimed clock may be off beyond the time its claim took: emulated ones drift. One that was not set is late by
all that went between its save and its restore."""
AT_ONCE = 3
"""Clones that are being woken up."""


@pytest.mark.needs("warm")
@pytest.mark.timeout(max(900, 20 * CLONES))
async def test_clones_have_nothing_in_common_that_they_should_not(lab: Lab) -> None:
    """Saved once and woken up many times, where there are snapshots: random streams of kernel, Python and OpenSSL in a
    process that has drawn from them before, keys, machine-id and host name are each one's own, and the time is now."""
    fitting = available_bytes() // 2 // lab.spec().limits.memory_bytes
    most = max(3, min(CLONES, fitting))
    room, waking, full = asyncio.Semaphore(most), asyncio.Semaphore(AT_ONCE), asyncio.Event()
    seen: list[dict[str, object]] = []

    async def live() -> None:
        async with room, contextlib.AsyncExitStack() as life:
            async with waking:
                machine = await life.enter_async_context(lab.machine(lab.spec(warm=True)))
                claim = replace(a_claim(new_id("ses")), hostname=machine.id.replace("_", "-"))
                await machine.parked()
                claimed_at = time.time()
                assert (await machine.claim(claim)).accepted
                seen.append(json.loads(await machine.inside(WHO)))
                clock = seen[-1].pop("clock")
                assert claimed_at - CLOCK_SECONDS < clock < time.time() + CLOCK_SECONDS
                names = [seen[-1][each] for each in ("machine-id", "host name", "its file")]
                assert names == [claim.machine_id, claim.hostname, claim.hostname]
            if len(seen) >= most:
                full.set()
            await full.wait()

    began = time.monotonic()
    async with asyncio.TaskGroup() as clones:
        for _ in range(max(3, CLONES)):
            clones.create_task(live())
    took = time.monotonic() - began
    alike = max(Counter(str(each.pop("drawn")) for each in seen).values())
    print(f"{len(seen)} machines, {alike} alike before their claim, {most} at one time, in {took:.0f} s")
    if lab.driver.flags.snapshot:  # on a busy host a clone may be late, and is booted
        assert alike > len(seen) // 2, "they are no clones of one machine"
    else:
        assert alike == 1
    for name in seen[0]:
        assert len({each[name] for each in seen}) == len(seen), name


@pytest.mark.needs("snapshot")
async def test_programs_in_a_virtual_machine_may_make_sandboxes_of_their_own(lab: Lab) -> None:
    """With a /proc of their own: the kernel gives none to a namespace where a part of /proc is covered."""
    nested = """
import subprocess
argv = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount", "--mount-proc", "true"]
print(subprocess.run(argv, capture_output=True, text=True))
"""
    async with lab.machine() as machine:
        assert "returncode=0" in await machine.inside(nested)


@pytest.mark.needs("snapshot")
async def test_prepare_again_does_nothing_and_no_clone_writes_to_the_snapshot(machine: Machine) -> None:
    lab = machine.lab
    await lab.driver.prepare(lab.image.digest)  # on a busy host two late clones may have had it set aside
    before = snapshot_files(lab)
    assert before, "the lab is prepared"
    await lab.driver.prepare(lab.image.digest)
    await machine.inside("open('/tmp/x', 'w').write('x' * 10**6)")
    assert snapshot_files(lab) == before


def snapshot_files(lab: Lab) -> dict[str, tuple[int, int, str]]:
    """Every file of the lab's snapshots: size, time, digest."""
    found = {}
    for path in sorted(lab.snapshots.rglob("*")):
        if path.is_file():
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            found[str(path)] = (path.stat().st_size, path.stat().st_mtime_ns, digest)
    return found


@pytest.mark.needs("snapshot")
async def test_a_restore_that_fails_becomes_a_boot(lab: Lab) -> None:
    """Of the same machine, which says so; and the broken snapshot stays as it is."""
    with broken_snapshot(lab):
        before = snapshot_files(lab)
        async with lab.machine(lab.spec(warm=True)) as machine:
            await machine.parked()
            warnings = machine.channel.snapshot.warnings
            assert any(each.startswith("booted, for its restore failed: ") for each in warnings), warnings
            claim = a_claim(new_id("ses"))
            assert (await machine.claim(claim)).accepted
            assert "fine" in await machine.inside("print('fine')")
        assert snapshot_files(lab) == before


@contextlib.contextmanager
def broken_snapshot(lab: Lab) -> Iterator[None]:
    """Of the saved state the second half is zeros for a while: as on a disk that lost what was written."""
    (state,) = (each for each in lab.snapshots.rglob("state") if not each.parent.name.startswith(BAD))
    aside = state.with_name("aside")
    state.rename(aside)
    try:
        size = aside.stat().st_size
        state.write_bytes(aside.read_bytes()[: size // 2])
        os.truncate(state, size)
        yield
    finally:
        aside.replace(state)


@pytest.mark.needs("own_kernel")
async def test_the_guest_s_kernel_is_not_the_host_s(machine: Machine) -> None:
    assert os.uname().release not in await machine.inside("import os; print(os.uname().release)")


@pytest.mark.needs("own_kernel")
async def test_a_killed_vmm_is_its_machine_s_end(lab: Lab) -> None:
    async with lab.machine() as machine:
        vmm = vmm_of(lab, machine.id)
        assert vmm is not None
        os.kill(vmm, signal.SIGKILL)
        exited = await machine.hear(lambda each: isinstance(each, MachineExited))
        assert exited.reason


@pytest.mark.needs("snapshot")
async def test_killed_at_random_points_of_its_start_a_machine_leaves_nothing(lab: Lab) -> None:
    for number in range(6):
        spec = lab.spec(warm=True)
        creating = asyncio.ensure_future(lab.driver.create(spec))
        await until(lambda machine=spec.machine: lab.processes(machine), "a process")  # type: ignore[misc]
        await asyncio.sleep(number * 0.15)
        for pid in lab.processes(spec.machine):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await asyncio.gather(creating, return_exceptions=True)
        await lab.driver.destroy(spec.machine, keep_folder=False)
        assert lab.remains(spec.machine) == []
    assert await lab.driver.observe() == {}
