"""`python3 -m transom_guest.signin`: the supervised sign-in agent."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from pathlib import Path

from transom_guest import standby
from transom_guest.desktop.browser import open_url
from transom_guest.link import DEFAULT_TOKEN_FILE, Link, keep_linked
from transom_guest.signin.agent import Agent


async def main() -> None:
    """Hold the link for ever; the supervisor starts this again if it dies."""
    runtime = Path(os.environ.get("TRANSOM_LINK_TOKEN_FILE", DEFAULT_TOKEN_FILE)).parent

    async def open_here(url: str) -> None:
        await open_url(url, os.environ)

    async def serve(link: Link) -> None:
        await agent.serve(link)

    agent = Agent(home=Path(os.environ["HOME"]), runtime=runtime, open_url=open_here)
    await keep_linked("signin", serve)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="[SIGNIN] %(message)s")
    standby.wait(sys.argv)
    asyncio.run(main())
