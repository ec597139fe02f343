"""A strict stand-in for Firecracker and its jailer, for hosts without KVM.

It speaks the API as documented and refuses what is documented to be refused; the guest that it starts is real, but
emulated by QEMU. `install` makes the two executables, whose command lines are the real ones'.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
VERSION = "1.16.1"
_HOST = ("/usr", "/bin", "/lib", "/lib64", "/etc/alternatives")
_PROGRAM = """#!{python} -I
import sys
sys.path[:0] = {paths!r}
from tests.support.firecracker_standin.{module} import main
main({arguments})
"""


def install(folder: Path, tsc_khz: int, version: str = VERSION) -> tuple[Path, Path]:
    """Write `firecracker` and `jailer` into `folder`; emulated clocks run at `tsc_khz`, the host's own."""
    firecracker = _write(folder / "firecracker", "__main__", f"{version!r}, {tsc_khz}")
    jailer = _write(folder / "jailer", "jailer", f"{version!r}, {_folders()!r}")
    return firecracker, jailer


def _folders() -> list[str]:
    """What of the host there is to bind, without what lies in another of them."""
    wanted = [each for each in (*_HOST, str(REPOSITORY), sys.prefix, sys.base_prefix) if os.path.isdir(each)]
    return [each for each in wanted if not any(each.startswith(f"{other}/") for other in wanted)]


def _write(path: Path, module: str, arguments: str) -> Path:
    paths = [str(REPOSITORY), str(REPOSITORY / "src")]
    path.write_text(_PROGRAM.format(python=sys.executable, paths=paths, module=module, arguments=arguments))
    path.chmod(0o755)
    return path
