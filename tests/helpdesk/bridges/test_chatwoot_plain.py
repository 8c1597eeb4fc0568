"""An investor reads the agent's words, not the marks of Chatwoot's editor."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpdesk.bridges.chatwoot.plain import plain


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Halo **Bapak Budi**, _apa kabar_?", "Halo Bapak Budi, apa kabar?"),
        ("baris satu\\\nbaris dua", "baris satu\nbaris dua"),
        ("satu\n\ndua", "satu\n\ndua"),
        ("1\\. bukan daftar, \\*bukan bintang\\*, \\# bukan judul", "1. bukan daftar, *bukan bintang*, # bukan judul"),
        ("- KTP\n- ponsel\n\nlalu daftar", "- KTP\n- ponsel\n\nlalu daftar"),
        ("1. buka\n2. tekan", "1. buka\n2. tekan"),
        ("3. buka\n4. tekan", "3. buka\n4. tekan"),
        ("- a\n  - b\n- c", "- a\n  - b\n- c"),
        ("lihat [panduan](https://akses.contoh.id/p) ya", "lihat panduan (https://akses.contoh.id/p) ya"),
        ("<https://akses.contoh.id>", "https://akses.contoh.id"),
        ("[rina@contoh.id](mailto:rina@contoh.id)", "rina@contoh.id"),
        ("<script>alert(1)</script> & teman", "<script>alert(1)</script> & teman"),
        ("`kode` dan a_b_c", "kode dan a_b_c"),
        ("# Judul\nisi", "Judul\n\nisi"),
        ("satu\n\n---\n\ndua", "satu\n\n---\n\ndua"),
        ("> kutipan\n> dua baris", "kutipan\ndua baris"),
        ("```\n  rapi\n```", "rapi"),
        ("![foto](https://contoh.id/f.png)", "foto"),
        ("4 * 5 = 20, +62 812, [1] catatan", "4 * 5 = 20, +62 812, [1] catatan"),
        ("    menjorok", "menjorok"),
        ("", ""),
    ],
)
def test_what_is_formatted_reads_as_words(written: str, read: str) -> None:
    assert plain(written) == read


@given(st.text(st.characters(categories=["L", "Nd"], include_characters=" ,?!'")))
def test_plain_words_stay_as_they_are(words: str) -> None:
    assert plain(words).split() == words.split()


@given(st.text())
def test_whatever_is_written_can_be_read(anything: str) -> None:
    plain(anything)
