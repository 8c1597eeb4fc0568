"""The table of regions, and what a NIK says by it."""

from __future__ import annotations

import subprocess
import sys
from datetime import date

import pytest

from dialogs import regions
from dialogs.fields.nik import NikReading, reading

from ._cases import TODAY


def test_the_table_holds_every_province_and_regency_of_today():
    current = [code for code, (_, status) in regions.table().items() if status == "current"]
    assert len([code for code in current if len(code) == 2]) == 38
    assert len([code for code in current if len(code) == 4]) == 514


def test_every_code_lies_in_a_province_and_says_by_its_number_whether_it_is_a_city():
    for code, (name, status) in regions.table().items():
        if len(code) == 2:
            continue
        assert code[:2] in regions.table()
        if name:
            assert name.startswith("Kota " if int(code[2:]) >= 71 else "Kabupaten "), code
        else:
            assert status == "former"


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("11", "Aceh"),
        ("31", "DKI Jakarta"),
        ("65", "Kalimantan Utara"),
        ("96", "Papua Barat Daya"),
        ("1171", "Kota Banda Aceh"),
        ("1271", "Kota Medan"),
        ("1371", "Kota Padang"),
        ("1471", "Kota Pekanbaru"),
        ("1671", "Kota Palembang"),
        ("1871", "Kota Bandar Lampung"),
        ("2171", "Kota Batam"),
        ("3101", "Kabupaten Kepulauan Seribu"),
        ("3171", "Kota Jakarta Pusat"),
        ("3174", "Kota Jakarta Selatan"),
        ("3201", "Kabupaten Bogor"),
        ("3273", "Kota Bandung"),
        ("3374", "Kota Semarang"),
        ("3404", "Kabupaten Sleman"),
        ("3578", "Kota Surabaya"),
        ("3674", "Kota Tangerang Selatan"),
        ("5103", "Kabupaten Badung"),
        ("5171", "Kota Denpasar"),
        ("6371", "Kota Banjarmasin"),
        ("6471", "Kota Balikpapan"),
        ("7371", "Kota Makassar"),
        ("8171", "Kota Ambon"),
        ("9171", "Kota Jayapura"),
        ("9404", "Kabupaten Mimika"),
    ],
)
def test_well_known_codes_have_their_names(code, name):
    assert regions.name(code) == name


def test_codes_from_before_a_province_was_split_are_known():
    assert regions.name("9101") == "Kabupaten Merauke"
    assert regions.known("6404")
    assert regions.name("6404") is None


def test_codes_that_nobody_was_given_are_unknown():
    for code in ("10", "54", "00", "99", "3199", "3200", "6499"):
        assert not regions.known(code)
        assert regions.name(code) is None


def test_the_table_is_not_read_before_the_first_nik():
    """Start-up pays nothing for it."""
    probe = "import dialogs.fields, dialogs.regions; print(dialogs.regions.table.cache_info().currsize)"
    assert subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout.strip() == "0"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("3171234501900001", NikReading(date(1990, 1, 5), "female", "DKI Jakarta", "Kota Jakarta Pusat")),
        ("3201010512850001", NikReading(date(1985, 12, 5), "male", "Jawa Barat", "Kabupaten Bogor")),
        ("3171012902000001", NikReading(date(2000, 2, 29), "male", "DKI Jakarta", "Kota Jakarta Pusat")),
        ("3171012211260001", NikReading(date(2026, 11, 22), "male", "DKI Jakarta", "Kota Jakarta Pusat")),
        ("3171012311260001", NikReading(date(1926, 11, 23), "male", "DKI Jakarta", "Kota Jakarta Pusat")),
        ("3171017002880001", NikReading(None, "female", "DKI Jakarta", "Kota Jakarta Pusat")),
        ("3171017202880001", NikReading(None, None, "DKI Jakarta", "Kota Jakarta Pusat")),
        ("3171013202880001", NikReading(None, None, "DKI Jakarta", "Kota Jakarta Pusat")),
        ("9101010512850001", NikReading(date(1985, 12, 5), "male", "Papua", "Kabupaten Merauke")),
        ("6404010512850001", NikReading(date(1985, 12, 5), "male", "Kalimantan Timur", None)),
        ("5401010512850001", NikReading(date(1985, 12, 5), "male", None, None)),
    ],
)
def test_a_nik_tells_birth_sex_and_region(value, said):
    assert reading(value, TODAY) == said
