"""The small print of each field: what exactly is said of an answer, at the edges where one more would be something else."""

from __future__ import annotations

from datetime import date

import pytest

from dialogs.fields import BY_ID
from dialogs.fields._field import Accepted, Doubtful, Rejected
from dialogs.fields._typed import digits_for_lookalikes, listed, shortened, visible
from dialogs.fields.nik import reading

TODAY = date(2026, 11, 22)


def rejected(field: str, typed: str) -> Rejected:
    parsed = BY_ID[field].parse(typed, TODAY)
    assert isinstance(parsed, Rejected), parsed
    return parsed


def doubtful(field: str, typed: str) -> Doubtful:
    parsed = BY_ID[field].parse(typed, TODAY)
    assert isinstance(parsed, Doubtful), parsed
    return parsed


@pytest.mark.parametrize(
    ("field", "hint", "privacy"),
    [
        ("full_name", "name", "name"),
        ("nik", "digits", "identity"),
        ("phone", "phone", "contact"),
        ("email", "email", "contact"),
    ],
)
def test_each_field_asks_for_its_keyboard_and_is_protected_in_its_class(field: str, hint: str, privacy: str) -> None:
    assert (BY_ID[field].hint, BY_ID[field].privacy) == (hint, privacy)


# --- name


NO_NAMES = """
nama, nama lengkap, name, full name, ktp, sesuai ktp, sama, sda, tidak ada, kosong, none, null, n/a, na, test, tes, testing, coba, asdf,
qwerty, xxx, ya, iya, yes, ok, oke, okay, baik, siap, setuju, lanjut, lanjutkan, selanjutnya, next, tidak, no, halo, hai, hallo, hello, hi,
selamat pagi, selamat siang, selamat sore, selamat malam, assalamualaikum, terima kasih, terimakasih, daftar, start, mulai, bantuan, help,
menu, saya, individu lokal, bapak, ibu, pak, bu, email salah, ganti nomor
"""


@pytest.mark.parametrize("typed", [each.strip() for each in NO_NAMES.split(",")])
def test_what_people_type_instead_of_a_name_is_asked_about(typed: str) -> None:
    # A label before nothing is no answer at all; every other is an unusual one.
    parsed = BY_ID["full_name"].parse(typed, TODAY)
    assert isinstance(parsed, Doubtful)
    assert [doubt.code for doubt in parsed.doubts] == ["placeholder"]


# --- phone


@pytest.mark.parametrize(
    ("typed", "area"),
    [
        ("021 5551234", "021"),
        ("022 1234567", "022"),
        ("024 7654321", "024"),
        ("031 5678901", "031"),
        ("061 4567890", "061"),
        ("0274 512345", "0274"),
        ("62215551234", "021"),
    ],
)
def test_a_landline_is_named_by_its_area_code_as_it_is_dialled(typed: str, area: str) -> None:
    assert rejected("phone", typed) == Rejected("landline", {"area": area})


@pytest.mark.parametrize("typed", ["0841234567", "0841234567890"])
def test_a_number_of_the_shortest_and_the_longest_length_is_refused_for_its_prefix_and_not_its_length(typed: str) -> None:
    assert rejected("phone", typed) == Rejected("unused_prefix", {"prefix": "084"})


def test_how_many_digits_are_missing_or_too_many_is_counted_as_people_write_the_number() -> None:
    assert rejected("phone", "084123456").facts == {"count": "9", "missing": "1", "min": "10"}
    assert rejected("phone", "08412345678901").facts == {"count": "14", "extra": "1", "max": "13"}


@pytest.mark.parametrize(
    ("typed", "country"), [("+1 212 555 0199", "+1, US"), ("+979 123456789", "+979"), ("0065 91234567", "+65, SG")]
)
def test_a_number_of_another_country_is_named_by_its_country(typed: str, country: str) -> None:
    parsed = rejected("phone", typed)
    assert parsed.facts == {"country": country}


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("6208123456789", "+628123456789"),
        ("+08123456789", "+628123456789"),
    ],
)
def test_a_country_code_that_was_half_written_is_completed(typed: str, value: str) -> None:
    assert BY_ID["phone"].parse(typed, TODAY) == Accepted(value)


