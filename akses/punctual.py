"""A request must arrive: soon, and not too large. Who lets a server wait for it, or fill its memory, is let go.

Lives here: what uvicorn's protocol leaves open. A connection says something before its idle time is over; a request is there as a whole
some seconds after its first byte; its head and its body have a size that none of ours comes near. Must not live here: what one route
allows (`backend/api/guard.py`, `backend/pages/guard.py`, the channels), which is less, and answered in that route's own words.
"""

from __future__ import annotations

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

HEAD_BYTES: Final = 16 * 1024
REQUEST_BYTES: Final = 512 * 1024


class Punctual(HttpToolsProtocol):
    """One connection. `arrival_seconds` is counted from the first byte of a request to its last."""

    arrival_seconds = 15.0

    _arrived = 0  # bytes since the last request was complete, or since the connection was made
    _in_head = True
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def data_received(self, data: bytes) -> None:
        self._arrived += len(data)
        super().data_received(data)
        if self._arrived == 0 or self.transport.is_closing():
            return
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.arrival_seconds, self._too_late)
        if self._in_head and self._arrived > HEAD_BYTES:
            self._refuse(431)
        elif self._arrived > REQUEST_BYTES:
            self._refuse(413)

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._arrived, self._in_head = 0, True
        self._forget_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        super().connection_lost(exc)

    def _too_late(self) -> None:
        self._deadline = None
        self._refuse(408)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, status: int) -> None:
        """Say why, unless an answer is being written already, and hang up."""
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            self.transport.write(STATUS_LINE[status] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()
