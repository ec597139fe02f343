"""Debian's own proxies as exits: what each is told, and how it starts. All ask for a user and a password."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Facts:
    """What a proxy's configuration needs. Addresses: `inside` is dialled by clients, `outside` dials the far side."""

    folder: Path
    inside: str
    outside: str
    outside6: str
    username: str
    password: str
    cert: Path
    key: Path

    def write(self, name: str, text: str, mode: int = 0o644) -> Path:
        """A file of the proxy's folder."""
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        return path


@dataclass(frozen=True)
class Kind:
    """One sort of proxy. `prepare` writes files and returns the command; `files` are bound over /etc before."""

    scheme: str
    port: int
    prepare: Callable[[Facts], list[str]]
    files: Callable[[Facts], dict[str, Path]] = lambda facts: {}


def _hashed(password: str, kind: str) -> str:
    words = ["openssl", "passwd", kind, "-stdin"]
    return subprocess.run(words, input=password, capture_output=True, text=True, check=True).stdout.strip()


def _tinyproxy(facts: Facts) -> list[str]:
    path = facts.write(
        "tinyproxy.conf",
        f"Listen {facts.inside}\nPort 8888\nTimeout 600\nMaxClients 600\n"
        f'LogFile "{facts.folder}/tinyproxy.log"\nLogLevel Info\nDisableViaHeader Yes\n'
        f"BasicAuth {facts.username} {facts.password}\n"
        "ConnectPort 443\nConnectPort 8443\nConnectPort 7\nConnectPort 19\n",
        0o600,
    )
    return ["tinyproxy", "-d", "-c", str(path)]


def _squid(port_line: str) -> Callable[[Facts], list[str]]:
    def prepare(facts: Facts) -> list[str]:
        users = facts.write("users", f"{facts.username}:{_hashed(facts.password, '-apr1')}\n")
        path = facts.write(
            "squid.conf",
            f"{port_line.format(facts=facts)}\n"
            f"auth_param basic program /usr/lib/squid/basic_ncsa_auth {users}\nauth_param basic children 1\n"
            "acl users proxy_auth REQUIRED\nacl CONNECT method CONNECT\nacl tunnel_ports port 443 8443 7 19\n"
            "http_access deny CONNECT !tunnel_ports\nhttp_access allow users\nhttp_access deny all\n"
            f"acl to6 dst ipv6\ntcp_outgoing_address {facts.outside6} to6\ntcp_outgoing_address {facts.outside} !to6\n"
            f"cache deny all\ncache_mem 4 MB\nmemory_pools off\naccess_log stdio:{facts.folder}/access.log\n"
            f"cache_log {facts.folder}/cache.log\ncache_store_log none\npid_filename {facts.folder}/squid.pid\n"
            f"coredump_dir {facts.folder}\nhosts_file /etc/hosts\npinger_enable off\nvisible_hostname exit.example\n"
            "workers 1\nshutdown_lifetime 0 seconds\ndns_timeout 2 seconds\nconnect_timeout 5 seconds\n"
            "max_filedescriptors 4096\nvia off\nforwarded_for delete\n",
        )
        return ["squid", "-N", "-f", str(path)]

    return prepare


def _dante(facts: Facts) -> list[str]:
    path = facts.write(
        "danted.conf",
        f"logoutput: {facts.folder}/danted.log\ninternal: {facts.inside} port = 1080\nexternal: out\n"
        "socksmethod: username\nclientmethod: none\nuser.privileged: root\n"
        "user.unprivileged: nobody\nclient pass { from: 0/0 to: 0/0 }\n"
        "socks pass {\n from: 0/0 to: 0/0\n command: connect\n protocol: tcp\n}\n",
    )
    return ["danted", "-f", str(path), "-p", f"{facts.folder}/danted.pid"]


def _dante_users(facts: Facts) -> dict[str, Path]:
    """dante asks the host's own users."""
    name = facts.username
    passwd = (
        f"root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n{name}:x:4000:4000::/:/bin/false\n"
    )
    shadow = f"root:*:19000::::::\nnobody:*:19000::::::\n{name}:{_hashed(facts.password, '-6')}:19000::::::\n"
    return {
        "/etc/passwd": facts.write("passwd", passwd),
        "/etc/shadow": facts.write("shadow", shadow, 0o600),
    }


KINDS = {
    "tinyproxy": Kind("http", 8888, _tinyproxy),
    "squid": Kind("http", 3128, _squid("http_port {facts.inside}:3128")),
    "squid-tls": Kind(
        "https", 3129, _squid("https_port {facts.inside}:3129 tls-cert={facts.cert} tls-key={facts.key}")
    ),
    "dante": Kind("socks5", 1080, _dante, _dante_users),
}
"""By the name a test asks for: Basic auth over http, the same over TLS, SOCKS5 with user name and password."""