@pytest.mark.parametrize(
    ("typed", "country"),
    [
        ("+81 312345678", "+81, JP"),
        ("+81 90-1234-5678", "+81, JP"),
        ("0081 90 1234 5678", "+81, JP"),
        ("+82 10-1234-5678", "+82, KR"),
        ("+84 91 234 56 78", "+84, VN"),
        ("+86 138 0013 8000", "+86, CN"),
        ("+852 5123 4567", "+852, HK"),
        ("+880 1712 345678", "+880, BD"),
        ("+886 912 345 678", "+886, TW"),
    ],
)
def test_a_number_of_a_country_whose_code_begins_with_8_is_foreign_and_no_indonesian_one(typed: str, country: str) -> None:
    assert rejected("phone", typed) == Rejected("foreign", {"country": country})


@pytest.mark.parametrize("typed", ["+8123456789", "00 812 345 6789"])
def test_a_country_code_that_was_forgotten_after_the_plus_is_asked_about(typed: str) -> None:
    parsed = doubtful("phone", typed)
    assert parsed.value == "+628123456789"
    assert [(doubt.code, doubt.facts) for doubt in parsed.doubts] == [("country_code", {"value": "0812-3456-789"})]


def test_the_letters_that_were_read_as_digits_are_named_and_neither_digits_nor_the_plus() -> None:
    assert doubtful("phone", "+62812345678O").doubts[0].facts == {"letters": "O", "value": "0812-3456-780"}


def test_a_country_code_before_too_few_digits_is_still_the_country_code() -> None:
    assert rejected("phone", "620812345") == Rejected("too_short", {"count": "7", "missing": "3", "min": "10"})


def test_sixteen_digits_that_begin_as_a_mobile_number_are_too_many_and_no_nik() -> None:
    assert rejected("phone", "6281234567890123").code == "too_long"
    assert rejected("phone", "3171234501900001").code == "nik"


# --- NIK


@pytest.mark.parametrize(
    ("day", "sex"),
    [
        ("01", "male"),
        ("31", "male"),
        ("32", None),
        ("40", None),
        ("41", "female"),
        ("71", "female"),
        ("72", None),
        ("00", None),
    ],
)
def test_the_day_of_birth_says_the_sex_from_the_first_to_the_last_of_the_month(day: str, sex: str | None) -> None:
    assert reading(f"317123{day}01900001", TODAY).sex == sex


def test_a_mobile_number_at_the_nik_is_called_one_unless_it_was_called_a_nik() -> None:
    assert rejected("nik", "081234567890") == Rejected("phone", {"count": "12"})
    assert rejected("nik", "NIK 081234567890") == Rejected("too_short", {"count": "12", "missing": "4"})


def test_what_is_unusual_about_a_nik_is_told_with_its_facts() -> None:
    assert doubtful("nik", "7777777777777777").doubts[0].facts == {"digit": "7"}
    assert doubtful("nik", "7177777777777777").doubts[0].code != "repeated"
    assert doubtful("nik", "3199234501900001").doubts[0].facts == {"code": "99", "province": "DKI Jakarta"}
    assert rejected("nik", "3171&2345#0190").facts == {"symbols": "&, #"}


def test_the_letters_of_a_nik_that_were_read_as_digits_are_named_and_not_its_digits() -> None:
    assert doubtful("nik", "3171O34501900001").doubts[0].facts["letters"] == "O"


def test_a_nik_with_blanks_in_a_sentence_is_found_and_kept_without_them() -> None:
    assert BY_ID["nik"].parse("ini NIK saya 3171 2345 0190 0001 ya", TODAY) == Accepted("3171234501900001")


