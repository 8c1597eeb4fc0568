"""The settings of the web chat, as the composition root hands them in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WebConfig:
    """`public_url` has no trailing slash. `frame_ancestors` are the origins that may show the chat in a frame ("https://broker.example").

    The rates are written as the `limits` package reads them. A session's messages are a person's; the others are for an address
    of the internet, behind which an office or a mobile operator may stand.
    """

    public_url: str
    operator_name: str
    demo: bool
    frame_ancestors: tuple[str, ...] = ()
    session_messages: str = "60/minute"
    address_messages: str = "600/minute"
    address_sessions: str = "60/minute"
    session_streams: int = 8

    @property
    def https(self) -> bool:
        return self.public_url.startswith("https://")
