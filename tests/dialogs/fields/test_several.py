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


def test_a_text_of_a_thousand_characters_is_read_and_no_longer_one() -> None:
    line = f"{ADDRESS}{' ' * (MOST_CHARACTERS - len(ADDRESS) - len(MOBILE))}{MOBILE}"
    assert len(line) == MOST_CHARACTERS == 1000
    assert values(line) == {"phone": MOBILE, "email": ADDRESS}
    assert values(f"{line} ") == {}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        # The first of two that bear the same label is the answer; the second is left alone.
        ("NIK: 3171234501900001\nNIK: 3273014708950002", {"nik": NUMBER}),
        ("Nama: Siti Rahmawati\nNama: Budi Santoso", {"full_name": NAME}),
        # A number beside a labelled one does not touch it, nor does the same number again.
        ("NIK: 3171234501900001, 3273014708950002", {"nik": NUMBER}),
        ("3171234501900001, 3171234501900001", {"nik": NUMBER}),
        # A name ends where a number or an address begins, at the end of its line, and before the word that leads on.
        ("Nama: Siti Rahmawati 081234567890", {"full_name": NAME, "phone": MOBILE}),
        ("Nama: Siti Rahmawati siti@example.com", {"full_name": NAME, "email": ADDRESS}),
        ("Nama: Siti Rahmawati\nDirektur Utama", {"full_name": NAME}),
        ("Nama: Siti Rahmawati dan NIK: 3171234501900001", {"full_name": NAME, "nik": NUMBER}),
        # A value that is none is refused in its own words, up to the next separator.
        ("HP: belum ada, NIK: 3171234501900001", {"nik": NUMBER, "phone": "!no_digits"}),
        ("HP: belum ada; lagi rusak | NIK: 3171234501900001", {"nik": NUMBER, "phone": "!no_digits"}),
        ("Email: siti@example.com,\nHP: 081234567890;", {"phone": MOBILE, "email": ADDRESS}),
        ("628123456789012", {"phone": "!too_long"}),
        ("6281234567890, siti@example.com", {"phone": MOBILE, "email": ADDRESS}),
        (
            "siti@example.com, 081234567890, Siti Rahmawati, S.H., M.M.",
            {"full_name": "Siti Rahmawati, S.H., M.M.", "phone": MOBILE, "email": ADDRESS},
        ),
        ("Siti, Budi, 081234567890", {"phone": MOBILE}),
    ],
)
def test_each_value_begins_and_ends_where_its_writer_meant(text: str, found: dict[str, str]) -> None:
    assert values(text) == found


def test_a_name_that_is_what_is_left_has_no_label() -> None:
    assert [(each.field, each.labelled) for each in read("Siti Rahmawati 081234567890", TODAY)] == [
        ("full_name", False),
        ("phone", False),
    ]


SENTENCE = """
saya aku kami ini itu berikut data datanya untuk mohon tolong daftar daftarkan didaftarkan terima terimakasih kasih nomor
nik ktp hp email e-mail adalah halo selamat pagi siang sore malam ya tidak atas nama bukan salah harusnya seharusnya yang
benar ganti ubah jadi menjadi alamat dengan dari juga sekalian the here are please thanks thank you hello and number address
wrong should be it this telepon handphone atau or lupa sama phone name register tahu ingat apa kenapa mengapa bagaimana
gimana mana dimana berapa kapan siapa sebentar tunggu nanti dulu belum sudah punya bisa boleh mau maaf kok dong sih masih
lagi cari saja aja rahasia harus perlu kalau jika karena what why how where when who wait moment later know have not don't
dont sorry sure can need must secret forgot forget lost gak ga nggak enggak tau tdk cepat cepetan lama
bingung hilang rusak aman penipuan takut ragu npwp paspor kantor rumah suami
istri kk
"""


@pytest.mark.parametrize("word", SENTENCE.split())
def test_a_piece_with_a_word_of_a_sentence_in_it_is_no_name(word: str) -> None:
    assert values(f"Rahmawati {word}, 081234567890") == {"phone": MOBILE}
    assert values(f"Rahmawati {word.upper()}!, 081234567890") == {"phone": MOBILE}
    assert not is_bare_name(f"Rahmawati {word.capitalize()}", TODAY)


@given(st.permutations(["Siti Rahmawati", NUMBER, "081234567890", ADDRESS]), st.sampled_from(["\n", ", ", "; ", " | ", " - "]))
def test_the_order_does_not_matter(pieces: list[str], between: str) -> None:
    assert values(between.join(pieces)) == ALL


@given(st.text(max_size=300))
def test_nothing_that_is_typed_breaks_it(text: str) -> None:
    for each in read(text, TODAY):
        assert isinstance(each.parsed, Accepted | Doubtful | Rejected)


@pytest.mark.parametrize("text", ["Rahmawati", "rahmawati kusuma", "Nur'aini", "H. Budi", "Siti Rahmawati Kusuma Dewi"])
def test_a_part_of_a_name_is_known(text: str) -> None:
    assert is_bare_name(text, TODAY)


@pytest.mark.parametrize(
    "text",
    [
        "tidak tahu",
        "sebentar ya",
        "apa itu",
        "siti 12",
        "",
        "ya",
        "satu dua tiga empat lima",
        "why",
        "lupa",
        " ",
        "Siti-Rahma",
        "xxx",
    ],
)
def test_words_of_a_sentence_are_no_part_of_a_name(text: str) -> None:
    assert not is_bare_name(text, TODAY)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Email: siti@example.com saja ya\nNIK: 3171234501900001", {"nik": NUMBER, "email": ADDRESS}),
        ("NIK: 3171234501900001 (KTP saya)\nHP: 0812 3456 7890 aktif", {"nik": NUMBER, "phone": MOBILE}),
        ("tolong.\n3171234501900001", {"nik": NUMBER}),
        ("siti@gmail,com", {"email": "siti@gmail.com"}),
        ("siti@gmail, com", {"email": "siti@gmail.com"}),
        ("siti@gmail. com", {"email": "siti@gmail.com"}),
        ("Siti Rahmawati, siti@yahoo,co,id, 081234567890", {"full_name": NAME, "phone": MOBILE, "email": "siti@yahoo.co.id"}),
        ("siti@example.com,Siti Rahmawati", {"full_name": NAME, "email": ADDRESS}),
        ("X Siti, siti@example.com", {"full_name": "X Siti", "email": ADDRESS}),
        ("Siti Rahmawati NIK 3171234501900001 HP 081234567890", {"full_name": NAME, "nik": NUMBER, "phone": MOBILE}),
    ],
)
def test_what_stands_around_an_answer_is_no_part_of_it_nor_another_one(text: str, found: dict[str, str]) -> None:
    assert values(text) == found


def test_two_numbers_without_a_label_are_believed_no_more_than_one() -> None:
    [both, _] = read(f"{NUMBER} 3171234501900002 {ADDRESS}", TODAY)
    assert (both.field, both.labelled) == ("nik", False)
