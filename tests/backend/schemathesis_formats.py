"""What the contract's formats mean, for schemathesis, which makes requests of them (SCHEMATHESIS_HOOKS names this module)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import schemathesis
from email_validator import EmailNotValidError, validate_email
from hypothesis import strategies as st

PAST = "2026-11-20T03:04:05Z"


def _is_address(text: str) -> bool:
    try:
        validate_email(text, check_deliverability=False, test_environment=True, allow_smtputf8=False)
    except EmailNotValidError:
        return False
    return len(text) <= 254


def _is_name(text: str) -> bool:
    return any(map(str.isalpha, text)) and "www." not in text


schemathesis.openapi.format("email", st.emails().filter(_is_address))
schemathesis.openapi.format("person-name", st.text("abcdwABCDWÀÖøÿ '.-", min_size=1, max_size=150).filter(_is_name))


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    """Nobody has agreed tomorrow: the one rule that no format of a schema says. Times that are none are left as they are."""
    consent = case.body.get("consent") if isinstance(case.body, dict) else None
    if isinstance(consent, dict) and isinstance(consent.get("given_at"), str):
        try:
            at = datetime.fromisoformat(consent["given_at"])
        except ValueError:
            return
        if at.tzinfo is not None and at > datetime.now(UTC):
            consent["given_at"] = PAST
