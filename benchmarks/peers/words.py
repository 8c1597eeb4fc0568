"""What every peer says and checks: the product's own words, and the three validators that everybody uses.

Lives here: texts, labels, checks, settings. Must not live here: any library of a peer.
"""

from __future__ import annotations

import os
import re

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from dialogs.texts import text

PORT = int(os.environ.get("PORT", "8080"))
REDIS_URL = os.environ.get("REDIS_URL", "")
API_BASE = os.environ.get("TELEGRAM_API_BASE", "")
TOKEN = os.environ.get("TELEGRAM_BOT_TOKEN", "")
SECRET = os.environ.get("TELEGRAM_WEBHOOK_SECRET", "")
BACKEND_URL = os.environ.get("BACKEND_URL", "")
DATA_DIR = os.environ.get("DATA_DIR", ".")
OPERATOR = os.environ.get("OPERATOR_NAME", "PT Contoh Sekuritas")
PATH = "/telegram/webhook"
KEEP_SECONDS = 8 * 24 * 3600


def say(id_: str, **facts: str | int) -> str:
    return text("id", id_, **facts)


def label(name: str, **facts: str | int) -> str:
    return say(f"button.{name}", **facts)


FIELDS = ("full_name", "nik", "phone", "email")
GREETING = "\n\n".join((say("flow.greeting", operator=OPERATOR), say("flow.consent", operator=OPERATOR)))
KIND = say("flow.kind")
KINDS = ("individu_lokal", "individu_asing", "institusi_lokal", "institusi_asing")
KIND_NAMES = {kind: say(f"kinds.{kind}") for kind in KINDS}
MENU = say("flow.change")
PRIVACY_URL = "https://akses.example/privasi"


def question(field: str, notice: str) -> str:
    return f"{notice}\n\n{FIELDS.index(field) + 1}/4 · {say(f'{field}.ask')}"


def kind_notice(kind: str) -> str:
    return f"Tipe registrasi: {KIND_NAMES[kind]}."


def saved(field: str, value: str) -> str:
    return f"{say(f'{field}.label')}: {value}"


def summary(answers: dict[str, str]) -> str:
    rows = [f"{say(f'{field}.label')}\n{answers[field]}" for field in FIELDS]
    return "\n\n".join((say("flow.summary", kind=KIND_NAMES[answers["kind"]]), *rows, say("flow.summary_ask")))


def thanks(answers: dict[str, str]) -> str:
    link = say("flow.link_sent", email=answers["email"], wait="15 menit")
    return "\n\n".join((say("flow.thanks", name=answers["full_name"]), link))


def full_name(typed: str) -> str | None:
    name = " ".join(typed.split())
    return name if 2 <= len(name) <= 100 and not any(char.isdigit() for char in name) else None


def nik(typed: str) -> str | None:
    digits = re.sub(r"[ .-]", "", typed)
    return digits if re.fullmatch(r"\d{16}", digits) else None


def phone(typed: str) -> str | None:
    try:
        number = phonenumbers.parse(typed, "ID")
    except phonenumbers.NumberParseException:
        return None
    return (
        phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        if phonenumbers.is_valid_number(number)
        else None
    )


def email(typed: str) -> str | None:
    try:
        return validate_email(typed.strip(), check_deliverability=False).normalized
    except EmailNotValidError:
        return None


CHECKS = {"full_name": full_name, "nik": nik, "phone": phone, "email": email}
WRONG = {
    "full_name": say("full_name.help"),
    "nik": say("nik.help"),
    "phone": say("phone.help"),
    "email": say("email.help"),
}


def registration(answers: dict[str, str], chat: int) -> dict[str, object]:
    """The body of the backend's POST /api/v1/registrations."""
    return {
        "kind": answers["kind"],
        **{field: answers[field] for field in FIELDS},
        "language": "id",
        "channel": "telegram",
        "reference": f"telegram:{chat}",
        "consent": {"notice_version": "2026-11", "given_at": "2026-11-23T05:00:00Z"},
    }
