"""transom echo: a service that tells callers their own address, for exits to be asked through."""

from __future__ import annotations

from typing import Annotated

import typer

from transom.cli.failure import Failure

app = typer.Typer(help="A service that tells callers their own address.", no_args_is_help=True)


@app.callback()
def options() -> None:
    """A service that tells callers their own address."""


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "0.0.0.0",
    port: Annotated[int, typer.Option(min=0, max=65535, help="TCP port; 0 takes a free one.")] = 8080,
) -> None:
    """Run it on a host with a public address, until it is stopped. It keeps nothing."""
    import asyncio
    import contextlib
    import signal

    from transom.egress.echo import start

    async def run() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(each, stop.set)
        server = await start(host, port)
        name = f"[{host}]" if ":" in host else host
        print(f"http://{name}:{server.sockets[0].getsockname()[1]}/", flush=True)
        await stop.wait()
        server.close()

    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(run())
    except OSError as error:
        raise Failure(
            f"{host} port {port} cannot be used: {error.strerror}", mend="choose another --port"
        ) from None
