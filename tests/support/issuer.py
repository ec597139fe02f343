"""The demo's issuer, over real HTTP."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from transom_guest.demo.issuer import serve


@contextmanager
def demo_issuer() -> Iterator[str]:
    """One on a port of its own, until the block ends: its URL."""
    server = serve(0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
