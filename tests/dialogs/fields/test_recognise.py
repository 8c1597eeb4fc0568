"""The right answer in the wrong place is known by its form."""

from __future__ import annotations

import pytest

from dialogs.fields.recognise import recognise

from ._cases import TODAY


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ("3171234501900001", "nik"),
        ("3171 2345 0190 0001", "nik"),
        ("NIK: 3171234501900001", "nik"),
        ("6271014501900001", "nik"),
        ("3171003002880000", "nik"),
        ("081234567890", "phone"),
        ("+62 812-3456-7890", "phone"),
        ("0062 8123 4567 8901", "phone"),
        ("budi@example.com", "email"),
        ("info@gmial.com", "email"),
        ("email: budi@example.com", "email"),
        ("Budi Santoso", None),
        ("", None),
        ("317123450190001", None),
        ("3171O34501900001", None),
        ("O81234567890", None),
        ("021 5152855", None),
        ("+65 9123 4567", None),
        ("budi@example.com ani@example.com", None),
        ("budi@", None),
        ("@budi", None),
        ("Budi 08", None),
    ],
)
def test_only_an_unmistakable_form_is_recognised(typed, field):
    assert recognise(typed, TODAY) == field
