"""The mails as a person reads them: subject, HTML and text, in the language of the registration.

Lives here: filling `backend/mail/templates/` (MJML, compiled once, then Jinja2 with autoescape) with `backend/texts/`. Must not live
here: sending, Message-ID, headers (the sending modules of this folder). A mail carries one link, nothing remote, and no personal data
besides the salutation.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Final, Literal, Protocol

from jinja2 import Environment, StrictUndefined, Template

from backend.texts import CALL_CENTRE, HELPDESK_EMAIL, TOLL_FREE, Language, moment, text

# RFC 5322 2.1.1 asks for at most 78 characters a line; a link is never broken.
_TEXT_WIDTH: Final = 76


AccountMailKind = Literal["password_reset", "password_changed", "account_deleted"]


class Operator(Protocol):
    """What a mail says about who sends it (a `BackendConfig` fits)."""

    @property
    def public_url(self) -> str: ...
    @property
    def operator_name(self) -> str: ...
    @property
    def demo(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class RenderedMail:
    """One mail. `subject` is plain text of one line; `html` and `text` say the same and hold the same link."""

    subject: str
    html: str
    text: str


def render_activation(
    *,
    language: Language,
    full_name: str,
    link: str,
    expires_at: datetime,
    config: Operator,
    code: str = "",
) -> RenderedMail:
    """The guide's step 8: the activation link, until when it works (told in WIB), whom to call. `expires_at` carries its time zone.

    With a `code` it also says where that is typed instead, and that nobody else may have it.
    """
    return _render(
        "activation",
        language,
        full_name,
        link,
        config,
        expires=text(language, "mail.activation.expires", moment=moment(language, expires_at)),
        expired=text(language, "mail.activation.expired"),
        code=code,
    )


def render_already_registered(*, language: Language, full_name: str, config: Operator) -> RenderedMail:
    """To the mailbox alone: the data belong to an active account already. The chat got the same answer as always (no oracle)."""
    return _render(
        "registered",
        language,
        full_name,
        f"{config.public_url}/masuk",
        config,
        expires="",
        expired="",
    )


def render_mismatch(*, language: Language, full_name: str, config: Operator) -> RenderedMail:
    """To the mailbox alone: another e-mail than the one at the broker or investment manager; they are who can put it right."""
    return _render("mismatch", language, full_name, f"{config.public_url}/", config, expires="", expired="")


def render_notice(*, kind: Literal["active", "expired"], language: Language, full_name: str, config: Operator) -> RenderedMail:
    """What the chat could not be told, because it cannot be reached: the account is active, or its last link has run out."""
    link = f"{config.public_url}/masuk" if kind == "active" else f"{config.public_url}/"
    return _render(f"notice_{kind}", language, full_name, link, config, expires="", expired="")


def render_account(
    *, kind: AccountMailKind, language: Language, full_name: str, link: str, expires_at: datetime, config: Operator
) -> RenderedMail:
    """About an active account. `link` sets a new password (`password_reset`) and is "" otherwise: those mails lead to a page of ours."""
    if kind == "password_reset":
        expires = text(language, "mail.password_reset.expires", moment=moment(language, expires_at))
        expired = text(language, "mail.password_reset.expired")
        return _render(kind, language, full_name, link, config, expires=expires, expired=expired)
    page = "/masuk/lupa" if kind == "password_changed" else "/"
    return _render(kind, language, full_name, f"{config.public_url}{page}", config, expires="", expired="")


def _render(
    mail: str,
    language: Language,
    full_name: str,
    link: str,
    config: Operator,
    **facts: str,
) -> RenderedMail:
    words = (
        "subject",
        "preview",
        "title",
        "body",
        "button",
        "plain",
        "text_link",
        "not_you",
    )
    facts |= {word: text(language, f"mail.{mail}.{word}") for word in words}
    code = facts.setdefault("code", "")
    facts |= {word: text(language, f"mail.code.{word}") if code else "" for word in ("code_title", "code_where", "code_secret")}
    facts |= {
        "language": language,
        "link": link,
        "salutation": text(language, "mail.salutation", name=full_name),
        "demo": text(language, "mail.demo", operator=config.operator_name) if config.demo else "",
        "never": text(language, "mail.never"),
        "contacts_title": text(language, "mail.contacts_title"),
        "call_centre": text(language, "mail.call_centre", number=CALL_CENTRE),
        "toll_free": text(language, "mail.toll_free", number=TOLL_FREE),
        "helpdesk": text(language, "mail.helpdesk", address=HELPDESK_EMAIL),
        "sent_by": text(language, "mail.sent_by", operator=config.operator_name),
        "footer_reason": text(language, "mail.footer_reason"),
    }
    return RenderedMail(facts["subject"], _html().render(facts), _wrapped(_text().render(facts)))


def _wrapped(written: str) -> str:
    lines = []
    for line in written.splitlines():
        lines += (
            textwrap.wrap(line, _TEXT_WIDTH, break_long_words=False, break_on_hyphens=False) or [""]
            if line != "-- "
            else [line]
        )
    return "\n".join(lines) + "\n"


@cache
def _html() -> Template:
    # Imported and compiled at the first mail: neither belongs to start-up.
    from mjml import mjml2html

    compiled = mjml2html(_source("layout.mjml"), disable_comments=True, fonts={})
    return Environment(autoescape=True, undefined=StrictUndefined).from_string(compiled)


@cache
def _text() -> Template:
    # Plain text has no markup to escape.
    return Environment(autoescape=False, undefined=StrictUndefined).from_string(_source("layout.txt"))  # noqa: S701


def _source(name: str) -> str:
    return (files("backend") / "mail" / "templates" / name).read_text(encoding="utf-8")
