"""Several answers in one message are found, whatever their order, labels and separators."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialogs.fields._field import Accepted, Doubtful, Rejected
from dialogs.fields.several import MOST_CHARACTERS, is_bare_name, read

from ._cases import TODAY

NAME, NUMBER, MOBILE, ADDRESS = "Siti Rahmawati", "3171234501900001", "+6281234567890", "siti@example.com"
ALL = {"full_name": NAME, "nik": NUMBER, "phone": MOBILE, "email": ADDRESS}


def values(text: str) -> dict[str, str]:
    """What was read, a refusal by its code."""
    return {
        each.field: f"!{each.parsed.code}" if isinstance(each.parsed, Rejected) else each.parsed.value
        for each in read(text, TODAY)
    }


@pytest.mark.parametrize(
    "text",
    [
        "Nama: Siti Rahmawati\nNIK: 3171234501900001\nHP: 0812-3456-7890\nEmail: siti@example.com",
        "Nama Lengkap : Siti Rahmawati\nNIK : 3171 2345 0190 0001\nNo. HP : +62 812-3456-7890\nE-mail : siti@example.com",
        "email saya siti@example.com, nama saya Siti Rahmawati, nik 3171234501900001, nomor wa 081234567890",
        "Siti Rahmawati, 3171234501900001, 081234567890, siti@example.com",
        "Siti Rahmawati 3171234501900001 081234567890 siti@example.com",
        "siti@example.com\n081234567890\n3171.2345.0190.0001\nSiti Rahmawati",
        "3171 2345 0190 0001 0812 3456 7890\nSiti Rahmawati\nsiti@example.com",
        "0812 3456 7890 3171 2345 0190 0001 / siti@example.com; Siti Rahmawati",
        "Nama Lengkap\tSiti Rahmawati\nNIK\t3171234501900001\nNomor Handphone\t081234567890\nE-mail\tsiti@example.com",
        "Nama saya Siti Rahmawati dan NIK saya 3171234501900001 dan hp 081234567890 dan email siti@example.com",
        "Halo pak, berikut data saya:\nSiti Rahmawati\n3171234501900001\n081234567890\nsiti@example.com\nterima kasih",
        "My name is Siti Rahmawati, my NIK is 3171234501900001, my phone number is 081234567890, my email is siti@example.com",
        "Full name: Siti Rahmawati / NIK: 3171234501900001 / Mobile: 081234567890 / E-mail: siti@example.com",
    ],
)
def test_all_four_are_found_in_any_form(text: str) -> None:
    assert values(text) == ALL


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("3171234501900001", {"nik": NUMBER}),
        ("6271014501900001", {"nik": "6271014501900001"}),
        ("3271 0812 0590 0003", {"nik": "3271081205900003"}),
        ("+62 812-3456-7890", {"phone": MOBILE}),
        ("0062 8123 4567 8901", {"phone": "+62812345678901"}),
        ("ini nomor saya ya pak: 0812-3456-7890 terima kasih", {"phone": MOBILE}),
        ("harusnya siti@example.com", {"email": ADDRESS}),
        ("nama saya Siti Rahmawati", {"full_name": NAME}),
        ("Nama: Nik Aziz\nNIK: 3171234501900001", {"full_name": "Nik Aziz", "nik": NUMBER}),
        ("Siti Rahmawati, S.H., M.M., 3171234501900001", {"full_name": "Siti Rahmawati, S.H., M.M.", "nik": NUMBER}),
        ("Siti\nRahmawati\n3171234501900001", {"nik": NUMBER}),
        ("NIK: 31712345\nHP: 021-5152855\nEmail: siti@", {"nik": "!too_short", "phone": "!landline", "email": "!no_domain"}),
        ("siti@example.com ani@example.com 081234567890", {"phone": MOBILE, "email": "!two_addresses"}),
        ("081234567890 / 081398765432", {"phone": "!two_numbers"}),
        ("3171234501900001 dan 3273014708950002", {"nik": "!two_numbers"}),
        ("Siti, 021 515 2855", {"full_name": "Siti", "phone": "!landline"}),
        ("Budi Santoso", {}),
        ("Budi 08", {}),
        ("bukan", {}),
        ("", {}),
        ("x" * (MOST_CHARACTERS + 1), {}),
    ],
)
def test_what_is_found_is_what_is_there(text: str, found: dict[str, str]) -> None:
    assert values(text) == found


def test_a_value_behind_its_label_is_told_from_one_without() -> None:
    found = read("NIK: 3171234501900001, siti@example.com", TODAY)
    assert [(each.field, each.labelled) for each in found] == [("nik", True), ("email", False)]


def test_what_is_unusual_stays_unusual() -> None:
    nik, email = read("9971234501900001 siti@gmial.com", TODAY)
    assert isinstance(nik.parsed, Doubtful)
    assert isinstance(email.parsed, Doubtful)
    assert email.parsed.suggestion == "siti@gmail.com"


@given(st.permutations(["Siti Rahmawati", NUMBER, "081234567890", ADDRESS]), st.sampled_from(["\n", ", ", "; ", " | ", " - "]))
def test_the_order_does_not_matter(pieces: list[str], between: str) -> None:
    assert values(between.join(pieces)) == ALL


@given(st.text(max_size=300))
def test_nothing_that_is_typed_breaks_it(text: str) -> None:
    for each in read(text, TODAY):
        assert isinstance(each.parsed, Accepted | Doubtful | Rejected)


@pytest.mark.parametrize("text", ["Rahmawati", "rahmawati kusuma", "Nur'aini", "H. Budi"])
def test_a_part_of_a_name_is_known(text: str) -> None:
    assert is_bare_name(text, TODAY)


@pytest.mark.parametrize(
    "text", ["tidak tahu", "sebentar ya", "apa itu", "siti 12", "", "ya", "satu dua tiga empat lima", "why", "lupa"]
)
def test_words_of_a_sentence_are_no_part_of_a_name(text: str) -> None:
    assert not is_bare_name(text, TODAY)
