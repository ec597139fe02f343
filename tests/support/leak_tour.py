"""Every way out that a program in a machine might try, as Python that runs in it and says what came of each.

`SHELL` runs as the machine's user or as root of a namespace of its own; `page()` runs in the desktop's browser.
Nothing here is expected to work but what asks the forwarder.
"""

from __future__ import annotations

import json
from urllib.parse import quote

WELL_KNOWN = [
    ("1.1.1.1", 53),
    ("8.8.8.8", 53),
    ("8.8.8.8", 443),
    ("9.9.9.9", 853),
    ("162.159.200.1", 123),
    ("74.125.250.129", 19302),
    ("185.125.190.36", 80),
    ("151.101.130.132", 443),
    ("169.254.169.254", 80),
    ("169.254.170.2", 80),
    ("100.100.100.200", 80),
    ("192.168.100.1", 22),
    ("192.168.100.1", 4000),
    ("192.168.100.11", 80),
    ("10.0.0.1", 80),
    ("172.17.0.1", 2375),
    ("224.0.0.251", 5353),
    ("239.255.255.250", 1900),
    ("255.255.255.255", 67),
    ("2606:4700:4700::1111", 53),
    ("2001:4860:4860::8888", 443),
    ("fd00:ec2::254", 80),
    ("fe80::1", 80),
    ("ff02::fb", 5353),
    ("ff02::1:2", 547),
    ("::ffff:8.8.8.8", 53),
    ("64:ff9b::808:808", 53),
]
"""Resolvers, a time server, a STUN server, package mirrors, metadata services, neighbours, multicast."""

