from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom.images.audit import KEY, TOKEN, audit

BODY = base64.b64encode(bytes(range(96))).decode()
"""Made here: a file with a whole key in it would be found by others' scanners, and rightly."""
HEADER = "-----BEGIN {}PRIVATE " + "KEY-----\n"
TOKENS = (
    *("AKIA" + "A" * 16, "ghp_" + "a" * 36, "github_pat_" + "a" * 60, "glpat-" + "a" * 20),
    *("sk-ant-" + "a" * 30, "npm_" + "a" * 36, "xoxb-" + "1" * 24, "AIza" + "a" * 35),
    "eyJ" + "a" * 20 + ".eyJ" + "b" * 20 + ".c",
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("etc", "usr/lib/x86_64-linux-gnu", "opt/cli/node_modules/a", "var/lib/dpkg/info", "tmp"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "tmp").chmod(0o1777)
    return tmp_path


def put(root: Path, path: str, content: str | bytes = b"") -> Path:
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content.encode() if isinstance(content, str) else content)
    return target


def test_a_clean_root(root: Path) -> None:
    put(root, "etc/ssl/certs/ca.pem", "-----BEGIN CERTIFICATE-----\n" + BODY)
    put(root, "usr/lib/libssl.so", b"\x7fELF\0" + HEADER.format("RSA ").encode() + b"\0-----END")
    put(root, "etc/empty")
    (root / "usr/bin").symlink_to("/nowhere")
    assert audit(root) == []


@pytest.mark.parametrize("kind", ["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "])
def test_a_private_key_is_found_wherever_it_is(root: Path, kind: str) -> None:
    put(root, "usr/share/thing.bin", b"\0" * 100 + (HEADER.format(kind) + BODY).encode())
    put(root, "opt/cli/node_modules/a/x.js", HEADER.format(kind) + "Proc-Type: 4,ENCRYPTED\n\n" + BODY)
    assert sorted(audit(root)) == [
        "opt/cli/node_modules/a/x.js holds a private key",
        "usr/share/thing.bin holds a private key",
    ]


def test_the_published_keys_of_a_self_test_are_known_where_debian_ships_them(root: Path) -> None:
    library = "usr/lib/x86_64-linux-gnu/libgnutls.so.30"
    put(root, library, HEADER.format("RSA ") + BODY)
    assert audit(root) == [f"{library} holds a private key"]
    put(root, "var/lib/dpkg/info/libgnutls30:amd64.list", "/.\n/lib/x86_64-linux-gnu/libgnutls.so.30\n")
    assert audit(root) == []


@pytest.mark.parametrize("token", TOKENS)
def test_tokens_are_found_where_a_builder_may_have_left_them(root: Path, token: str) -> None:
    put(root, "etc/profile.d/x.sh", f"export TOKEN={token}\n")
    put(root, "opt/cli/node_modules/a/public.js", f"const id = '{token}'")
    put(root, "usr/lib/shipped", token)
    put(root, "var/lib/dpkg/info/a.list", "/usr/lib/shipped\n")
    assert audit(root) == ["etc/profile.d/x.sh holds a token"]


@pytest.mark.parametrize(
    "path",
    [
        *(
            "root/.npmrc",
            "home/user/.codex/auth.json",
            "etc/id_rsa",
            "var/lib/x/.netrc",
            "root/.bash_history",
        ),
        *("etc/ssh/ssh_host_ed25519_key", "usr/local/etc/.env", "srv/credentials"),
        "var/lib/git/.ssh/authorized_keys",
    ],
)
def test_names_of_secrets(root: Path, path: str) -> None:
    put(root, path)
    assert audit(root) == [f"{path} looks like a secret"]


def test_the_same_names_are_programs_elsewhere(root: Path) -> None:
    put(root, "usr/share/git-core/credentials")
    put(root, "opt/cli/node_modules/a/auth.json")
    assert audit(root) == []


def test_modes(root: Path) -> None:
    put(root, "usr/su").chmod(0o4755)
    put(root, "usr/chage").chmod(0o2755)
    put(root, "etc/open").chmod(0o666)
    (root / "usr/lib").chmod(0o777)
    (root / "tmp").chmod(0o777)
    os.mkfifo(root / "etc/pipe")
    assert sorted(audit(root)) == [
        "etc/open can be written by anybody",
        "etc/pipe is a device, a socket or a pipe",
        "tmp can be written by anybody",
        "usr/chage changes who runs it",
        "usr/lib can be written by anybody",
        "usr/su changes who runs it",
    ]


@given(st.binary(max_size=400))
def test_any_content_is_looked_through(data: bytes) -> None:
    KEY.search(HEADER.format("").encode() + data)
    TOKEN.search(data)


def test_a_long_file_of_almost_keys_is_quick() -> None:
    assert KEY.search((HEADER.format("") + "A: b\n" * 50).encode() * 2000) is None
