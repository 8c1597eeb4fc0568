"""Several answers in one message: "Nama: ...", "NIK saya ...", line by line, in one line, in any order, with or without labels.

Lives here: finding them. Each is read by its field (`parse`), so what is good, doubtful or refused is decided where it always is. Must not
live here: what becomes of them (`dialogs/steps/repairs.py`). A label is believed; without one only an address, a 16-digit number and a
mobile number are known by their form, and a name only by being what is left beside them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Final

from dialogs.fields._field import Accepted, Field, Parsed, Rejected
from dialogs.fields._typed import visible, with_ascii_digits
from dialogs.fields.email import EMAIL
from dialogs.fields.full_name import FULL_NAME
from dialogs.fields.nik import NIK
from dialogs.fields.phone import PHONE
from dialogs.frozen import Frozen

MOST_CHARACTERS: Final = 1000
MOST_WORDS: Final = 4  # of a part of a name
_FIELDS: Final[tuple[Field, ...]] = (FULL_NAME, NIK, PHONE, EMAIL)
_BY_ID: Final[Mapping[str, Field]] = {field.id: field for field in _FIELDS}

_SAID = r"(?:\s+(?:saya|beliau|adalah|is|number|address))*\s*"
_LABEL: Final = re.compile(
    r"(?<![\w@.-])(?:"
    rf"(?P<full_name>(?:nama(?:\s+lengkap)?|(?:full\s+)?name){_SAID}[:=]|(?:nama(?:\s+lengkap)?\s+(?:saya|beliau)|saya\s+bernama)"
    r"(?:\s+adalah)?\b|my\s+(?:full\s+)?name\s+is\b|(?:(?<=\n)|(?<=^)|(?<=[,;]\s))nama(?:\s+lengkap)?\b(?=\s+[^\W\d]))|"
    rf"(?P<nik>(?:my\s+)?(?:no(?:mor)?\.?\s*)?(?:nik|e-?ktp|ktp|induk\s+kependudukan)\b{_SAID}(?:[:=]|(?=[\dOoIl]{{3}})))|"
    r"(?P<phone>(?:my\s+)?(?:no(?:mor)?\.?\s*)?(?:hp|handphone|ponsel|seluler|telepon|telpon|telp|tlp|tel|wa|whatsapp|mobile|phone)"
    rf"\b\.?{_SAID}(?:[:=]|(?=[+(]?\d)))|"
    rf"(?P<email>(?:my\s+)?(?:alamat\s+)?(?:e-?mail|surel)\b{_SAID}(?:[:=]|(?=[^\s@]+@)))"
    r")\s*",
    re.IGNORECASE,
)
# A comma, or a blank after the dot, before one of the commonest endings is a slip and no end of the address: the field asks about it.
_ADDRESS: Final = re.compile(
    r"[^\s,;/<>@:]+@(?:[^\s,;/<>@]|[,.]\s?(?=(?:com|co|id|net|org|ac|go)\b))+[^\s,;/<>@.]", re.IGNORECASE
)
_RUN: Final = re.compile(r"\+?\d(?:[ .()-]{0,2}\d){6,}")
_MOBILE: Final = re.compile(r"(?:(?:\+|00[1-9]?)?\s?62[ .()-]{0,2}0?|0)[ .()-]{0,2}8(?:[ .()-]{0,2}\d){7,11}(?!\d)")
_SIXTEEN: Final = re.compile(r"\d(?:[ .-]?\d){15}(?!\d)")
_BREAK: Final = re.compile(r"[\n;|\t,]|\s+(?:dan|and)\s+|\s[-\u2013]\s")
_EDGES: Final = " \t\r\n,;|-\u2013:/"
_DEGREE: Final = re.compile(r"(?:[A-Z][A-Za-z]{0,3}\.\s?)+[A-Za-z]{0,4}\.?|S\.?[A-Z][A-Za-z]*|M\.?[A-Z][A-Za-z]*")
# Words of sentences; a piece that holds one of them is no name.
_SENTENCE: Final = frozenset((
    "saya", "aku", "kami", "ini", "itu", "berikut", "data", "datanya", "untuk", "mohon", "tolong", "daftar", "daftarkan",
    "didaftarkan", "terima", "terimakasih", "kasih", "nomor", "nik", "ktp", "hp", "email", "e-mail", "adalah", "halo",
    "selamat", "pagi", "siang", "sore", "malam", "ya", "tidak", "atas", "nama", "bukan", "salah", "harusnya", "seharusnya",
    "yang", "benar", "ganti", "ubah", "jadi", "menjadi", "alamat", "dengan", "dari", "juga", "sekalian", "the", "here", "are",
    "please", "thanks", "thank", "you", "hello", "and", "number", "address", "wrong", "should", "be", "it", "this", "telepon",
    "handphone", "atau", "or", "lupa", "sama", "phone", "name", "register", "tahu", "ingat", "apa", "kenapa", "mengapa",
    "bagaimana", "gimana", "mana", "dimana", "berapa", "kapan", "siapa", "sebentar", "tunggu", "nanti", "dulu", "belum",
    "sudah", "punya", "bisa", "boleh", "mau", "maaf", "kok", "dong", "sih", "masih", "lagi", "cari", "saja", "aja", "rahasia",
    "harus", "perlu", "kalau", "jika", "karena", "what", "why", "how", "where", "when", "who", "wait", "moment", "later",
    "know", "have", "not", "don't", "dont", "sorry", "sure", "can", "need", "must", "secret", "forgot", "forget", "lost",
    "gak", "ga", "nggak", "enggak", "tau", "tdk", "cepat", "cepetan", "lama", "aktif", "pribadi", "baru", "active", "personal", "new",
    "bingung", "hilang", "rusak", "aman", "penipuan", "takut", "ragu", "npwp", "paspor", "kantor", "rumah", "suami", "istri", "kk",
))  # fmt: skip


class Found(Frozen, frozen=True):
    """One answer in the message. `labelled`: the person named the field, so it may take an earlier answer's place."""

    field: str
    parsed: Parsed
    labelled: bool


