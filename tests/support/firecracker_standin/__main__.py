"""The stand-in's command line: the real one's words, those that machines here use. Others are refused."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from tests.support.firecracker_standin.hands import Emulator
from tests.support.firecracker_standin.rules import Microvm
from tests.support.firecracker_standin.server import Server


def main(version: str, tsc_khz: int) -> None:
    """Run as firecracker `version` would; emulated clocks run at `tsc_khz`."""
    parser = argparse.ArgumentParser("firecracker", allow_abbrev=False)
    parser.add_argument("--version", action="store_true")
    parser.add_argument("--id", default="anonymous-instance")
    parser.add_argument("--api-sock", type=Path, default=Path("/run/firecracker.socket"))
    for told_by_the_jailer in ("--start-time-us", "--start-time-cpu-us", "--parent-cpu-time-us"):
        parser.add_argument(told_by_the_jailer, type=int)
    told = parser.parse_args()
    if told.version:
        print(f"Firecracker v{version}")
        return
    sys.exit(asyncio.run(serve(told.id, told.api_sock, version, tsc_khz)))


async def serve(name: str, path: Path, version: str, tsc_khz: int) -> int:
    """Serve the API until the guest ends, something fatal happens, or a signal comes."""
    emulator = Emulator(tsc_khz)
    server = Server(Microvm(emulator, version, name).handle)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    try:
        listening = await server.listen(path)
    except OSError as error:
        print(f"Failed to open the API socket: {error}", file=sys.stderr)
        return 1
    ends = [asyncio.ensure_future(each.wait()) for each in (emulator.ended, server.ended, stopped)]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    listening.close()
    await emulator.kill()
    return 1 if server.ended.is_set() else 0
