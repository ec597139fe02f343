"""The far side of the lab's exits: web server and echo services that write down who called, and from where.

Run as a program: `exit_far.py LOG CERT KEY`. Ports: 80 and 8080 http, 443 and 8443 https, 7 echo, 9 discard,
19 a flood of bytes. Over HTTP: `/ip` the caller's address, `/bytes/N` that many bytes, `/status/N`,
`/redirect`, `/slow/S` (seconds before the answer), everything else the request as JSON.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter
PIECE = b"x" * 65536
LOG = ""


def note(**fact: Any) -> None:
    """One line of JSON in the log; `lab.seen()` reads them."""
    with open(LOG, "a") as log:
        log.write(json.dumps({"at": time.time(), **fact}) + "\n")


async def body_of(reader: Reader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        whole = b""
        while size := int((await reader.readline()).split(b";")[0], 16):
            whole += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
        return whole
    return await reader.readexactly(int(headers.get("content-length", "0")))


async def answer(writer: Writer, status: int, body: bytes, *headers: str) -> None:
    head = [f"HTTP/1.1 {status} Far", f"Content-Length: {len(body)}", "Content-Type: text/plain", *headers]
    writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + body)
    await writer.drain()


async def flood(writer: Writer, size: int) -> None:
    writer.write(f"HTTP/1.1 200 Far\r\nContent-Length: {size}\r\n\r\n".encode())
    while size > 0:
        writer.write(PIECE[:size])
        size -= len(PIECE)
        await writer.drain()


async def web(reader: Reader, writer: Writer) -> None:
    peer = writer.get_extra_info("peername")
    while (line := await reader.readline()).strip():
        method, target, _ = line.decode("latin-1").split()
        headers: dict[str, str] = {}
        while header := (await reader.readline()).decode("latin-1").strip():
            name, _, value = header.partition(":")
            headers[name.lower()] = value.strip()
        body = await body_of(reader, headers)
        tls = writer.get_extra_info("ssl_object") is not None
        fact = {"service": "web", "tls": tls, "address": peer[0], "method": method, "target": target}
        note(**fact, headers=headers, port=writer.get_extra_info("sockname")[1])
        kind, _, rest = target.removeprefix("/").partition("/")
        if kind == "ip":
            await answer(writer, 200, peer[0].encode() + b"\n")
        elif kind == "bytes":
            await flood(writer, int(rest))
        elif kind == "status":
            await answer(writer, int(rest), b"")
        elif kind == "redirect":
            await answer(writer, 302, b"", "Location: http://169.254.169.254/")
        else:
            if kind == "slow":
                await asyncio.sleep(float(rest))
            await answer(writer, 200, json.dumps({**fact, "headers": headers, "body": len(body)}).encode())


async def echo(reader: Reader, writer: Writer) -> None:
    note(service="echo", address=writer.get_extra_info("peername")[0])
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


async def discard(reader: Reader, writer: Writer) -> None:
    while await reader.read(2**20):
        pass


async def chargen(reader: Reader, writer: Writer) -> None:
    while True:
        writer.write(PIECE)
        await writer.drain()


def serving(
    service: Callable[[Reader, Writer], Coroutine[Any, Any, None]],
) -> Callable[[Reader, Writer], Coroutine[Any, Any, None]]:
    async def serve(reader: Reader, writer: Writer) -> None:
        try:
            await service(reader, writer)
        except (OSError, ValueError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    return serve


async def main(cert: str, key: str) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(cert, key)
    for port, service, context in (
        (80, web, None),
        (8080, web, None),
        (443, web, tls),
        (8443, web, tls),
        (7, echo, None),
        (9, discard, None),
        (19, chargen, None),
    ):
        await asyncio.start_server(serving(service), None, port, ssl=context)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    LOG = sys.argv[1]
    asyncio.run(main(*sys.argv[2:4]))