SHELL = """
import ctypes, fcntl, json, os, shutil, socket, struct, subprocess, sys, threading
PLACES = {places!r}
came = {{}}
def attempt(name, act):
    try: came[name] = str(act())[:200]
    except BaseException as error: came[name] = type(error).__name__
def send(address, port, kind, data):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, kind) as out:
        out.settimeout(0.4)
        if kind == socket.SOCK_DGRAM:
            out.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            out.sendto(data, (address, port))
            return "answered " + repr(out.recvfrom(64))
        out.connect((address, port))
        return "connected"
def raw(family, protocol, address):
    with socket.socket(family, socket.SOCK_RAW, protocol) as out:
        return out.sendto(b"\\x08\\0\\xf7\\xff" + bytes(4), (address, 0))
def frame():
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as out:
        names = [name for _, name in socket.if_nameindex()]
        for name in names:
            out.bind((name, 0))
            out.send(b"\\xff" * 6 + b"\\x02\\0\\0\\0\\0\\x09" + b"\\x08\\x06" + bytes(46))
        return names
def vsock():
    with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as out:
        out.settimeout(1)
        return out.connect((2, 4000))
def run(*words, **environment):
    if shutil.which(words[0]) is None: return "absent"
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, env={{**os.environ, **environment}})
    return f"{{done.returncode}} {{done.stdout}}"
def without_proxy():
    return {{name: value for name, value in os.environ.items() if "proxy" not in name.lower()}}
def bare(*words):
    if shutil.which(words[0]) is None: return "absent"
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, env=without_proxy())
    return f"{{done.returncode}} {{done.stdout}}"
def ask_kernel(request, argument):
    with socket.socket() as any_socket:
        return len(fcntl.ioctl(any_socket, request, argument))
def inet(text):
    return struct.pack("HH4s8x", 2, 0, socket.inet_aton(text))
def route(gateway):
    words = struct.pack("L", 0) + inet("0.0.0.0") + inet(gateway) + inet("0.0.0.0") + struct.pack("H", 3)
    return ask_kernel(0x890B, words + bytes(128 - len(words)))  # SIOCADDRT, RTF_UP | RTF_GATEWAY
def route_by(name):  # RTF_UP alone: what is behind the interface is its neighbour
    device = ctypes.create_string_buffer(name.encode())
    words = struct.pack("=Q", 0) + 3 * inet("0.0.0.0")
    words += struct.pack("=HHIQQH6xQQQH6x", 1, 0, 0, 0, 0, 0, ctypes.addressof(device), 0, 0, 0)
    return ask_kernel(0x890B, words)
def route6_by(name):
    words = bytes(48) + struct.pack("=IHHI4xQIi", 0, 0, 0, 1, 0, 1, socket.if_nametoindex(name))
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as any_socket:
        return len(fcntl.ioctl(any_socket, 0x890B, words))
def own(name, text):
    return ask_kernel(0x8916, struct.pack("16s16s8x", name.encode(), inet(text)))  # SIOCSIFADDR
def flags(name, bits):
    return ask_kernel(0x8914, struct.pack("16sH22x", name.encode(), bits))  # SIOCSIFFLAGS
def spoofed(name):
    frame = b"\\x06\\0\\xc0\\xa8\\x64\\1" + b"\\x02\\x42\\x42\\x42\\x42\\x42" + b"\\x08\\0"
    addresses = socket.inet_aton("9.9.9.9") + socket.inet_aton("8.8.8.8")
    head = struct.pack(">BBHHHBBH", 69, 0, 28, 1, 0, 64, 17, 0) + addresses
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as out:
        out.bind((name, 0))
        return out.send(frame + head + struct.pack(">HHHH", 53, 53, 8, 0))
wired = "eth0" in [name for _, name in socket.if_nameindex()]
if {root} and wired:
    attempt("promiscuous", lambda: flags("eth0", 0x1143))
    attempt("second address", lambda: own("eth0:1", "192.168.100.77"))
    attempt("third address", lambda: own("eth0:2", "8.8.4.4"))
    attempt("spoofed", lambda: spoofed("eth0"))
    attempt("default route", lambda: route("192.168.100.1"))
    for scope in ("all", "default", "eth0"):
        attempt("version 6 " + scope, lambda: open(f"/proc/sys/net/ipv6/conf/{{scope}}/disable_ipv6", "w").write("0"))
    attempt("default route 6", lambda: route6_by("eth0"))
    attempt("version 6 neighbour", lambda: send("ff02::1%eth0", 5353, socket.SOCK_DGRAM, b"hello"))
    attempt("version 6 gateway", lambda: send("fe80::1%eth0", 53, socket.SOCK_DGRAM, b"hello"))
query = struct.pack(">6H", 7, 256, 1, 0, 0, 0) + b"\\3web\\3lab\\7example\\0" + struct.pack(">2H", 1, 1)
def place(address, port, how=""):
    attempt(f"{{how}}udp {{address}} {{port}}", lambda: send(address, port, socket.SOCK_DGRAM, query))
    attempt(f"{{how}}tcp {{address}} {{port}}", lambda: send(address, port, socket.SOCK_STREAM, b""))
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    attempt(f"{{how}}icmp {{address}}", lambda: raw(family, 58 if ":" in address else 1, address))
    attempt(f"{{how}}raw {{address}}", lambda: raw(family, 255, address))
def together(act, each_of):
    threads = [threading.Thread(target=act, args=each) for each in each_of]
    for each in threads: each.start()
    for each in threads: each.join()
together(place, PLACES)  # they wait for answers that do not come
attempt("frame", frame)
attempt("vsock", vsock)
together(attempt, [
    ("name", lambda: socket.getaddrinfo("web.lab.example", 80)),
    ("curl direct", lambda: bare("curl", "-sS", "-m", "3", "http://{far}/leak")),
    ("curl noproxy", lambda: run("curl", "-sS", "-m", "3", "--noproxy", "*", "http://{far}/leak")),
    ("curl doh", lambda: bare("curl", "-sS", "-m", "3", "--doh-url", "https://1.1.1.1/dns-query", "http://web.lab.example/leak")),
    ("apt", lambda: bare("apt-get", "-o", "Acquire::Retries=0", "-o", "Acquire::http::Timeout=2", "update")),
    ("git", lambda: bare("git", "ls-remote", "http://{far}/leak.git")),
    ("ping", lambda: bare("ping", "-c1", "-W1", "{far}")),
])
attempt("curl", lambda: run("curl", "-sS", "-m", "20", "http://web.lab.example/ip"))
attempt("curl tls", lambda: run("curl", "-sSk", "-m", "20", "https://web.lab.example/ip"))
attempt("curl metadata", lambda: run("curl", "-sS", "-m", "20", "http://169.254.169.254/latest/meta-data/"))
if {root} and not wired:  # of a namespace of its own, which has a loopback alone
    attempt("up", lambda: flags("lo", 0x49))
    attempt("own address", lambda: own("lo:1", "192.168.100.77"))
    attempt("default route", lambda: route_by("lo"))
    attempt("default route 6", lambda: route6_by("lo"))
    together(place, [(*each, "routed ") for each in PLACES])
print(json.dumps(came))
"""


