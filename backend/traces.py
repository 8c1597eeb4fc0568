"""Traces, as far as the backend takes part in them: what is in hand is carried on with a job, and with a webhook.

Lives here: the port. Must not live here: a library of traces; the composition root brings one, where the operator has configured it
(`akses/tracing.py`). A trace is carried as HTTP headers are (W3C Trace Context): random ids, never data.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Protocol


class Traces(Protocol):
    @property
    def on(self) -> bool:
        """Whether anything is traced at all; where not, nothing need be looked up for it."""

    def carried(self) -> Mapping[str, str]:
        """The trace in hand, to be carried on; empty where there is none."""

    def span(self, name: str, carried: Mapping[str, str]) -> AbstractContextManager[None]:
        """Everything within as one span, behind what was carried here."""


class _Untraced:
    on: Final = False

    def carried(self) -> Mapping[str, str]:
        return {}

    def span(self, name: str, carried: Mapping[str, str]) -> AbstractContextManager[None]:  # noqa: ARG002 (the port's)
        return nullcontext()


UNTRACED: Final = _Untraced()
