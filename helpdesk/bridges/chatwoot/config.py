"""What the composition root tells of Chatwoot, and nothing that can be asked of it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ChatwootConfig:
    """`url` is Chatwoot's own address without a slash at its end, `account` and `inbox` its numbers. `token` is the agent bot's, who speaks
    for us; `api_token` that of an administrator, for what a bot may not (contacts, reading, states of messages). `secrets` are the inbox's,
    all of which verify; where there is none, a webhook is only ever a reason to ask Chatwoot itself, and it is one there as well.
    """

    url: str
    account: int
    inbox: int
    token: str = field(repr=False)
    api_token: str = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
