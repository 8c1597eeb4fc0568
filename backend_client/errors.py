"""What can go wrong between the bot and the backend, as types; each docstring is the message."""

from __future__ import annotations

from backend_client.models import Limit


class BackendError(Exception):
    """The backend did not do what was asked."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or self.__doc__)


class BackendUnreachable(BackendError):
    """The backend cannot be reached or is not well; the same request may be sent again with the same key."""


class LimitReached(BackendError):
    """Too many requests of this kind; `retry_after` seconds must pass first (rounded up). `limit` says which limit, where it is told."""

    def __init__(self, retry_after: int, detail: str = "", *, limit: Limit | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
        self.limit = limit


class RequestRefused(BackendError):
    """The backend refuses this request for good; sending it again cannot help. `code` is the problem's stable code."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(detail or code)
        self.code = code


class RegistrationUnknown(RequestRefused):
    """The backend knows no such registration."""


class RegistrationClosed(RequestRefused):
    """The registration is not in the state that this is for: mostly because it is active or withdrawn already."""


class KeyReused(RequestRefused):
    """The same Idempotency-Key came with another body."""
