"""A far page whose colour is its caller's address, for what a streamed desktop shows. Run in the lab's far side.

`far_page.py PORT LOG`: `/colour` is a page in the caller's colour, which loads itself again each second;
`/drip` sends a piece each tenth of a second for two minutes. Each request, and each tenth piece, is a line of LOG.
"""

from __future__ import annotations

import hashlib
import json
import socketserver
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DRIP_S = 120.0


def colour(address: str) -> tuple[int, int, int]:
    """A colour far from black and white, other for each address."""
    digest = hashlib.sha256(address.encode()).digest()
    red, green, blue = (60 + byte % 140 for byte in digest[:3])
    return red, green, blue


class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.note("request")
        if self.path.startswith("/drip"):
            self.drip()
            return
        red, green, blue = colour(self.client_address[0])
        body = (
            "<!doctype html><meta http-equiv=refresh content=1><title>far</title>"
            f"<body style='margin:0;height:100vh;background:rgb({red},{green},{blue})'>"
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def drip(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        end, number = time.monotonic() + DRIP_S, 0
        try:
            while time.monotonic() < end:
                self.wfile.write(b"400\r\n" + b"x" * 1023 + b"\n\r\n")
                self.wfile.flush()
                number += 1
                if number % 10 == 0:
                    self.note("drip", number=number)
                time.sleep(0.1)
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.note("cut", number=number)

    def note(self, what: str, **more: object) -> None:
        line = {
            "what": what,
            "address": self.client_address[0],
            "target": self.path,
            "port": self.client_address[1],
        }
        with open(sys.argv[2], "a") as log:
            log.write(json.dumps({**line, **more}) + "\n")

    def log_message(self, *words: object) -> None:
        return


class Server(ThreadingHTTPServer):
    daemon_threads = True
    address_family = socketserver.socket.AF_INET  # type: ignore[attr-defined]


if __name__ == "__main__":
    Server(("0.0.0.0", int(sys.argv[1])), Page).serve_forever()