def read(text: str, today: date) -> tuple[Found, ...]:
    """The answers in a message, in the order of asking; empty where none is to be seen. A name alone needs its label."""
    if len(text) > MOST_CHARACTERS:
        return ()
    typed = with_ascii_digits(visible(text))
    found: dict[str, tuple[str, bool]] = {}
    rest = _labelled(typed, found)
    rest = _addresses(rest, found)
    rest = _numbers(rest, found)
    if found and FULL_NAME.id not in found and (name := _name(rest, today)):
        found[FULL_NAME.id] = (name, False)
    return tuple(
        Found(field.id, field.parse(found[field.id][0], today), found[field.id][1]) for field in _FIELDS if field.id in found
    )


def is_bare_name(text: str, today: date) -> bool:
    """Whether this is nothing but a word or two of a name: no word of a sentence, nothing that the name's own rules doubt."""
    words = text.casefold().split()
    return (
        0 < len(words) <= MOST_WORDS
        and all(word.replace(".", "").replace("'", "").isalpha() for word in words)
        and _SENTENCE.isdisjoint(words)
        and isinstance(FULL_NAME.parse(text, today), Accepted)
    )


def _labelled(typed: str, found: dict[str, tuple[str, bool]]) -> str:
    """Take out what stands behind labels; return what is left."""
    labels = list(_LABEL.finditer(typed))
    if not labels:
        return typed
    rest = [typed[: labels[0].start()]]
    for label, end in zip(labels, (*(each.start() for each in labels[1:]), len(typed)), strict=True):
        field = label.lastgroup or ""
        value, left = _value(field, typed[label.end() : end])
        if value and field not in found:
            found[field] = (value, True)
        rest.append(left)
    return "\n".join(rest)


def _value(field: str, text: str) -> tuple[str, str]:
    """What belongs to the label, and what follows it before the next one."""
    first, _, following = text.partition("\n")
    if field == EMAIL.id:
        match = re.match(r"\S+", first)
    elif field == FULL_NAME.id:
        match = re.match(r"(?:(?![\s,;|]+[+(]?\d|[\s,;|]+[^\s,;|]*@)[^;|\t\d@])+", first)
    else:
        match = re.match(r"[+(]?[\dOoIl](?:[ .()'-]{0,2}[\dOoIl])*[^\s,;|]*", first)
    value = match[0] if match else re.split(r"[,;|\t]", first, maxsplit=1)[0]
    left = first[len(value) :]
    value = re.sub(r"\s+(?:dan|and|serta)$", "", value.strip(_EDGES), flags=re.IGNORECASE)
    return value.rstrip(",;"), f"{left}\n{following}"


def _addresses(rest: str, found: dict[str, tuple[str, bool]]) -> str:
    addresses = list(dict.fromkeys(_ADDRESS.findall(rest)))
    if addresses and EMAIL.id not in found:
        found[EMAIL.id] = (" ".join(addresses), False)
    return _ADDRESS.sub("\n", rest)


def _numbers(rest: str, found: dict[str, tuple[str, bool]]) -> str:
    """Runs of digits, read from their left: a run that begins like a mobile number holds one first, any other a NIK."""
    for run in _RUN.findall(rest):
        left = run
        while left := left.lstrip(" .()-"):
            mobile, nik = _MOBILE.match(left), _SIXTEEN.match(left)
            # No province has a code that begins with 0, and none has 62 with a regency of 8: such a run is no NIK.
            dialled = left.startswith(("+", "0", "628"))
            taken = mobile if dialled else nik
            field = PHONE.id if dialled else NIK.id
            value = taken[0] if taken else left
            if field not in found:
                found[field] = (value, False)
            elif found[field][0] != value and not found[field][1]:
                found[field] = (f"{found[field][0]} / {value}", False)
            left = left[len(value) :]
    return _RUN.sub("\n", rest)


def _name(rest: str, today: date) -> str:
    """The one piece of what is left that can be a name, with the degrees that follow it; "" where there is none or more than one."""
    names: list[str] = []
    for piece in (piece.strip(_EDGES) for piece in _BREAK.split(rest)):
        if not piece:
            continue
        if names and _DEGREE.fullmatch(piece):
            names[-1] += f", {piece}"
        elif _SENTENCE.isdisjoint(piece.casefold().strip(".!").split()) and not isinstance(
            FULL_NAME.parse(piece, today), Rejected
        ):
            names.append(piece)
    return names[0] if len(names) == 1 else ""
