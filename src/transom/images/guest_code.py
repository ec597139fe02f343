"""The guest's code with its byte code: compiled once by the image's own Python, not at each start of each machine.

Under emulation compiling takes seconds of every boot. The byte code is not looked at again for changes
(`unchecked-hash`, PEP 552): the folder never changes, its name says of what code and what image it is.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path

from transom.images.run import inside, run

COMPILE_DEADLINE = 60.0
"""Seconds; one is what it takes."""
IMAGE_CHARACTERS = 16
"""Of the image's digest in the folder's name."""
CODE = "/tmp/code"  # noqa: S108 - in a sandbox's own /tmp


def name_of(source: Path, image: str) -> str:
    """What the compiled form of the staged folder `source` is called for the image of this digest."""
    return f"{source.name}-{image.removeprefix('sha256-')[:IMAGE_CHARACTERS]}"


def compiled(source: Path, root: Path, image: str) -> Path:
    """A folder beside `source` with the same code and its byte code for the Python in `root`; made by one rename.

    Blocking, the first time for a second. Raises ImageError when that Python does not run, OSError.
    """
    final = source.with_name(name_of(source, image))
    if final.is_dir():
        return final
    work = Path(tempfile.mkdtemp(prefix=".new-", dir=source.parent))
    try:
        shutil.copytree(source, work / "code", copy_function=shutil.copyfile)
        run(_compile(root, work / "code"), deadline=COMPILE_DEADLINE, mend="transom image build")
        _open_to_all(work / "code")
        os.rename(work / "code", final)
    except OSError:
        if not final.is_dir():  # another may have been faster
            raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return final


def _compile(root: Path, code: Path) -> list[str]:
    rights = ("--cap-drop", "ALL", "--cap-add", "CAP_DAC_OVERRIDE") if os.geteuid() == 0 else ()
    argv = ("python3", "-I", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", CODE)
    return inside(root, argv, writes=False, options=("--new-session", *rights, "--bind", str(code), CODE))


def _open_to_all(folder: Path) -> None:
    """A sandbox's user, who owns none of it, reads it."""
    for place, _, names in os.walk(folder):
        os.chmod(place, 0o755)  # noqa: S103 - it holds nothing secret
        for name in names:
            path = Path(place, name)
            if path.is_symlink() or not path.is_file():
                raise OSError(errno.EINVAL, "the image's Python left something else than files", str(path))
            os.chmod(path, 0o644)
