"""The caught mails and short messages on disk, in a Maildir that survives a restart and a kill -9.

Lives here: keeping, reading and forgetting mails. Must not live here: SMTP (`catcher.py`), HTML (`pages.py`). Methods block on
the disk: call them in a thread.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import mailbox
import re
import textwrap
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.errors import MessageError
from email.message import EmailMessage, MIMEPart
from html.parser import HTMLParser
from pathlib import Path
from typing import Final, Literal

KEPT_MAILS: Final = 500
# Characters of a short message that stand for a subject.
_SUBJECT: Final = 70
_ENVELOPE: Final = b"X-Inbox-Recipients: "  # a line of ours before the mail's own first
_SMS: Final = "X-Inbox-Sms"  # a header that only our own short messages bear: mails are read from behind the line above
_LINK: Final = re.compile(r"https?://[^\s<>\"']+")
_AFTER_LINK: Final = ".,;:!?)]}"
# A Maildir's file name: seconds, microseconds, process, count.
_KEY: Final = re.compile(r"(\d+)\.M(\d+)P\d+Q(\d+)")
# What the standard library's mail parser may raise on a mail that keeps no rule.
_UNREADABLE: Final = (MessageError, LookupError, ValueError, AttributeError, TypeError)


@dataclass(frozen=True, slots=True)
class CaughtMail:
    """One mail as it came. `recipients` are of the SMTP envelope; `sender`, `to` and `subject` are what its header says;
    `received_at` is UTC; `html` is None when it has no such part; `links` are the http(s) addresses of both parts, each once,
    in their order.
    """

    id: str
    received_at: datetime
    sender: str
    to: str
    recipients: tuple[str, ...]
    subject: str
    date: datetime
    message_id: str
    text: str
    html: str | None
    links: tuple[str, ...]
    kind: Literal["mail", "sms"] = "mail"


class MailStore:
    """The newest `kept` mails in `folder`, which only its owner can read. Safe to use from several threads of one process."""

    def __init__(self, folder: Path, *, kept: int = KEPT_MAILS) -> None:
        for part in (folder, folder / "tmp", folder / "new", folder / "cur"):
            part.mkdir(mode=0o700, parents=True, exist_ok=True)
            part.chmod(0o700)
        self._maildir = mailbox.Maildir(folder, create=False)
        self._maildir.clean()
        self.kept = kept
        self._read: dict[str, CaughtMail] = {}
        self._lock = threading.Lock()

    def keep(self, content: bytes, recipients: Iterable[str]) -> None:
        """Have the mail on disk when this returns. Raises OSError."""
        envelope = _ENVELOPE + json.dumps(list(recipients)).encode("ascii") + b"\r\n"
        with self._lock:
            self._maildir.add(envelope + content)
            for key in self._newest_first()[self.kept :]:
                self._maildir.discard(key)

    def keep_sms(self, message: str, to: str, text: str) -> None:
        """A short message, kept beside the mails; `message` is its sender's id for it, `to` E.164. Raises OSError."""
        mail = EmailMessage(policy=policy.SMTP)
        mail[_SMS] = "1"
        mail["To"] = to
        mail["Subject"] = textwrap.shorten(_one_line(text), _SUBJECT, placeholder="\N{HORIZONTAL ELLIPSIS}")
        mail["Message-ID"] = f"<sms-{re.sub(r'[^A-Za-z0-9]', '', message)}@inbox>"
        mail.set_content(_clean(text))
        self.keep(mail.as_bytes(), (to,))

    def mails(self, recipient: str = "") -> tuple[CaughtMail, ...]:
        """Newest first; only those to `recipient` when it is given."""
        with self._lock:
            keys = self._newest_first()
            self._read = {key: self._read.get(key) or _mail(key, self._maildir.get_bytes(key)) for key in keys}
            mails = tuple(self._read.values())
        wanted = recipient.strip().casefold()
        return tuple(mail for mail in mails if not wanted or wanted in map(str.casefold, mail.recipients))

    def _newest_first(self) -> list[str]:
        return sorted(self._maildir.keys(), key=_arrival, reverse=True)


def _arrival(key: str) -> tuple[int, int, int]:
    match = _KEY.match(key)
    return (int(match[1]), int(match[2]), int(match[3])) if match else (0, 0, 0)


def _clean(text: str) -> str:
    """Without the half characters that undecodable bytes leave behind; they can be written nowhere."""
    return text.encode("utf-8", "replace").decode()


def _one_line(text: str) -> str:
    return _clean(" ".join(text.split()))


def _mail(key: str, stored: bytes) -> CaughtMail:
    recipients, content = _opened(stored)
    message = message_from_bytes(content, policy=policy.default)
    seconds, microseconds, _ = _arrival(key)
    received_at = datetime.fromtimestamp(seconds, UTC).replace(microsecond=min(microseconds, 999_999))
    text, html = (_part(message, "plain") or "").replace("\r\n", "\n"), _part(message, "html")
    return CaughtMail(
        id=hashlib.sha256(key.encode()).hexdigest()[:20],
        received_at=received_at,
        sender=_header(message, "From"),
        to=_header(message, "To"),
        recipients=recipients,
        subject=_header(message, "Subject"),
        date=_date(message) or received_at,
        message_id=_header(message, "Message-ID"),
        text=text,
        html=html,
        links=tuple(dict.fromkeys([*links_of(text), *_html_links(html or "")])),
        kind="sms" if _SMS in message else "mail",
    )


def links_of(text: str) -> list[str]:
    """The http(s) addresses in a plain text, without the punctuation that follows them."""
    return [link.rstrip(_AFTER_LINK) for link in _LINK.findall(text)]


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.links += [value for name, value in attrs if name == "href" and value and _LINK.fullmatch(value)]


def _html_links(html: str) -> list[str]:
    anchors = _Anchors()
    with contextlib.suppress(AssertionError):  # html.parser's way to say that a declaration is malformed
        anchors.feed(html)
    return anchors.links


def _opened(stored: bytes) -> tuple[tuple[str, ...], bytes]:
    """The envelope's recipients (the header's To may name others, and a blind copy names nobody) and the mail as it came."""
    first, _, content = stored.partition(b"\n")
    if not first.startswith(_ENVELOPE):
        return (), stored  # put here by somebody else
    return tuple(_one_line(str(recipient)) for recipient in json.loads(first.removeprefix(_ENVELOPE))), content


def _header(message: EmailMessage, name: str) -> str:
    try:
        return _one_line(str(message.get(name, "")))
    except _UNREADABLE:
        return ""


def _date(message: EmailMessage) -> datetime | None:
    try:
        moment = message["Date"].datetime
    except _UNREADABLE:
        return None
    return moment.astimezone(UTC) if moment is not None and moment.tzinfo is not None else None


def _part(message: EmailMessage, kind: str) -> str | None:
    try:
        part = message.get_body((kind,))
        return None if part is None else _content(part)
    except _UNREADABLE:
        return None


def _content(part: MIMEPart) -> str:
    try:
        return _clean(str(part.get_content()))
    except _UNREADABLE:
        payload = part.get_payload(decode=True)
        return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""
