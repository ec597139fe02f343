"""The helper as a process: how it begins, and how it does not."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.helper_lab import CALLER, TAG
from transom_helper.__main__ import main
from transom_keeper.helper import Helper
from transom_wire import WIRE_VERSION

COMMAND = (sys.executable, "-m", "transom_helper")


def begin(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_without_rights_it_says_what_it_is_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["transom_helper"])
    monkeypatch.setattr(os, "geteuid", lambda: CALLER)
    monkeypatch.setattr(os, "umask", lambda mask: 0)
    assert main() == 1
    said = capsys.readouterr().err
    assert "needs root" in said and "transom-helper.service" in said


@pytest.mark.parametrize("mode", [0o777, 0o775])
def test_where_others_could_put_a_socket_it_does_not_listen(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    done = begin("--socket", f"{tmp_path}/s", "--chroot-base", f"{tmp_path}/b")
    assert done.returncode == 1
    assert "mend: chmod 755" in done.stderr


def test_a_socket_from_its_starter(tmp_path: Path) -> None:
    """As systemd passes it: descriptor 3, for the process of LISTEN_PID only."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(f"{tmp_path}/s")
        listener.listen()
        number = listener.fileno()
        script = f'exec 3<&{number}; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"'
        command = ["/bin/bash", "-c", script, "starter", *COMMAND, "--chroot-base", f"{tmp_path}/b"]
        started = subprocess.Popen(command, pass_fds=[number], stderr=subprocess.PIPE, env={**os.environ})
        try:
            assert Helper(f"{tmp_path}/s").survey(TAG).version == WIRE_VERSION
        finally:
            started.kill()
            started.communicate()


def test_a_socket_of_another_kind_is_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(f"{tmp_path}/s")
        listener.listen()
        script = f'exec 3<&{listener.fileno()}; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"'
        command = ["/bin/bash", "-c", script, "starter", *COMMAND, "--chroot-base", f"{tmp_path}/b"]
        done = subprocess.run(
            command, pass_fds=[listener.fileno()], capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 1 and "ListenSequentialPacket" in done.stderr
