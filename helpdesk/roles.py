"""Who may do what: roles, and the rights that each of them has. An agent may have several roles; what any of them may, the agent may.

Lives here: the table. Must not live here: where a right is asked for (`console/`). docs/helpdesk.md shows it to supervisors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal, get_args

Role = Literal["viewer", "agent", "supervisor", "admin", "auditor"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)

# look: lists, transcripts and panels, masked. act: take from the queue, and everything with one's own. act_any: the same with others'.
# reveal_contact, reveal_nik: ask for a value in the clear, with a reason. export: the list as a file. numbers: the dashboard.
# canned: everybody's canned replies. agents: invite, disable, change roles. audit: read the audit.
Right = Literal["look", "act", "act_any", "reveal_contact", "reveal_nik", "export", "numbers", "canned", "agents", "audit"]
RIGHTS: Final[tuple[Right, ...]] = get_args(Right)

OF_ROLE: Final[Mapping[Role, frozenset[Right]]] = {
    "viewer": frozenset({"look"}),
    "agent": frozenset({"look", "act", "reveal_contact"}),
    "supervisor": frozenset({"look", "act", "act_any", "reveal_contact", "reveal_nik", "export", "numbers", "canned"}),
    "admin": frozenset({"agents", "canned", "numbers"}),
    "auditor": frozenset({"audit"}),
}

# What each field of the form takes to be shown in the clear.
TO_REVEAL: Final[Mapping[str, Right]] = {
    "full_name": "reveal_contact",
    "phone": "reveal_contact",
    "email": "reveal_contact",
    "nik": "reveal_nik",
}


class UnknownRole(ValueError):
    """There is no such role; the text names those that there are."""


def parse(written: str | Iterable[str]) -> tuple[Role, ...]:
    """Roles out of "agent, admin", or of several such; in the table's order, each once. Raises UnknownRole, also for none at all."""
    parts = written.split(",") if isinstance(written, str) else [part for each in written for part in each.split(",")]
    names = {part.strip().lower() for part in parts} - {""}
    if not names or names - set(ROLES):
        raise UnknownRole(f"a role is one of: {', '.join(ROLES)}")
    return tuple(role for role in ROLES if role in names)


def rights(roles: Iterable[Role]) -> frozenset[Right]:
    return frozenset[Right]().union(*(OF_ROLE[role] for role in roles))
