"""Serving one process: socket, application, signals, and the words that tell a newcomer where to go.

Lives here: uvicorn and the order of starting and stopping. Must not live here: what is served (`akses/compose.py`).
"""

from __future__ import annotations

import sys
from typing import Final

import uvicorn

from akses.compose import Role, composed, listen
from akses.settings import Settings

# Open event streams end at once when the server stops (browsers come back by themselves); requests under way get this long.
DRAIN_SECONDS: Final = 5
# Slow or idle clients are let go after this long between requests.
KEEP_ALIVE_SECONDS: Final = 20


async def serve(settings: Settings, role: Role) -> None:
    """Serve until SIGINT or SIGTERM. Raises OSError when the port is taken, AlreadyRunning when DATA_DIR is."""
    listening = listen(settings)
    with listening:
        async with composed(settings, role) as app:
            config = uvicorn.Config(
                app,
                log_config=None,
                access_log=False,  # paths hold activation tokens
                lifespan="off",
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=DRAIN_SECONDS,
                h11_max_incomplete_event_size=16 * 1024,
            )
            if role == "run":
                sys.stdout.write(welcome(settings))
                sys.stdout.flush()
            await uvicorn.Server(config).serve(sockets=[listening])


def welcome(settings: Settings) -> str:
    """Where everything is, in one look."""
    base = settings.public_base
    demo = (
        "  Demonstrasi: semua data tetap di komputer ini. / Demonstration: all data stays on this machine.\n"
        if settings.embedded
        else ""
    )
    return (
        f"\n  AKSes {settings.operator_name}\n{demo}\n"
        f"  Web chat      {base}/chat\n"
        f"  Home page     {base}/\n"
        f"  Inbox         {base}/inbox      (the mails that the product sends)\n"
        f"  Helpdesk      {base}/helpdesk   (coming)\n"
        f"  Terminal      ./run chat        (in another terminal)\n"
        f"\n  Stop with Ctrl+C; nothing is lost, and ./run goes on where it was.\n\n"
    )
