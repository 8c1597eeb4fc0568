"""Which chat this is: a channel's name and the channel's own address of the chat, written `channel:address`."""

from __future__ import annotations

from typing import NamedTuple


class Conversation(NamedTuple):
    channel: str
    address: str

    def __str__(self) -> str:
        return f"{self.channel}:{self.address}"

    @classmethod
    def parse(cls, written: str) -> Conversation:
        channel, _, address = written.partition(":")
        return cls(channel, address)
