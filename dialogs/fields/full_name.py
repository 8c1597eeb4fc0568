"""Full name, as on the KTP.

Lives here: reading, showing and masking a name. Must not live here: sentences (`dialogs/texts/<language>/full_name.toml`).
Names are refused only for what no KTP carries (digits, addresses, emoji). One word, initials, apostrophes, degrees, "bin" and
"alias" are names: Permendagri 73/2022 asks for two words, yet leaves every name that was recorded before it valid. A name is
never split into first and last, and its case is kept as typed.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from typing import Literal

from dialogs.fields._field import Accepted, Doubt, Doubtful, Parsed, Privacy, Rejected
from dialogs.fields._typed import listed, shortened, visible
from dialogs.frozen import Frozen
from dialogs.phrases import correction
from dialogs.screens import Hint

Refusal = Literal[
    "empty",
    "unreadable",
    "email",
    "url",
    "too_long",
    "digits",
    "number",
    "emoji",
    "symbols",
    "marks",
    "no_letters",
]
Unusual = Literal["one_letter", "placeholder", "salutation", "script"]

MAX_LENGTH = 100
_PUNCTUATION = frozenset(" .,'\u2019-/")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z .,'\u2019/-]*")
_LABEL = re.compile(
    r"(?:nama(?: lengkap)?(?: saya)?(?: adalah)?\s*[:=]|nama(?: lengkap)? saya(?: adalah)?\b|namaku(?: adalah)?\b"
    r"|saya bernama\b|(?:full )?name\s*[:=]|my (?:full )?name is\b|namanya\b|perkenalkan\b,?|saya(?=\s+\S)|i am\b|i'm\b)\s*",
    re.IGNORECASE,
)
_QUOTES = '"“”„«»'
_APOSTROPHES = str.maketrans(dict.fromkeys("`\u00b4\u2018\u02b9\u2032", "'"))
# "M.Com" and "S.Kom" are degrees: a host name needs three characters before its dot.
_URL = re.compile(
    r"://|\bwww\.|\b[a-z0-9-]{3,}\.(?:com|net|org|info|co\.id|go\.id|id|me|ly)\b(?!\.)|\bt\.me/",
    re.IGNORECASE,
)
_SALUTATION = re.compile(
    r"(?:bapak|ibu|bpk|pak|bu|tuan|nyonya|nona|tn|ny|nn|sdr|sdri|saudara|saudari|mr|mrs|ms|miss)\b\.?\s+(?=\S)",
    re.IGNORECASE,
)
_PLACEHOLDERS = frozenset((
    "nama", "nama lengkap", "name", "full name", "ktp", "sesuai ktp", "sama", "sda", "tidak ada", "kosong", "none", "null",
    "n/a", "na", "test", "tes", "testing", "coba", "asdf", "qwerty", "xxx", "ya", "iya", "yes", "ok", "oke", "okay", "baik",
    "siap", "setuju", "lanjut", "lanjutkan", "selanjutnya", "next", "tidak", "no", "halo", "hai", "hallo", "hello", "hi",
    "selamat pagi", "selamat siang", "selamat sore", "selamat malam", "assalamualaikum", "terima kasih", "terimakasih",
    "daftar", "start", "mulai", "bantuan", "help", "menu", "saya", "individu lokal", "bapak", "ibu", "pak", "bu",
    "skip", "lewati", "lewat", "lewatkan", "pass", "nama sesuai ktp", "sesuai dengan ktp", "nama saya", "rahasia",
))  # fmt: skip

# Words of a sentence that stand in nobody's name, as far as is known; "Mau", "Yang", "Kasih" and "Is" do.
_SENTENCE = frozenset((
    "tidak", "kok", "apa", "kenapa", "mengapa", "bagaimana", "gimana", "berapa", "kapan", "untuk", "belum", "sudah", "terima", "alamat",
    "jl", "nomor", "email", "e-mail", "hp", "handphone", "telepon", "perempuan", "laki-laki", "sebentar", "tolong", "mohon", "saya",
    "what", "why", "please", "where", "which",
))  # fmt: skip


class FullName(Frozen, frozen=True):
    """The name question; its value is at most 100 characters, NFC, single spaces, case as typed."""

    id: str = "full_name"
    hint: Hint = "name"
    privacy: Privacy = "name"

    def parse(self, text: str, today: date) -> Parsed:  # noqa: ARG002 - the shape of every field
        name = _cleaned(text)
        if not name:
            return _refuse("empty")
        return _refusal(name) or _weighed(name)

    def show(self, value: str) -> str:
        return value

    def mask(self, value: str) -> str:
        """The first letter of each word, of which there are at most four: A*** S***."""
        return " ".join(_masked(word) for word in value.split()[:4])


def _refuse(code: Refusal, /, **facts: str | int) -> Rejected:
    return Rejected(code, {key: str(fact) for key, fact in facts.items()})


def _too_long(name: str) -> Rejected:
    return _refuse("too_long", count=len(name), max=MAX_LENGTH, extra=len(name) - MAX_LENGTH)


def _cleaned(text: str) -> str:
    # Normalising long runs of combining marks takes quadratic time; what is this long is refused for its length anyway.
    name = " ".join(visible(text).split())
    if not name.isascii() and len(name) <= 4 * MAX_LENGTH:
        name = unicodedata.normalize("NFC", name)
    name = name.translate(_APOSTROPHES)
    while True:
        before = name
        name = name.strip(_QUOTES + " ")
        if label := _LABEL.match(name):
            name = name[label.end() :]
        if name == before:
            return name


def _refusal(name: str) -> Rejected | None:
    if len(name) <= MAX_LENGTH and _PLAIN.fullmatch(name) and not _URL.search(name):
        return None
    categories = {char: unicodedata.category(char) for char in set(name)}
    if any(category in ("Cc", "Cs", "Co", "Cn") for category in categories.values()) or "\ufffd" in categories:
        return _refuse("unreadable")
    if len(name) > 4 * MAX_LENGTH:
        return _too_long(name)
    if "@" in categories:
        return _refuse("email")
    if _URL.search(name):
        return _refuse("url")
    if len(name) > MAX_LENGTH:
        return _too_long(name)
    letters = [char for char in name if categories[char][0] == "L"]
    digits = [char for char in name if categories[char] == "Nd"]
    if digits and not letters:
        return _refuse("number", count=len(digits))
    if digits:
        return _refuse("digits", digits=listed(digits))
    if emoji := [char for char in name if categories[char] == "So" or (categories[char] == "Sk" and char > "\uffff")]:
        return _refuse("emoji", emoji=listed(emoji))
    if symbols := [char for char in name if categories[char][0] not in "LM" and char not in _PUNCTUATION]:
        return _refuse("symbols", symbols=listed(symbols))
    if not letters:
        return _refuse("no_letters", typed=shortened(name))
    return _refuse("marks") if _has_stray_marks(name, categories) else None


def _has_stray_marks(name: str, categories: dict[str, str]) -> bool:
    """A mark without a letter, or more than two on one: no script in use on a KTP writes that, "zalgo" text does."""
    run = 0
    before = " "
    for char in name:
        if categories[char][0] == "M":
            run += 1
            if run > 2 or before in _PUNCTUATION:
                return True
        else:
            run, before = 0, char
    return False


def _weighed(name: str) -> Parsed:
    doubts: list[Doubt] = []
    suggestion = ""
    letters = [char for char in name if char.isalpha()]
    if len(letters) == 1:
        doubts.append(_doubt("one_letter", letter=letters[0]))
    elif (
        name.casefold().strip(".,-/' ") in _PLACEHOLDERS
        or (len(letters) > 2 and len(set(name.casefold())) == 1)
        or correction(name) is not None  # nobody is called "email salah"
        or not _SENTENCE.isdisjoint(name.casefold().split())
    ):
        doubts.append(_doubt("placeholder", typed=shortened(name)))
    elif salutation := _SALUTATION.match(name):
        suggestion = name[salutation.end() :]
        doubts.append(
            _doubt(
                "salutation",
                salutation=salutation.group().strip(),
                name=shortened(suggestion),
            )
        )
    if foreign := [char for char in letters if not char.isascii() and not _is_latin(char)]:
        doubts.append(_doubt("script", letters=listed(foreign)))
        plain = unicodedata.normalize("NFKC", name)
        suggestion = plain if _PLAIN.fullmatch(plain) else ""
    return Doubtful(name, tuple(doubts), suggestion) if doubts else Accepted(name)


def _doubt(code: Unusual, /, **facts: str) -> Doubt:
    return Doubt(code, facts)


def _is_latin(char: str) -> bool:
    name = unicodedata.name(char, "")
    # The letters for hamza and ain (U+02BC, U+02BF) stand in transliterated Arabic names.
    return name.startswith(("LATIN ", "MODIFIER LETTER "))


def _masked(word: str) -> str:
    first = next((char for char in word if char.isalpha()), "")
    return first + "***" if sum(map(str.isalpha, word)) > 2 else "***"


FULL_NAME = FullName()
