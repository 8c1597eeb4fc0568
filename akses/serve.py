"""Serving one process: socket, application, signals, and the words that tell a newcomer where to go.

Lives here: uvicorn and the order of starting and stopping. Must not live here: what is served (`akses/compose.py`).

Asked to stop (SIGTERM, SIGINT), a process says at once that it is no longer ready and ends its open streams, goes on listening while
whoever spreads the load takes notice, then takes no more, ends the requests under way, and lets go of its parts in reverse order:
deliveries under way end, jobs end or are left to the next start. A second signal ends it at once; that loses nothing either, it only
makes the next start finish what was begun.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog
import uvicorn

from akses.compose import Role, composed, listen
from akses.fast_lane import fast_lane
from akses.settings import Settings

log = structlog.get_logger(__name__)

STOPPING: Final = (signal.SIGTERM, signal.SIGINT)
# Still listening for so long after readiness has ended, where others can take over; nobody spreads load over the embedded product.
LINGER_SECONDS: Final[dict[Role, float]] = {"run": 0.0, "worker": 0.0, "web": 2.0, "bot": 2.0}
# Requests under way get this long.
DRAIN_SECONDS: Final = 5
# Slow or idle clients are let go after this long between requests.
KEEP_ALIVE_SECONDS: Final = 20


class Server(uvicorn.Server):
    """Leaves the signals to `serve`: uvicorn would raise them anew once it has stopped, and so end the process before its parts."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(settings: Settings, role: Role) -> None:
    """Serve until SIGINT or SIGTERM. Raises OSError when the port is taken, AlreadyRunning when DATA_DIR is."""
    asked = _asked_to_stop()
    with listen(settings) as listening:
        async with composed(settings, role) as served:
            config = uvicorn.Config(
                served.app,
                http=fast_lane(served.posts, served.answers),
                log_config=None,
                access_log=False,  # paths hold activation tokens
                lifespan="off",
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=DRAIN_SECONDS,
            )
            server = Server(config)
            serving = asyncio.create_task(server.serve(sockets=[listening]), name="serving")
            settle()
            if role == "run":
                sys.stdout.write(welcome(settings, served.way_in))
                sys.stdout.flush()
            log.info("process.started", role=role, port=settings.port)
            await asyncio.wait({asked, serving}, return_when=asyncio.FIRST_COMPLETED)
            log.info("process.stopping", role=role)
            for tell in served.on_stop:
                tell()
            await asyncio.wait({serving}, timeout=LINGER_SECONDS[role])
            server.should_exit = True
            await serving
    log.info("process.stopped", role=role)


def _asked_to_stop() -> asyncio.Future[None]:
    """Done when the first signal comes, also while the process is still being built. The second one ends it as it ends any process."""
    loop = asyncio.get_running_loop()
    asked: asyncio.Future[None] = loop.create_future()

    def stop() -> None:
        for number in STOPPING:
            loop.remove_signal_handler(number)
        asked.set_result(None)

    for number in STOPPING:
        loop.add_signal_handler(number, stop)
    return asked


def settle() -> None:
    """What has been loaded by now stays: the cycle collector need not look at it again, and need not look so often.

    A turn leaves hardly any cycles; measured, this is worth a fifth of a turn's time and the longest pauses.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)


def welcome(settings: Settings, way_in: str) -> str:
    """Where everything is, in one look. `way_in` opens the helpdesk once, by itself."""
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
        f"  Helpdesk      {way_in or f'{base}/helpdesk'}\n"
        f"{'                (this link signs you in, once; akses agents add brings in others)' if way_in else ''}\n"
        f"  Terminal      ./run chat        (in another terminal)\n"
        f"\n  Stop with Ctrl+C; nothing is lost, and ./run goes on where it was.\n\n"
    )
