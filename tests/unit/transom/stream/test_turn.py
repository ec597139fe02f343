"""Credentials that a real coturn takes, and the peers that it refuses with deploy/turnserver.conf."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.server import free_port
from tests.support.turn_client import TurnClient
from transom.model.errors import Unavailable
from transom.stream.turn import SECRET_CHARACTERS, ice_servers, read_secret, turn_credentials

CONFIG = Path(__file__).resolve().parents[4] / "deploy" / "turnserver.conf"
SECRET = secrets.token_hex(16)
DOOR = "127.0.0.5"
START_S = 15.0
FORBIDDEN, UNAUTHORIZED, OTHER_FAMILY = 403, 401, 443
STRANGERS_4 = (
    "127.0.0.1",
    "127.0.0.4",
    "127.0.0.6",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.100.10",
    "169.254.169.254",
    "100.64.0.1",
    "8.8.8.8",
    "203.0.113.10",
    "224.0.0.1",
    "255.255.255.255",
)
STRANGERS_6 = (
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:127.0.0.5",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "::127.0.0.5",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "fe80::1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "2001:4860:4860::8888",
)


@dataclass
class Settings:
    stun_urls: tuple[str, ...] = ()
    turn_urls: tuple[str, ...] = ()
    turn_secret_file: Path | None = None
    turn_seconds: int = 600


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(SECRET + "\n")
    return path


def test_nothing_configured_is_an_empty_list(secret_file: Path) -> None:
    assert ice_servers(Settings(), "usr_a", 0) == []
    assert ice_servers(Settings(turn_secret_file=secret_file), "usr_a", 0) == []


def test_stun_needs_no_secret() -> None:
    got = ice_servers(Settings(stun_urls=("stun:a.example", "stun:b.example")), "usr_a", 0)
    assert got == [{"urls": ["stun:a.example", "stun:b.example"]}]


def test_turn_comes_with_credentials_that_expire(secret_file: Path) -> None:
    settings = Settings(("stun:a.example",), ("turn:b.example?transport=tcp",), secret_file, 600)
    stun, turn = ice_servers(settings, "usr_a", 1_000_000_999)
    assert stun == {"urls": ["stun:a.example"]}
    assert turn["urls"] == ["turn:b.example?transport=tcp"]
    assert turn["username"] == f"{1_000_000 + 600}:usr_a"
    expected = hmac.digest(SECRET.encode(), turn["username"].encode(), hashlib.sha1)
    assert base64.b64decode(turn["credential"]) == expected


def test_the_secret_is_read_anew_each_time(secret_file: Path) -> None:
    settings = Settings(turn_urls=("turn:b.example",), turn_secret_file=secret_file)
    before = ice_servers(settings, "usr_a", 0)
    secret_file.write_text("another-secret-of-the-operator")
    assert ice_servers(settings, "usr_a", 0) != before


@pytest.mark.parametrize(
    "content", [None, b"", b"\n\n", b"short", b" " * 40, b"\xff\xfe" * 20, b"x" * (SECRET_CHARACTERS - 1)]
)
def test_a_secret_that_is_none_is_an_error_that_does_not_show_it(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Unavailable) as raised:
        ice_servers(Settings(turn_urls=("turn:b.example",), turn_secret_file=path), "usr_a", 0)
    assert raised.value.code == "turn_secret"
    assert str(path) in raised.value.message and "short" not in raised.value.message


def test_the_first_line_is_the_secret(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(f"  {SECRET} \nanother line\n")
    assert read_secret(path) == SECRET


@pytest.fixture(scope="module")
def coturn() -> Iterator[tuple[str, int]]:
    """A real coturn with the file that is deployed: only addresses, ports and the log are the test's own."""
    folder = Path(tempfile.mkdtemp(prefix="transom-turn-"))
    port = free_port()
    own = r"^(realm|allowed-peer-ip|listening-port|tls-listening-port|syslog)\b.*$"
    lines = re.sub(own, "", CONFIG.read_text(), flags=re.MULTILINE)
    config = folder / "turnserver.conf"
    config.touch(0o600)
    config.write_text(
        f"{lines}\nrealm=test.example\nstatic-auth-secret={SECRET}\nallowed-peer-ip={DOOR}\n"
        f"listening-ip=127.0.0.1\nlistening-port={port}\nno-tls\nno-dtls\nrelay-ip=127.0.0.1\nrelay-ip=::1\n"
        f"allow-loopback-peers\nlog-file=stdout\npidfile={folder}/pid\nuserdb={folder}/db\n"
    )
    log = (folder / "log").open("wb")
    command = ["turnserver", "-c", str(config)]
    process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        _wait_for(process, port, folder / "log")
        yield "127.0.0.1", port
    finally:
        process.terminate()
        process.wait(10)
        log.close()
        shutil.rmtree(folder)


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Until it answers: an allocation without credentials is refused."""
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        with closing(TurnClient(("127.0.0.1", port), "nobody", "")) as client:
            try:
                assert client.allocate() == UNAUTHORIZED
                return
            except (TimeoutError, ConnectionRefusedError):
                time.sleep(0.05)
    raise AssertionError(log.read_text())


def client(server: tuple[str, int], expires_in: int = 60, secret: str = SECRET) -> TurnClient:
    return TurnClient(server, *turn_credentials(secret, "usr_a", int(time.time()) + expires_in))


def test_coturn_takes_credentials_that_live_and_refuses_the_expired(coturn: tuple[str, int]) -> None:
    with closing(client(coturn)) as live, closing(client(coturn, expires_in=-5)) as expired:
        assert live.allocate() == 0
        assert expired.allocate() == UNAUTHORIZED


def test_coturn_refuses_what_another_secret_made_and_a_moved_expiry(coturn: tuple[str, int]) -> None:
    with closing(client(coturn, secret="x" * 32)) as stranger:
        assert stranger.allocate() == UNAUTHORIZED
    username, password = turn_credentials(SECRET, "usr_a", int(time.time()) - 5)
    moved = username.replace(username.split(":")[0], str(int(time.time()) + 600))
    with closing(TurnClient(coturn, moved, password)) as liar:
        assert liar.allocate() == UNAUTHORIZED


def test_the_door_is_the_only_peer(coturn: tuple[str, int]) -> None:
    with closing(client(coturn)) as viewer:
        assert viewer.allocate() == 0
        assert viewer.permit(DOOR) == 0
        for peer in STRANGERS_4:
            assert viewer.permit(peer) == FORBIDDEN, peer


def test_no_spelling_in_ipv6_is_a_peer(coturn: tuple[str, int]) -> None:
    """coturn's own loopback rule was once passed by ::ffff:127.0.0.1 (CVE-2020-26262)."""
    for ipv6 in (False, True) if _has_ipv6() else (False,):
        with closing(client(coturn)) as viewer:
            assert viewer.allocate(ipv6=ipv6) == 0
            answers = {peer: viewer.permit(peer) for peer in STRANGERS_6}
            assert answers == dict.fromkeys(STRANGERS_6, FORBIDDEN if ipv6 else OTHER_FAMILY)


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