START_AS_ROOT = """
import pathlib, subprocess
pathlib.Path("/run/tour.py").write_text({code!r})
unit = pathlib.Path("/run/systemd/system/tour.service")
unit.parent.mkdir(parents=True, exist_ok=True)
unit.write_text("[Unit]\\nDefaultDependencies=no\\n[Service]\\nType=oneshot\\nTimeoutStartSec=infinity\\n"
    "ExecStart=/usr/bin/python3 /run/tour.py\\nExecStopPost=/usr/bin/touch /run/tour.over\\n"
    "StandardOutput=file:/run/tour.out\\nStandardError=file:/run/tour.err\\n")
for words in (["daemon-reload"], ["start", "--no-block", "tour.service"]):
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True)
    print(done.stdout, done.stderr)
"""
"""Run as root of a virtual machine: starts `code` with every right there is, by the machine's first process."""
OUTCOME = """
import pathlib, time
until = time.monotonic() + 20
while not pathlib.Path("/run/tour.over").exists() and time.monotonic() < until: time.sleep(0.2)
if pathlib.Path("/run/tour.over").exists():
    print(pathlib.Path("/run/tour.out").read_text() or pathlib.Path("/run/tour.err").read_text())
"""
"""What it printed; nothing while it is under way."""


def shell(far: str, direct: list[tuple[str, int]], *, root: bool = False) -> str:
    """The tour for a shell. `far` is an address of the far side; `direct` more places to try, the host's own say."""
    return SHELL.format(places=[*WELL_KNOWN, *direct], far=far, root=root)


def page(far: str, report: str) -> str:
    """A `data:` URL of the tour for a browser; what it found is asked for at `report` + JSON."""
    script = f"""
    const came = {{ candidates: [], webrtc: '', fetched: {{}} }};
    async function rtc(name, servers) {{
      const peer = new RTCPeerConnection({{ iceServers: servers }});
      peer.createDataChannel('x');
      peer.onicecandidate = event => event.candidate && came.candidates.push(event.candidate.candidate);
      await peer.setLocalDescription(await peer.createOffer());
      await new Promise(done => setTimeout(done, 3000));
      came.webrtc += name + ':' + peer.iceGatheringState + ' ';
      peer.close();
    }}
    async function ask(url) {{
      const stop = AbortSignal.timeout(3000);
      try {{ await fetch(url, {{ mode: 'no-cors', signal: stop }}); came.fetched[url] = 'answered'; }}
      catch (error) {{ came.fetched[url] = error.name; }}
    }}
    (async () => {{
      for (const rel of ['dns-prefetch', 'preconnect']) {{
        const link = document.createElement('link');
        link.rel = rel; link.href = 'https://prefetch.lab.example/'; document.head.append(link);
      }}
      await Promise.all([
        rtc('stun', [{{ urls: 'stun:{far}:3478' }}, {{ urls: 'stun:74.125.250.129:19302' }}]),
        rtc('turn', [{{ urls: 'turn:{far}:3478', username: 'u', credential: 'c' }},
                     {{ urls: 'turn:{far}:3478?transport=tcp', username: 'u', credential: 'c' }}]),
        ask('http://169.254.169.254/latest/meta-data/'), ask('http://100.100.100.200/'),
        ask('http://[fd00:ec2::254]/'), ask('http://192.168.100.1:4000/'), ask('http://10.0.0.1/'),
        ask('https://1.1.1.1/dns-query?dns=AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB'),
        ask('https://{far}:8443/h3'),
      ]);
      try {{ new WebSocket('ws://169.254.169.254/'); }} catch (error) {{ }}
      try {{ await new WebTransport('https://{far}:8443/leak').ready; came.webtransport = 'ready'; }}
      catch (error) {{ came.webtransport = error.name; }}
      new Image().src = '{report}' + encodeURIComponent(JSON.stringify(came));
    }})();
    """
    return "data:text/html," + quote(f"<title>tour</title><h1>tour</h1><script>{script}</script>")


def answered(came: str) -> dict[str, str]:
    """What `SHELL` printed. Raises AssertionError with the text when it is something else."""
    try:
        found: dict[str, str] = json.loads(came)
    except ValueError:
        raise AssertionError(came) from None
    return found
