"""Hosts of a test's own: each a network namespace without a name, which the kernel removes with its last process."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

STOP_S = 5.0


@dataclass
class Node:
    """One host: interfaces, files of /etc and processes of its own. `pid` holds its namespaces."""

    name: str
    holder: subprocess.Popen[bytes]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @classmethod
    def make(cls, name: str, files: Mapping[str, Path]) -> Node:
        """A host with only `lo`; `files` maps a path such as /etc/hosts to what stands there in this host."""
        binds = "".join(f"mount --bind {here} {path} && " for path, here in files.items())
        script = f"{binds}ip link set lo up && echo ready && exec sleep infinity"
        unshare = ["unshare", "--net", "--mount", "--propagation", "private"]
        holder = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *unshare, "sh", "-c", script], stdout=subprocess.PIPE
        )
        assert holder.stdout is not None
        if holder.stdout.readline() != b"ready\n":
            raise RuntimeError(f"no namespace for {name}")
        return cls(name, holder)

    @property
    def pid(self) -> int:
        """The process whose namespaces are this host's."""
        return self.holder.pid

    def inside(self, command: Sequence[str]) -> list[str]:
        """`command` as it is run in this host."""
        return ["nsenter", "-t", str(self.pid), "-n", "-m", "--", *command]

    def run(self, *command: str) -> str:
        """Run to the end; its output. Raises CalledProcessError."""
        return subprocess.run(self.inside(command), check=True, capture_output=True, text=True).stdout

    def start(self, *command: str, log: Path) -> subprocess.Popen[bytes]:
        """Run in the background, until `stop` or the end of this host."""
        with log.open("ab") as out:
            words = ["setpriv", "--pdeathsig", "KILL", *self.inside(command)]
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        self.processes.append(process)
        return process

    def close(self) -> None:
        """End every process of this host, and with the last the host."""
        for process in (*self.processes, self.holder):
            end(process)
        if self.holder.stdout is not None:
            self.holder.stdout.close()


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask `process` to end, then make it."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
