"""A piece of internet for tests: real proxies, each with an address of its own, and a far side that saw who came.

    with exit_lab(["tinyproxy", "squid", "squid-tls", "dante"]) as lab:
        lab.proxies[0].route("exit-1")   # an ExitRoute for a keeper, with its password
        lab.proxies[0].address           # by which the far side sees it, and nobody else uses
        lab.far.seen()                   # what the far side was asked, and from which address
        with lab.capture() as packets: ...
        packets.between("udp")           # what tcpdump saw at the far side's edge

The host reaches each proxy over a link of its own (198.18.0.0/15, made for tests) and has no way to the far
side but through them; with `host_reaches_far` it has one, and an address there, for the `direct` exit. The
far side has addresses that look public, because forwarders refuse all others. Needs root; leaves nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

from tests.support.exit_certificates import Authority
from tests.support.exit_nodes import Node, end
from tests.support.exit_proxies import KINDS, Facts, Kind
from transom_wire.exit import ExitRoute

START_S = 20.0
WEB, OTHER = "web.lab.example", "other.lab.example"
"""Names that the exits know: two addresses of the far side."""
INSIDE, REBOUND = "inside.lab.example", "rebound.lab.example"
"""Names that the exits know, of a private address and of the exit's own loopback."""
LOST = "lost.lab.example"
"""A name that nobody knows."""


@dataclass
class Far:
    """The far side: a web server, http and https, and echo services. See exit_far."""

    node: Node
    address: str
    other: str
    address6: str
    log: Path

    def url(self, path: str = "/", *, tls: bool = False) -> str:
        """An address that an exit can fetch."""
        return f"{'https' if tls else 'http'}://{WEB}{path}"

    def seen(self) -> list[dict[str, Any]]:
        """Every request and connection so far: service, address (the caller's), method, target, headers ..."""
        if not self.log.exists():
            return []
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@dataclass
class Proxy:
    """One exit. `host` and `port` are dialled; `address` and `address6` are what the far side sees."""

    name: str
    kind: Kind
    node: Node
    facts: Facts
    link: str
    """The host's interface towards it."""
    process: subprocess.Popen[bytes] | None = None

    @property
    def scheme(self) -> str:
        return self.kind.scheme

    @property
    def host(self) -> str:
        return self.facts.inside

    @property
    def port(self) -> int:
        return self.kind.port

    @property
    def username(self) -> str:
        return self.facts.username

    @property
    def password(self) -> str:
        return self.facts.password

    @property
    def address(self) -> str:
        return self.facts.outside

    @property
    def address6(self) -> str:
        return self.facts.outside6

    @property
    def url(self) -> str:
        """As a seller prints it, password included."""
        return f"{self.scheme}://{self.username}:{self.password}@{self.host}:{self.port}"

    def route(self, exit: str | None = None, **changes: Any) -> ExitRoute:
        """What a keeper is told, to leave by this proxy."""
        told: dict[str, Any] = {
            "kind": "upstream",
            "exit": exit or self.name,
            "scheme": self.scheme,
            "host": self.host,
            "port": self.port,
            "username": self.username,
            "password": self.password,
        }
        return ExitRoute(**{**told, **changes})

    def start(self) -> None:
        """Start it, and wait until it listens. Nothing when it runs."""
        if self.process is not None and self.process.poll() is None:
            return
        command = self.kind.prepare(self.facts)
        self.process = self.node.start(*command, log=self.facts.folder / "output.log")
        _until_listening(self)

    def stop(self) -> None:
        """End it: its port refuses from then on."""
        if self.process is not None:
            self.freeze(False)
            end(self.process)

    def freeze(self, frozen: bool = True) -> None:
        """Let it hang: the kernel still accepts, nobody answers. `False` lets it go on."""
        if self.process is not None and self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGSTOP if frozen else signal.SIGCONT)

    def unplug(self, unplugged: bool = True) -> None:
        """Pull its cable: packets vanish. `False` puts it back. At its end: the host's route must stay, or
        packets would go by the host's default one."""
        self.node.run("ip", "link", "set", "in", "down" if unplugged else "up")


@dataclass
class Packets:
    """What a capture saw, one line of tcpdump each; complete once the capture has ended."""

    file: Path

    def lines(self, expression: str = "") -> list[str]:
        """Those that match a pcap filter expression."""
        words = ["tcpdump", "-nn", "-r", str(self.file), *([expression] if expression else [])]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()


