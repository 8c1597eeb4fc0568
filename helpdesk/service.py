"""The helpdesk, built: its services on one database, one keyring and the one audit.

Lives here: construction. Must not live here: HTTP (`console/`), or any part that is shared with the rest of the product (`ports.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from helpdesk.agents import Agents
from helpdesk.config import DeskConfig
from helpdesk.oidc import Oidc
from helpdesk.ports import Audit, Clock, Counting, Database, Hasher, Judge, Seals, utc_now
from helpdesk.sign_in import SignIn


@dataclass(frozen=True, slots=True)
class Helpdesk:
    """What the console is given."""

    config: DeskConfig
    database: Database
    audit: Audit
    clock: Clock
    agents: Agents
    sign_in: SignIn
    oidc: Oidc | None


def build(
    config: DeskConfig,
    database: Database,
    audit: Audit,
    seals: Seals,
    *,
    hasher: Hasher,
    judge: Judge,
    throttle: Counting,
    clock: Clock = utc_now,
) -> Helpdesk:
    """The helpdesk on a database that is migrated."""
    return Helpdesk(
        config,
        database,
        audit,
        clock,
        Agents(database, audit, clock),
        SignIn(database, audit, seals, hasher, judge, throttle, clock, issuer=f"Helpdesk {config.operator_name}"),
        Oidc(config.oidc, config.public_url, seals, clock) if config.oidc else None,
    )
