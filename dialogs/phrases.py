"""What a short message says besides its words: yes, no, "email salah", "belum terima email".

Lives here: reading such phrases, in either language, whole messages only: one word that is not known makes it something else. Must not live
here: commands (`dialogs/commands.py`) or what a phrase leads to (`dialogs/steps/`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_MOST_CHARACTERS: Final = 60
_WORD: Final = re.compile(r"[a-z]+(?:-[a-z]+)*")

YES: Final = frozenset((
    "y", "ya", "iya", "ya benar", "ya betul", "iya benar", "benar", "betul", "sudah benar", "sudah betul", "ya sudah benar",
    "semua benar", "semua sudah benar", "data sudah benar", "simpan", "ya simpan", "simpan saja", "ok", "oke", "okay", "sip",
    "siap", "boleh", "yes", "yep", "yes please", "correct", "yes correct", "right", "save", "save it", "sure", "all correct",
    "looks good", "looks right", "it is correct", "everything is correct",
))  # fmt: skip
NO: Final = frozenset((
    "tidak", "bukan", "salah", "tidak benar", "belum benar", "gak", "ga", "nggak", "enggak", "bukan itu", "jangan", "no",
    "nope", "wrong", "not correct", "tidak mau", "tidak setuju", "saya tidak setuju", "keberatan", "i do not agree",
    "disagree", "no thanks",
))  # fmt: skip
SEND: Final = frozenset((
    "kirim", "kirimkan", "kirim sekarang", "ok kirim", "oke kirim", "ya kirim", "aktifkan", "aktifkan akun", "aktivasi sekarang", "sudah",
    "selesai", "selanjutnya", "submit", "send", "send it", "activate now", "activate it", "done", "next",
))  # fmt: skip
AGAIN_FROM_THE_START: Final = frozenset((
    "ulang", "ulangi", "mulai lagi", "mulai dari awal", "dari awal", "ulang dari awal", "restart", "start over", "from the beginning",
))  # fmt: skip
# What people call themselves, for the types of `dialogs/kinds.py`.
KINDS: Final[Mapping[str, str]] = {
    word: kind
    for kind, words in {
        "individu_lokal": (
            "individu", "perorangan", "pribadi", "orang pribadi", "saya sendiri", "wni", "saya wni", "warga negara indonesia", "individual",
            "indonesian citizen", "myself", "i am indonesian", "i'm indonesian", "i am an indonesian citizen", "orang indonesia",
            "saya orang indonesia", "warga indonesia",
        ),
        "individu_asing": ("wna", "saya wna", "asing", "orang asing", "warga negara asing", "foreigner", "foreign citizen",
            "i am a foreigner"),
        "institusi_lokal": ("pt", "perusahaan", "institusi", "badan usaha", "badan hukum", "company", "institution"),
    }.items()
    for word in words
}  # fmt: skip
AGREE: Final = frozenset((
    "saya setuju", "ya saya setuju", "ya setuju", "iya setuju", "oke setuju", "ok setuju", "setuju ya", "agree",
    "yes i agree", "i agree", "agreed",
))  # fmt: skip

_FIELDS: Final[Mapping[str, str]] = {
    word: field
    for field, words in {
        "full_name": ("nama", "namanya", "name"),
        "nik": ("nik", "niknya", "ktp", "e-ktp"),
        "phone": (
            "hp",
            "handphone",
            "ponsel",
            "telepon",
            "telpon",
            "telp",
            "hpnya",
            "phone",
            "mobile",
            "wa",
            "whatsapp",
            "seluler",
        ),
        "email": ("email", "e-mail", "emailnya", "surel", "mail"),
    }.items()
    for word in words
}
# "Nomor" alone is the telephone's; in "nomor KTP" it is not.
_NUMBER: Final = frozenset(("nomor", "nomornya", "nomer", "no", "number"))
_CHANGE: Final = frozenset((
    "salah", "keliru", "ubah", "ganti", "mengganti", "mengubah", "rubah", "diganti", "diubah", "koreksi", "dikoreksi", "perbaiki",
    "diperbaiki", "ralat", "betulkan", "edit", "change", "wrong", "incorrect", "fix", "typo", "mistake", "update", "amend",
))  # fmt: skip
# "Kembali ke nama" is a wish as well; "kembali" alone is a command.
_GO: Final = frozenset(("kembali", "balik", "ke", "back", "go"))
_GOOD: Final = frozenset(("benar", "betul", "tepat", "sesuai", "correct", "right"))
_NOT: Final = frozenset(("tidak", "kurang", "belum", "bukan", "not", "gak", "ga", "nggak", "tak"))
_FILLERS: Final = frozenset((
    "saya", "aku", "kami", "mau", "ingin", "mohon", "tolong", "dong", "ya", "yang", "itu", "ini", "ada", "di", "pada",
    "bagian", "data", "alamat", "lengkap", "pak", "bu", "maaf", "sorry", "harus", "perlu", "bisa", "masih", "my", "the", "is",
    "i", "want", "to", "please", "need", "address", "full", "in", "has", "a", "it", "semua", "semuanya", "all", "everything",
    "can", "untuk", "ketik", "mengetik", "tulis", "typed", "dan", "and", "atau", "or",
))  # fmt: skip
_KNOWN: Final = frozenset(_FIELDS) | _NUMBER | _CHANGE | _GO | _GOOD | _NOT | _FILLERS
_HAVE: Final = frozenset(("punya", "memiliki", "mempunyai", "ada", "have", "own"))
_LOST: Final = frozenset(("hilang", "rusak", "lost"))
_MAIL: Final = frozenset(("email", "e-mail", "emailnya", "surel", "mail", "link", "linknya", "tautan", "tautannya"))
_MISSING: Final = frozenset((
    "belum", "tidak", "gak", "ga", "nggak", "tak", "kok", "mana", "hilang", "no", "not", "never", "where", "missing", "lagi", "again",
))  # fmt: skip
_SENDING: Final = frozenset(("kirim", "kirimkan", "dikirim", "send", "resend"))
_AGAIN: Final = frozenset(("lagi", "ulang", "again", "resend", "kadaluarsa", "kadaluwarsa", "kedaluwarsa", "expired"))
_ARRIVING: Final = frozenset((
    "terima", "menerima", "diterima", "dapat", "mendapat", "masuk", "ada", "sampai", "datang", "muncul", "received", "receive",
    "got", "get", "arrived", "here",
))  # fmt: skip
_YET: Final = frozenset(("belum", "yet"))
_COMING: Final = _ARRIVING | frozenset((
    "kirim", "dikirim", "kirimkan", "send", "aktivasi", "activation", "nya", "yet", "did", "have",
    "didn", "haven", "t", "kok", "apa", "juga", "sudah",
))  # fmt: skip


def plain(text: str) -> str:
    """The message in lower case, its words one blank apart, without the marks at its ends and its commas."""
    return " ".join(text.casefold().replace(",", " ").strip(" \t\n.!?").split())


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold()) if len(text) <= _MOST_CHARACTERS and not any(map(str.isdigit, text)) else []


def correction(text: str) -> str | None:
    """The field that somebody says is wrong or wants to change ("email salah", "ganti nomor", "wrong email"); "" where they do not
    say which; None where the message says no such thing.
    """
    # Every name comes by here: its first word is enough to let it pass.
    first = _WORD.match(text.casefold().lstrip())
    if first is None or first[0] not in _KNOWN or not _KNOWN.issuperset(words := _words(text)) or not words:
        return None
    if not _GO.isdisjoint(words) and field_named(words):
        return field_named(words)
    if _CHANGE.isdisjoint(words) and (_GOOD.isdisjoint(words) or _NOT.isdisjoint(words)):
        return None
    return field_named(words)


def field_named(words: list[str]) -> str:
    """The one field that these words name, or ""."""
    named = {_FIELDS[word] for word in words if word in _FIELDS}
    if not named and not _NUMBER.isdisjoint(words):
        named = {"phone"}
    return named.pop() if len(named) == 1 else ""


def field_alone(text: str) -> str:
    """The field whose name is the whole message ("nik", "nomor hp saya"), or ""."""
    words = _words(text)
    return field_named(words) if words and _KNOWN.issuperset(words) else ""


def has_none(text: str) -> bool:
    """Such as "tidak punya email", "belum punya KTP", "KTP saya hilang"."""
    words = _words(text)
    # In Bahasa Indonesia "no" is short for a number.
    no = _NOT | {"don"} | ({"no"} if "have" in words else set())
    known = frozenset(_FIELDS) | _NUMBER | no | _HAVE | _LOST | _FILLERS | {"do", "t", "any", "an"}
    if not words or not known.issuperset(words) or not field_named(words):
        return False
    return not _LOST.isdisjoint(words) or not (_HAVE.isdisjoint(words) or no.isdisjoint(words))


def is_phrase(text: str) -> bool:
    """Whether the whole message is a phrase of this module, whatever it leads to where it is said."""
    return (
        plain(text) in YES | NO | AGREE | SEND
        or correction(text) is not None
        or bool(field_alone(text))
        or mail_is_missing(text)
        or has_none(text)
    )


def mail_is_missing(text: str, *, awaited: bool = False) -> bool:
    """Such as "email belum masuk", "mana linknya", "tolong kirim lagi", "I have not received the e-mail"; where a mail is all that is
    `awaited`, also "belum masuk".
    """
    words = _words(text)
    if not words or not (_MAIL | _MISSING | _COMING | _AGAIN | _FILLERS).issuperset(words):
        return False
    # "Tidak bisa masuk" is about a log-in; what has not come *yet* is the mail.
    unnamed = awaited and not _YET.isdisjoint(words) and not _ARRIVING.isdisjoint(words)
    about_mail = unnamed or not (_MAIL | _SENDING).isdisjoint(words)
    return about_mail and not (_MISSING | _AGAIN).isdisjoint(words)
