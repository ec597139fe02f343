"""Every promise of `transom/drivers/contract.py`, against the namespace driver and real sandboxes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.support.machine_lab import Lab, alive, now_ms, opened, until
from transom.drivers import remains
from transom.drivers.keepers import Host
from transom.drivers.namespace.driver import NamespaceDriver
from transom.model.errors import DriverError, Unavailable
from transom.model.ids import new_id
from transom.model.machine import MachineState
from transom_wire import WIRE_VERSION
from transom_wire.codec import encode
from transom_wire.control import (
    Acknowledge,
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
        assert {"guest", "display", "ready"} <= machine.channel.snapshot.stages.keys()
        assert await lab.driver.observe() == {machine.id: MachineState.RUNNING}


async def test_create_again_finds_the_machine_that_runs(lab: Lab) -> None:
    spec = lab.spec()
    async with lab.machine(spec):
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


async def test_a_failed_create_says_why_and_leaves_nothing(lab: Lab) -> None:
    broken = lab.another_controller(guest=lab.state / "nowhere")
    spec = lab.spec()
    with pytest.raises(DriverError, match="nowhere"):
        await broken.create(spec)
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


async def test_the_newest_controller_wins(lab: Lab) -> None:
    async with lab.machine() as machine:
        older = machine.channel
        machine.channel = await lab.another_controller().attach(machine.id)
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


async def test_streams_carry_bytes_both_ways_several_at_once(lab: Lab) -> None:
    async with lab.machine() as machine:
        await machine.ready()
        streams = await asyncio.gather(*(lab.driver.open_stream(machine.id, "vnc") for _ in range(3)))
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


async def test_a_peer_is_registered_with_the_door_and_released(lab: Lab) -> None:
    async with lab.machine() as machine:
        register = RegisterPeer(
            peer="per_x",
            guest_ufrag="gfrag",
            guest_password="p" * 24,
            viewer_ufrag="vfrag",
            agent_port=5000,
        )
        await machine.channel.send(register)
        await machine.reattach()
        assert machine.channel.snapshot.peers == ("per_x",)
        await machine.channel.send(ReleasePeer(peer="per_x"))
        await machine.reattach()
        assert machine.channel.snapshot.peers == ()


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
        assert "signal 9" in exited.reason


async def test_the_deadline_ends_a_machine_that_nobody_watches(lab: Lab) -> None:
    spec = lab.spec(seconds=1.0)
    await lab.driver.create(spec)
    await until(lambda: lab.dead(spec.machine), "the deadline")
    assert "deadline" in (lab.folder / spec.machine / "exit.json").read_text()


async def test_the_deadline_moves_both_ways(lab: Lab) -> None:
    async with lab.machine(lab.spec(seconds=600)) as machine:
        later = now_ms() + 900_000
        await machine.channel.send(SetDeadline(deadline=later))
        await machine.reattach()
        assert machine.channel.snapshot.deadline == later
        await machine.channel.send(SetDeadline(deadline=now_ms() + 100))
        exited = await machine.hear(lambda each: isinstance(each, MachineExited))
        assert "deadline" in exited.reason


async def test_a_killed_keeper_takes_its_machine_along(lab: Lab) -> None:
    spec = lab.spec()
    await lab.driver.create(spec)
    inside = [pid for pid in lab.processes(spec.machine) if pid != lab.keeper(spec.machine)]
    assert len(inside) == 2
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
import asyncio, sys
from pathlib import Path
from tests.support.image import GoldenImage
from tests.support.machine_lab import Lab
state, digest, root, guest, machine = sys.argv[1:]
async def main():
    lab = Lab(Path(state), GoldenImage(digest, Path(root)), Path(guest))
    await lab.driver.create(lab.spec(machine))
    channel = await lab.driver.attach(machine)
    print("made", flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


async def test_a_killed_creator_leaves_a_machine_that_another_adopts(lab: Lab) -> None:
    machine = lab.spec().machine
    told = [str(lab.state), lab.image.digest, str(lab.image.folder), str(lab.guest), machine]
    creator = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CREATOR, *told, stdout=subprocess.PIPE, start_new_session=True
    )
    assert creator.stdout is not None
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


async def test_another_state_folder_s_machines_are_not_ours(lab: Lab) -> None:
    async with lab.machine():
        host = Host(lab.state / "other" / "machines", lab.guest, "127.0.0.1", (42000, 42999))
        stranger = NamespaceDriver(host, lab.image)
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
    for _ in range(20):
        spec = lab.spec(slot=1)
        await lab.driver.create(spec)
        await lab.driver.destroy(spec.machine, keep_folder=False)
        assert lab.remains(spec.machine) == []
    assert await lab.driver.observe() == {}
    assert len(os.listdir("/proc/self/fd")) <= before + 2


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
    lab: Lab, role: str, lines: str, reason: str
) -> None:
    code = f"""
import os, socket, struct, json, time
link = socket.create_connection(("127.0.0.1", 4001))
def say(body):
    link.sendall(struct.pack("!I", len(body)) + body)
say(json.dumps(dict(type="hello", version={WIRE_VERSION}, role={role!r}, token=os.environ["TOKEN"])).encode())
try:
    {lines}
    while link.recv(4096): pass
except ConnectionError: pass
print("cut off")
"""
    async with lab.machine() as machine:
        assert "cut off" in await machine.inside(code)
        reports = [each for each in machine.heard if isinstance(each, GuestMisbehaved)]
        assert reports and reports[0].role == role and reason in reports[0].reason
        assert "fine" in await machine.inside("print('fine')")


async def test_strangers_on_the_link_are_closed_without_a_word(lab: Lab) -> None:
    """A page in the machine's browser, a wrong token, the boot token again: nothing is said, nothing breaks."""
    code = """
import socket, struct, json
def ask(data):
    with socket.create_connection(("127.0.0.1", 4001)) as link:
        link.sendall(data)
        try: return link.recv(4096)
        except ConnectionError: return b""
def hello(**fields):
    body = json.dumps(dict(dict(type="hello", version=VERSION, role="webrtc", token="x" * 32), **fields)).encode()
    return struct.pack("!I", len(body)) + body
print([ask(b"GET / HTTP/1.1\\r\\nHost: 127.0.0.1:4001\\r\\n\\r\\n"), ask(hello()), ask(hello(role="boot")),
       ask(hello(version=99)), ask(b"\\0\\0\\0\\0"), ask(b"\\xff\\xff\\xff\\xff")])
"""
    async with lab.machine() as machine:
        assert await machine.inside(f"VERSION = {WIRE_VERSION}\n{code}") == str([b""] * 6) + "\n"
        await machine.reattach()
        assert machine.channel.snapshot.roles == ("boot", "webrtc")
        assert int(machine.channel.snapshot.counters["link_garbage"]) >= 6