@dataclass
class ExitLab:
    """What a test holds."""

    folder: Path
    far: Far
    ca: Path
    """Trusted by whoever shall trust the far side's https and `squid-tls`: SSL_CERT_FILE."""
    host_address: str | None
    """The host's own address on the far side, with `host_reaches_far`."""
    host: Node | None = None
    """The host, when it is a node of its own."""
    proxies: list[Proxy] = field(default_factory=list)

    def proxy(self, kind: str) -> Proxy:
        """The first of a kind."""
        return next(each for each in self.proxies if each.kind is KINDS[kind])

    @contextlib.contextmanager
    def capture(self, node: Node | None = None, interface: str = "any") -> Iterator[Packets]:
        """Every packet of `interface` in `node` (None: the far side), while it is open."""
        place = self.folder / f"capture-{secrets.token_hex(4)}"
        words = (
            "tcpdump",
            "-nn",
            "-U",
            "-Z",
            "root",
            "--immediate-mode",
            "-i",
            interface,
            "-w",
            f"{place}.pcap",
        )
        process = (node or self.far.node).start(*words, log=Path(f"{place}.log"))
        _until(lambda: "listening on" in Path(f"{place}.log").read_text(), process)
        try:
            yield Packets(Path(f"{place}.pcap"))
        finally:
            time.sleep(0.2)  # what is on its way to tcpdump's buffer, which nothing tells of
            process.send_signal(signal.SIGINT)
            end(process)


@contextlib.contextmanager
def exit_lab(
    kinds: Sequence[str], *, host_reaches_far: bool = False, host: Node | None = None
) -> Iterator[ExitLab]:
    """Make the lab with a proxy for each of `kinds`: tinyproxy, squid, squid-tls, dante; one may come twice."""
    folder = Path(tempfile.mkdtemp(prefix="transom-exits-"))
    folder.chmod(0o755)
    with contextlib.ExitStack() as ends:
        ends.callback(shutil.rmtree, folder, ignore_errors=True)
        nets = _Nets(host)
        authority = Authority(folder)
        far = _far(folder, nets, authority, ends)
        own = nets.far_host(1) if host_reaches_far else None
        lab = ExitLab(folder, far, authority.ca, own, host)
        if own:
            _plug(far.node, nets, ends, own)
        for number, kind in enumerate(kinds):
            lab.proxies.append(_proxy(number, kind, lab, nets, authority, ends))
        for proxy in lab.proxies:
            proxy.start()
        yield lab


class _Nets:
    """Addresses that this host does not use, different for each lab."""

    def __init__(self, host: Node | None) -> None:
        self.host = host
        chosen = secrets.SystemRandom()
        self.tag = secrets.token_hex(3)
        while True:
            self._links = f"198.{chosen.choice((18, 19))}.{chosen.randrange(256)}"
            if self._links not in _host_ip("-4", "route", "show", host=host):
                break
        self._far = f"11.{chosen.randrange(1, 255)}.{chosen.randrange(256)}"
        self._far6 = f"2600:1100:{self.tag[:4]}:{self.tag[4:]}"

    def link(self, number: int) -> tuple[str, str]:
        """The host's and the proxy's address of a link."""
        return f"{self._links}.{number * 4 + 1}", f"{self._links}.{number * 4 + 2}"

    def far_host(self, number: int) -> str:
        return f"{self._far}.{number}"

    def far_host6(self, number: int) -> str:
        return str(IPv6Address(f"{self._far6}::{number}"))


def _host_ip(*words: str, host: Node | None) -> str:
    if host is not None:
        return host.run("ip", *words)
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


def _etc(folder: Path, nets: _Nets) -> dict[str, Path]:
    hosts, resolver = folder / "hosts", folder / "resolv.conf"
    if not hosts.exists():
        names = {WEB: nets.far_host(80), OTHER: nets.far_host(81), INSIDE: "10.9.8.7", REBOUND: "127.0.0.1"}
        lines = [f"{address} {name}\n" for name, address in names.items()]
        hosts.write_text(
            "127.0.0.1 localhost\n" + "".join(lines) + f"{nets.far_host6(80)} web6.lab.example\n"
        )
        resolver.write_text("nameserver 127.0.0.1\noptions attempts:1 timeout:1\n")
    return {"/etc/hosts": hosts, "/etc/resolv.conf": resolver}