@pytest.mark.parametrize("typed", ["3171****", "3171 **** **** 0001", "3171xxxx", "**** 0001", "XXX0001"])
def test_a_nik_that_hides_digits_is_called_hidden(typed: str) -> None:
    assert rejected("nik", typed).code == "masked"


@pytest.mark.parametrize("letter", ["i", "I", "l", "|"])
def test_each_letter_that_looks_like_a_one_is_read_as_one(letter: str) -> None:
    assert doubtful("nik", f"3171{letter}34501900001").value == "3171134501900001"


# --- e-mail


LONGEST = f"{'x' * 64}@{'a' * 63}.{'a' * 63}.{'a' * 57}.com"


@pytest.mark.parametrize("typed", ["NOC@contoh.co.id", "E-mail: NOC@contoh.co.id"])
def test_the_part_before_the_at_stays_as_it_was_typed_whoever_it_names(typed: str) -> None:
    assert BY_ID["email"].parse(typed, TODAY) == Accepted("NOC@contoh.co.id")


def test_an_address_may_be_254_characters_long_and_no_longer() -> None:
    assert BY_ID["email"].parse(LONGEST, TODAY) == Accepted(LONGEST)
    odd = "!" + LONGEST[1:]  # not the plain form, so another way through the rules
    assert BY_ID["email"].parse(odd, TODAY) == Accepted(odd)
    longer = LONGEST.replace(".com", ".info")
    assert rejected("email", longer) == Rejected("too_long", {"count": "255", "max": "254", "extra": "1"})
    assert rejected("email", "x" + LONGEST) == Rejected("local_too_long", {"count": "65", "max": "64", "extra": "1"})


def test_a_whole_letter_instead_of_an_address_is_only_told_its_length() -> None:
    assert rejected("email", "x" * 1016).code == "no_at"
    assert rejected("email", "x" * 1017) == Rejected("too_long", {"count": "1017", "max": "254", "extra": "763"})


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("a\x1f@c.com", "unreadable"),
        ("a\x7f@c.com", "unreadable"),
        ("a\x80@c.com", "local_symbols"),
        ("a\rb@c.com", "lines"),
        ("a\nb@c.com", "lines"),
        ("x@y@@z.com", "two_ats"),
        ("budi@@x", "two_ats"),
        ("Budi <budi@gmail.com>", "display_name"),
        ("budi@gmail.com>", "domain"),
        ("(budi@gmail.com", "local_symbols"),
        ("budi santoso @gmail.com", "spaces"),
        ("www.gmail.com", "url"),
        ("www.budi gmail.com", "url"),
        ("gmail.com", "no_at"),
        ("budi@router.home.arpa", "reserved"),
        ("budi@.com", "no_dot"),
    ],
)
def test_what_is_wrong_with_an_address_is_called_by_its_name(typed: str, code: str) -> None:
    assert rejected("email", typed).code == code


@pytest.mark.parametrize("broken", [0xD800, 0xDFFF, 0xFFFD])
def test_what_was_broken_on_its_way_is_called_unreadable(broken: int) -> None:
    assert rejected("email", f"a{chr(broken)}@c.com").code == "unreadable"


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("budi@gmail,com", "comma"),
        ("budi @gmail,com", "spaces"),
        ("budi@gmail.com.,;", "trailing_dot"),
        ("budi#gmail.com", "missing_at"),
        ("budi&gmail.com", "missing_at"),
        ("budi*gmail.com", "missing_at"),
        ("budi/gmail.com", "missing_at"),
        ("budi gmail.com", "missing_at"),
        ("budi@gmail", "no_dot"),
        ("budi@@gmail.com", "double_at"),
    ],
)
def test_a_slip_with_one_possible_meaning_is_offered_as_what_was_meant(typed: str, code: str) -> None:
    parsed = doubtful("email", typed)
    assert (parsed.value, parsed.doubts[0].code) == ("budi@gmail.com", code)


