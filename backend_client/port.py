"""What the bot needs of a backend. `client.py` speaks all of it over HTTP; `fake.py` is the same in memory, and passes the
same tests.
"""

from __future__ import annotations

from typing import Protocol

from backend_client.models import FieldName, NewRegistration, NoticeKind, Page, Registration, RegistrationState


class Backend(Protocol):
    """Every method raises the errors of `backend_client/errors.py` and nothing else.

    `key` is the Idempotency-Key: the same key with the same body is done once and answered the same; with another body it
    raises KeyReused.
    """

    async def create(self, registration: NewRegistration, *, key: str) -> Registration:
        """Take a registration and mail its activation link. New, known and mismatching data are answered alike."""

    async def status(self, registration: str) -> Registration: ...

    async def resend(self, registration: str, *, key: str) -> Registration:
        """Mail the link again. Raises LimitReached within 60 s of the last mail and over the budgets."""

    async def change_email(self, registration: str, email: str, *, key: str) -> Registration:
        """Move a pending registration to another address: all its links become void and a new one is mailed."""

    async def withdraw(self, registration: str) -> None:
        """Void the links and erase the data of a pending registration. Doing it twice is no error."""


class Notices(Protocol):
    """News by mail, for a bot that has people whom it cannot reach. Errors and `key` as with `Backend`."""

    async def notify(self, registration: str, kind: NoticeKind, *, key: str) -> Registration:
        """Tell the person by mail what their chat could not be told.

        Nobody is mailed whose address wants no mail or is erased by now; the answer does not tell. Raises RegistrationClosed when the
        registration is not (or no longer) what `kind` says, and LimitReached over the budgets.
        """


class Revealing(Protocol):
    """What people of the operator's need who may see a field in the clear. Errors as with `Backend`; takes a key of the role `reveal`."""

    async def reveal(self, registration: str, field: FieldName, *, reason: str, actor: str) -> str:
        """One field of a registration that waits for its owner; `actor` is who will see it. Each time is a line of the backend's audit.

        Raises RegistrationClosed for what is active (its data are its account's), withdrawn or erased, and LimitReached.
        """


class Listing(Protocol):
    """What an overview needs: the registrations of the key's own channels. Errors as with `Backend`."""

    async def registrations(
        self,
        *,
        status: RegistrationState | None = None,
        channel: str | None = None,
        after: str | None = None,
        limit: int = 20,
    ) -> Page:
        """A page of at most `limit` (1 to 50), the newest first; `after` is the `next` of the page before."""