def _far(folder: Path, nets: _Nets, authority: Authority, ends: contextlib.ExitStack) -> Far:
    node = Node.make("far", _etc(folder, nets))
    ends.callback(node.close)
    node.run("ip", "link", "add", "br0", "type", "bridge", "stp_state", "0")
    for number in (80, 81):
        node.run("ip", "addr", "add", f"{nets.far_host(number)}/24", "dev", "br0")
        node.run("ip", "addr", "add", f"{nets.far_host6(number)}/64", "dev", "br0", "nodad")
    node.run("ip", "link", "set", "br0", "up")
    cert, key = authority.issue("far", [WEB, OTHER, "web6.lab.example", nets.far_host(80)])
    log, output = folder / "far.jsonl", folder / "far.log"
    program = str(Path(__file__).with_name("exit_far.py"))
    process = node.start("python3", "-S", program, str(log), str(cert), str(key), log=output)
    _until(lambda: "ready" in output.read_text(), process)
    return Far(node, nets.far_host(80), nets.far_host(81), nets.far_host6(80), log)


def _proxy(
    number: int, kind: str, lab: ExitLab, nets: _Nets, authority: Authority, ends: contextlib.ExitStack
) -> Proxy:
    folder = lab.folder / f"{kind}-{number}"
    folder.mkdir()
    folder.chmod(0o777)  # squid and dante leave root's rights behind
    near, inside = nets.link(number)
    cert, key = authority.issue(f"{kind}-{number}", [inside])
    facts = Facts(
        folder=folder,
        inside=inside,
        outside=nets.far_host(100 + number),
        outside6=nets.far_host6(100 + number),
        username=f"user{number}",
        password=secrets.token_hex(8),
        cert=cert,
        key=key,
    )
    node = Node.make(kind, {**_etc(lab.folder, nets), **KINDS[kind].files(facts)})
    ends.callback(node.close)
    link, host = f"xl{nets.tag}{number}", nets.host
    _host_ip("link", "add", link, "type", "veth", "peer", "name", "in", "netns", str(node.pid), host=host)
    ends.callback(_unlink, link, host)
    _host_ip("addr", "add", f"{near}/30", "dev", link, host=host)
    _host_ip("link", "set", link, "up", host=host)
    _to_far(node, lab.far.node, number, facts)
    node.run("ip", "addr", "add", f"{inside}/30", "dev", "in")
    node.run("ip", "link", "set", "in", "up")
    proxy = Proxy(f"{kind}-{number}", KINDS[kind], node, facts, link)
    ends.callback(proxy.stop)
    return proxy


def _to_far(node: Node, far: Node, number: int, facts: Facts) -> None:
    node.run(
        "ip", "link", "add", "out", "type", "veth", "peer", "name", f"port{number}", "netns", str(far.pid)
    )
    far.run("ip", "link", "set", f"port{number}", "master", "br0", "up")
    node.run("ip", "addr", "add", f"{facts.outside}/24", "dev", "out")
    node.run("ip", "addr", "add", f"{facts.outside6}/64", "dev", "out", "nodad")
    node.run("ip", "link", "set", "out", "up")


def _plug(far: Node, nets: _Nets, ends: contextlib.ExitStack, own: str) -> None:
    """A link between this host and the far side."""
    link, host = f"xl{nets.tag}f", nets.host
    words = ("link", "add", link, "type", "veth", "peer", "name", "host", "netns", str(far.pid))
    _host_ip(*words, host=host)
    ends.callback(_unlink, link, host)
    far.run("ip", "link", "set", "host", "master", "br0", "up")
    _host_ip("addr", "add", f"{own}/24", "dev", link, host=host)
    _host_ip("link", "set", link, "up", host=host)


def _unlink(link: str, host: Node | None) -> None:
    with contextlib.suppress(subprocess.CalledProcessError):
        _host_ip("link", "del", link, host=host)


def _until(seen: Any, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_S
    while not seen():
        if time.monotonic() > until or process.poll() is not None:
            raise RuntimeError(f"{process.args!r} did not start")
        time.sleep(0.02)


def _until_listening(proxy: Proxy) -> None:
    def listens() -> bool:
        sockets = proxy.node.run("ss", "-Hltn", "sport", "=", f":{proxy.port}")
        return f"{proxy.host}:{proxy.port}" in sockets or f"*:{proxy.port}" in sockets

    assert proxy.process is not None
    try:
        _until(listens, proxy.process)
    except RuntimeError as error:
        logs = "".join(path.read_text(errors="replace")[-2000:] for path in proxy.facts.folder.glob("*.log"))
        raise RuntimeError(f"{error}: {logs}") from None
