"""E-mail: where the activation link goes, and afterwards the user name.

Lives here: reading, showing and masking an address. Must not live here: sentences (`dialogs/texts/<language>/email.toml`), or
anything that asks the network. What is an address is decided by `email_validator` without DNS; this module says what exactly
is wrong, and offers a repair where there is only one. The part before the @ is kept as typed (its case belongs to the
receiver), the domain in lower case and ASCII.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Literal

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from dialogs.fields import _mailboxes
from dialogs.fields._field import Accepted, Doubt, Doubtful, Parsed, Privacy, Rejected
from dialogs.fields._typed import listed, shortened, visible
from dialogs.frozen import Frozen
from dialogs.screens import Hint

Refusal = Literal[
    "empty", "unreadable", "lines", "url", "digits", "no_at", "two_ats", "two_addresses", "display_name", "no_local",
    "no_domain", "no_dot", "ip", "local_too_long", "too_long", "double_dot", "edge_dot", "spaces", "local_symbols", "accents",
    "domain", "reserved",
]  # fmt: skip
Unusual = Literal[
    "comma",
    "trailing_dot",
    "spaces",
    "missing_at",
    "double_at",
    "at_word",
    "no_dot",
    "typo",
    "role",
    "ksei",
]

MAX_LENGTH, MAX_LOCAL = 254, 64  # RFC 5321 4.5.3.1, as erratum 1690 of RFC 3696 has it
_PLAIN = re.compile(r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
# What cannot be anything but an address: judged without the library, which takes 15 us, and with the same result (a test compares them).
_CERTAIN = re.compile(
    r"(?P<local>[A-Za-z0-9_+-]{1,30}(?:\.[A-Za-z0-9_+-]{1,30})?)@(?P<domain>(?:[a-z0-9]{1,20}(?:-[a-z0-9]{1,20})?\.){1,3}(?P<top>[a-z]{2,20}))"
)
_SPECIAL = frozenset(name.rpartition(".")[2] for name in SPECIAL_USE_DOMAIN_NAMES)
_LABEL = re.compile(
    r"(?:(?:ini\s+)?(?:alamat\s+)?(?:e-?mail|surel)(?:\s+address)?(?:\s+saya)?(?:\s+(?:adalah|is))?\s*[:=]\s*|"
    r"(?:ini\s+)?(?:alamat\s+)?(?:e-?mail|surel)\s+saya(?:\s+adalah)?\s+|my e-?mail(?: address)? is\s+|mailto:\s*)",
    re.IGNORECASE,
)
_URL = re.compile(r"https?://|www\.", re.IGNORECASE)
_ADDRESS = re.compile(r"[^\s,;/<>@]+@[^\s,;/<>@]+\.[^\s,;/<>@]+")
_AT_WORD = re.compile(r"\s*(?:[\[({]\s*(?:at|et|@)\s*[\])}]|(?<=\s)(?:at|et)(?=\s))\s*", re.IGNORECASE)
_DOT_WORD = re.compile(r"\s*(?:[\[({]\s*(?:dot|titik)\s*[\])}]|(?<=\s)(?:dot|titik)(?=\s))\s*", re.IGNORECASE)
_IP = re.compile(r"\[.*\]?|\d{1,3}(?:\.\d{1,3}){3}")
_LOCAL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+")
# What email_validator leaves open without DNS: a dot, and a last label that can be a top-level domain.
_DOMAIN = re.compile(r"[^@]+\.(?:[a-z]{2,63}|xn--[a-z0-9-]+)")


class Email(Frozen, frozen=True):
    """The e-mail question; its value is the address with its domain in lower case (A-labels where it is international)."""

    id: str = "email"
    hint: Hint = "email"
    privacy: Privacy = "contact"

    def parse(self, text: str, today: date) -> Parsed:  # noqa: ARG002 - the shape of every field
        if (certain := _CERTAIN.fullmatch(text)) and certain["top"] not in _SPECIAL:
            return _weighed(text, ())
        if _PLAIN.fullmatch(text) and (address := _valid(text)):
            return _weighed(address, ())
        typed = _unlabelled(visible(text))
        if not typed:
            return _refuse("empty")
        if any(ord(char) < 32 or ord(char) == 127 or "\ud800" <= char <= "\udfff" or char == "\ufffd" for char in typed):
            return _refuse("lines" if "\n" in typed or "\r" in typed else "unreadable")
        if len(typed) > 4 * MAX_LENGTH:
            return _too_long(typed)
        repaired = _repaired(typed)
        if repaired and (address := _valid(repaired[1])):
            return _weighed(address, (_doubt(repaired[0], value=address),))
        return _refusal(typed) or _read(typed)

    def show(self, value: str) -> str:
        return value

    def mask(self, value: str) -> str:
        """First letter of the mailbox and the domain: b***@example.com; of a mailbox of one or two letters nothing."""
        local, _, domain = value.rpartition("@")
        return f"{local[:1] if len(local) > 2 else ''}***@{domain}"


def _refuse(code: Refusal, /, **facts: str | int) -> Rejected:
    return Rejected(code, {key: str(fact) for key, fact in facts.items()})


def _doubt(code: Unusual, /, **facts: str) -> Doubt:
    return Doubt(code, facts)


def _too_long(typed: str) -> Rejected:
    return _refuse("too_long", count=len(typed), max=MAX_LENGTH, extra=len(typed) - MAX_LENGTH)


def _unlabelled(typed: str) -> str:
    """Without "E-mail:", quotes, or angle brackets around the whole."""
    while True:
        before = typed
        typed = typed.strip(" \"'\u201c\u201d\u2018\u2019")
        if typed.startswith("<") and typed.endswith(">"):
            typed = typed[1:-1]
        if label := _LABEL.match(typed):
            typed = typed[label.end() :]
        if typed == before:
            return typed


def _valid(address: str) -> str:
    """The address in its stored form, or "" where it is none."""
    if len(address) > MAX_LENGTH or address.find("@") > MAX_LOCAL:
        return ""
    try:
        checked = validate_email(address, check_deliverability=False, allow_smtputf8=False)
    except (EmailNotValidError, UnicodeError):
        return ""
    domain = checked.ascii_domain or ""
    # As typed: the library would write INFO@ small, and only there.
    return f"{address.rpartition('@')[0]}@{domain}" if _DOMAIN.fullmatch(domain) else ""


def _repaired(typed: str) -> tuple[Unusual, str] | None:
    """What this very likely means, where there is exactly one such reading, and which slip it was."""
    if len(typed) > MAX_LENGTH + 20 or typed.count("@") > 2:
        return None
    local, at, domain = typed.rpartition("@")
    if not at:
        return _with_at(typed)
    if typed.count("@") == 2:
        return ("double_at", typed.replace("@@", "@")) if "@@" in typed else None
    if typed.endswith((".", ",", ";")):
        return "trailing_dot", typed.rstrip(".,;")
    if "," in domain and " " not in typed:
        return "comma", f"{local}@{domain.replace(',', '.')}"
    if re.search(r"\s", typed):
        return _without_spaces(local, domain)
    if "." not in domain and (whole := _mailboxes.completed(domain)):
        return "no_dot", f"{local}@{whole}"
    return None


def _with_at(typed: str) -> tuple[Unusual, str] | None:
    spelled = _DOT_WORD.sub(".", typed)
    if len(_AT_WORD.findall(spelled)) == 1:
        return "at_word", _AT_WORD.sub("@", spelled)
    for domain in _mailboxes.PROVIDERS:
        if typed.lower().endswith(domain):
            local = typed[: -len(domain)].rstrip(" #&*/")
            return ("missing_at", f"{local}@{domain}") if local and not _URL.search(local) else None
    return None


def _without_spaces(local: str, domain: str) -> tuple[Unusual, str] | None:
    """Blanks around the @ and the dots go; a blank between two words may as well separate a sentence from the address."""
    joined = re.sub(r"\s*([@.,])\s*", r"\1", f"{local}@{domain}").replace(",", ".")
    return None if re.search(r"\s", joined) else ("spaces", joined)


def _refusal(typed: str) -> Rejected | None:
    """What is wrong with the text as a whole."""
    if "@" not in typed:
        if _URL.search(typed):
            return _refuse("url")
        compact = re.sub(r"[\s.+()/-]", "", typed)
        if compact.isdigit():
            return _refuse("digits", count=len(compact))
        return _refuse("no_at", typed=shortened(typed))
    if len(_ADDRESS.findall(typed)) > 1:
        return _refuse("two_addresses")
    if "<" in typed and typed.endswith(">"):
        return _refuse("display_name")
    if typed.count("@") > 1:
        return _refuse("two_ats", count=typed.count("@"))
    if re.search(r"\s", typed):
        return _refuse("spaces")
    return None


def _read(address: str) -> Parsed:
    """One @, no blanks: what is wrong with which part, or the address."""
    local, _, domain = address.partition("@")
    if not local:
        return _refuse("no_local", domain=shortened(domain))
    if not domain:
        return _refuse("no_domain", local=shortened(local))
    if _IP.fullmatch(domain):
        return _refuse("ip")
    if len(local) > MAX_LOCAL:
        return _refuse("local_too_long", count=len(local), max=MAX_LOCAL, extra=len(local) - MAX_LOCAL)
    if len(address) > MAX_LENGTH:
        return _too_long(address)
    if ".." in address:
        return _refuse("double_dot")
    if local.startswith(".") or local.endswith("."):
        return _refuse("edge_dot")
    if not local.isascii() and all(char.isascii() or char.isalpha() for char in local):
        return _refuse("accents", letters=listed(char for char in local if not char.isascii()))
    if "=?" in local:  # begins an encoded word (RFC 2047): in the head of a mail that is another address
        return _refuse("local_symbols", symbols=listed("=?"))
    if not _LOCAL.fullmatch(local):
        return _refuse(
            "local_symbols",
            symbols=listed(char for char in local if not _LOCAL.fullmatch(char)),
        )
    if "." not in domain.strip("."):
        return _refuse("no_dot", domain=shortened(domain))
    if _mailboxes.reserved(domain):
        return _refuse("reserved", domain=shortened(domain))
    if valid := _valid(address):
        return _weighed(valid, ())
    return _refuse("domain", domain=shortened(domain))


def _weighed(address: str, slips: tuple[Doubt, ...]) -> Parsed:
    local, _, domain = address.rpartition("@")
    doubts = list(slips)
    suggestion = ""
    if meant := _mailboxes.meant(domain):
        suggestion = f"{local}@{meant}"
        doubts.append(_doubt("typo", domain=shortened(domain), meant=meant))
    if domain == "ksei.co.id":
        doubts.append(_doubt("ksei", address=shortened(address)))
    elif _mailboxes.is_role(local):
        doubts.append(_doubt("role", local=shortened(local)))
    return Doubtful(address, tuple(doubts), suggestion) if doubts else Accepted(address)


EMAIL = Email()
