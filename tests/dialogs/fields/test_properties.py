"""What holds for any text whatever."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneNumberType

from dialogs.fields import BY_ID, FIELDS, email, phone
from dialogs.fields._field import Accepted, Doubtful, Rejected
from dialogs.fields.nik import reading
from dialogs.texts import LANGUAGES, text

from ._cases import CASES

# Pieces that make inputs look like answers, so that the deeper rules are reached.
PIECES = st.sampled_from(
    [case.typed for case in CASES]
    + ["0", "62", "+62", "8", "@", "@@", ".", "..", ",", " ", "\n", "gmail.com", "NIK ", "HP: ", "mailto:", "<", ">", "\u202e"]
    + ["nama saya ", "at", " dot ", "ext"]
    + ["O", "'", "\u00b4", "Bapak ", "\u1fef", "\u212a", "ﬁ", "①", "½", "\u0130", "ß", "\u3000", "\x1c", "🇮🇩", "1️⃣", "{", "}", "{0}"]
)  # fmt: skip
TYPED = st.one_of(
    st.text(max_size=200),
    st.text(st.characters(categories=None), max_size=50),
    st.lists(st.one_of(PIECES, st.text(max_size=3)), max_size=6).map("".join),
    st.from_regex(r"\A[0-9]{14,18}\Z"),
    st.from_regex(r"\A(\+?62|0)8[0-9 -]{6,14}\Z"),
    st.from_regex(r"\A[a-zA-Z0-9.+_-]{1,12}@[a-z0-9-]{1,10}(\.[a-z]{2,3}){1,2}\Z"),
    st.from_regex(r"\A[A-Z][a-z']{0,8}( [A-Z][a-z.,-]{0,8}){0,3}\Z"),
)
DAYS = st.dates(date(2020, 1, 1), date(2099, 12, 31))
VALUES = {
    "full_name": st.from_regex(r"\A[A-Z][a-z]{3,8}( [A-Z][a-z]{3,8}){0,3}\Z"),
    "nik": st.from_regex(r"\A[0-9]{16}\Z", alphabet="0123456789"),
    "phone": st.from_regex(r"\A\+628[1-9][0-9]{7,10}\Z", alphabet="+0123456789"),
    "email": st.from_regex(r"\A[a-z]{4,20}@example\.com\Z"),
}


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.id)
@given(typed=TYPED, today=DAYS)
@settings(max_examples=400, deadline=None)
def test_any_text_is_read_told_of_in_both_languages_and_read_back(field, typed, today):
    """Nothing raises; every sentence finds its facts; a kept value is a fixed point of reading and of showing."""
    match parsed := field.parse(typed, today):
        case Rejected(code, facts):
            assert all(text(language, f"{field.id}.rejected.{code}", **facts) for language in LANGUAGES)
            return
        case Doubtful(_, doubts, suggestion):
            assert doubts
            for doubt in doubts:
                assert all(text(language, f"{field.id}.doubt.{doubt.code}", **doubt.facts) for language in LANGUAGES)
            if suggestion:
                assert not isinstance(field.parse(suggestion, today), Rejected)
        case Accepted():
            pass
    again = field.parse(parsed.value, today)
    assert not isinstance(again, Rejected)
    assert again.value == parsed.value
    if isinstance(parsed, Accepted):
        assert again == parsed
    shown = field.parse(field.show(parsed.value), today)
    assert not isinstance(shown, Rejected)
    assert shown.value == parsed.value
    assert field.mask(parsed.value) != parsed.value


@pytest.mark.parametrize("field", VALUES)
@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_a_mask_says_nothing_of_the_middle(field, data):
    """Two values that agree in what a mask may show have the same mask, whatever lies between."""
    value = data.draw(VALUES[field])
    other = {
        "full_name": lambda: " ".join(word[0] + "zzzz" for word in value.split()),
        "nik": lambda: value[:4] + "99999999" + value[-4:],
        "phone": lambda: value[:6] + "9999" + value[10:],
        "email": lambda: value[0] + "zzzz" + value[value.index("@") - 1 :],
    }[field]()
    assert BY_ID[field].mask(other) == BY_ID[field].mask(value)


@given(value=st.from_regex(r"\A[0-9]{16}\Z", alphabet="0123456789"), today=DAYS)
@settings(max_examples=400, deadline=None)
def test_what_a_nik_says_is_possible(value, today):
    """Sixteen digits are never refused; a birth that is read lies in the past hundred years and bears the number's day."""
    assert not isinstance(BY_ID["nik"].parse(value, today), Rejected)
    says = reading(value, today)
    if says.birth is not None:
        assert says.birth <= today
        assert today.year - says.birth.year <= 100
        assert says.sex in ("male", "female")
        day = says.birth.day + (40 if says.sex == "female" else 0)
        assert value[6:12] == f"{day:02}{says.birth:%m%y}"


# --- what is judged at a glance


@given(
    st.from_regex(phone._PLAIN, fullmatch=True), st.lists(st.sampled_from(["", "", " ", "-", "."]), min_size=15, max_size=15)
)
@settings(max_examples=1000, deadline=None)
def test_a_number_that_is_taken_at_a_glance_is_the_same_without_the_glance(plain, between):
    typed = "".join(map("".join, zip(plain, between, strict=False))).strip(" .-")
    parsed = phone.PHONE.parse(typed, date(2026, 11, 23))
    assert isinstance(parsed, Accepted)
    assert phone._type(parsed.value) == PhoneNumberType.MOBILE
    assert phone.PHONE.parse(f"HP: {typed}", date(2026, 11, 23)) == parsed


@given(st.from_regex(email._CERTAIN, fullmatch=True).filter(lambda typed: typed.rpartition(".")[2] not in email._SPECIAL))
@settings(max_examples=1000, deadline=None)
def test_an_address_that_is_taken_at_a_glance_is_the_same_to_the_library(typed):
    assert email._valid(typed) == typed


@pytest.mark.parametrize("top", sorted(email._SPECIAL))
def test_a_name_that_receives_no_mail_is_not_taken_at_a_glance(top):
    assert isinstance(email.EMAIL.parse(f"siti@rumah.{top}", date(2026, 11, 23)), Rejected)