@pytest.mark.parametrize(
    "typed",
    [
        "<budi@gmail.com>",
        "E-mail: <budi@gmail.com>",
        "E-mail saya: \u201cbudi@gmail.com\u201d",
        "\u2018budi@gmail.com\u2019",
        "'budi@gmail.com'",
    ],
)
def test_labels_quotes_and_brackets_around_an_address_are_no_part_of_it(typed: str) -> None:
    assert BY_ID["email"].parse(typed, TODAY) == Accepted("budi@gmail.com")


def test_only_marks_are_taken_off_an_address_and_never_its_letters() -> None:
    assert BY_ID["email"].parse("E-mail: Xaver@gmail.com", TODAY) == Accepted("Xaver@gmail.com")
    assert doubtful("email", "BudiX#gmail.com").value == "BudiX@gmail.com"


# --- what all have in common


def test_at_most_five_characters_are_quoted_each_once() -> None:
    assert listed("abab") == "a, b"
    assert listed("abcde") == "a, b, c, d, e"
    assert listed("abcdef") == "a, b, c, d, e, …"


def test_at_most_forty_characters_of_one_line_are_quoted() -> None:
    assert shortened("a\n b  c") == "a b c"
    assert shortened("x" * 40) == "x" * 40
    assert shortened("x" * 41) == "x" * 39 + "…"


@pytest.mark.parametrize("unseen", ["\ufe00", "\ufe0f", "\U000e0100", "\U000e01ef", "\u200b", "\u3164"])
def test_what_is_drawn_as_nothing_is_taken_out(unseen: str) -> None:
    assert visible(f"a{unseen}b") == "ab"


@pytest.mark.parametrize("seen", ["\ufe10", "\ufe19", "\U000e01f0", "é", "李"])
def test_what_is_drawn_stays(seen: str) -> None:
    assert visible(f" a{seen}b ") == f"a{seen}b"


def test_every_letter_that_stands_for_a_digit_is_one_of_these() -> None:
    assert digits_for_lookalikes("OoIli|") == "001111"


# --- names, once more


def test_a_label_around_quotes_around_a_name_goes_with_them() -> None:
    assert BY_ID["full_name"].parse('Nama: "Siti Rahmawati"', TODAY) == Accepted("Siti Rahmawati")


def test_a_letter_may_bear_two_marks_as_some_scripts_write_and_no_third() -> None:
    assert not isinstance(BY_ID["full_name"].parse("Q\u0301\u0302adir", TODAY), Rejected)
    assert not isinstance(BY_ID["full_name"].parse("X\u0301avier", TODAY), Rejected)
    assert rejected("full_name", "Q\u0301\u0302\u0303adir").code == "marks"


def test_a_whole_letter_instead_of_a_name_is_only_told_its_length() -> None:
    assert rejected("full_name", "a@" * 200).code == "email"
    assert rejected("full_name", "a@" * 200 + "a") == Rejected("too_long", {"count": "401", "max": "100", "extra": "301"})


def test_a_short_word_of_a_name_is_masked_whole() -> None:
    assert BY_ID["full_name"].mask("Ayu Ma Lestari") == "A*** *** L***"


@pytest.mark.parametrize("code", [0xD800, 0xE000, 0x0378, 0x0007, 0xFFFD])
def test_a_name_that_was_broken_on_its_way_is_called_unreadable(code: int) -> None:
    assert rejected("full_name", f"Siti{chr(code)} Rahmawati").code == "unreadable"


def test_two_letters_alike_may_be_a_name_and_three_are_asked_about() -> None:
    assert BY_ID["full_name"].parse("Oo", TODAY) == Accepted("Oo")
    assert [doubt.code for doubt in doubtful("full_name", "Ooo").doubts] == ["placeholder"]
