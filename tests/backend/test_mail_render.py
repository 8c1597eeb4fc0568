"""What the mails say, in both parts and both languages, and that nothing in them is remote or injectable."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Literal

import pytest

from backend.mail.render import (
    RenderedMail,
    render_activation,
    render_already_registered,
)

LINK = "https://akses.example.org/aktivasi/akt_" + "k" * 43
EXPIRES = datetime(2026, 11, 23, 18, 5, tzinfo=UTC)


@dataclass(frozen=True)
class Operator:
    public_url: str = "https://akses.example.org"
    operator_name: str = "Panitia Uji Coba"
    demo: bool = True


class Reader(HTMLParser):
    """Collects what a mail client would show, follow or fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[str] = []
        self.followed: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value and name == "href" and tag == "a":
                self.followed.append(value)
            elif value and (name in {"src", "background", "srcset"} or (name == "href" and tag == "link")):
                self.fetched.append(value)

    def handle_data(self, data: str) -> None:
        self.shown.append(data)


def read(mail: RenderedMail) -> Reader:
    reader = Reader()
    reader.feed(mail.html)
    return reader


def activation(
    language: Literal["id", "en"] = "id",
    name: str = "Aldo Salvatore",
    operator: Operator | None = None,
) -> RenderedMail:
    return render_activation(
        language=language,
        full_name=name,
        link=LINK,
        expires_at=EXPIRES,
        config=operator if operator is not None else Operator(),
    )


def both_parts(mail: RenderedMail) -> tuple[str, str]:
    return re.sub(r"\s+", " ", " ".join(read(mail).shown)), re.sub(r"\s+", " ", mail.text)


@pytest.mark.parametrize("language", ["id", "en"])
def test_both_parts_carry_the_salutation_the_contacts_the_operator_and_the_demonstration(
    language: Literal["id", "en"],
) -> None:
    for part in both_parts(activation(language)):
        for said in (
            "Aldo Salvatore",
            "(+62)21 515 2855",
            "0800 186 5734",
            "helpdesk@ksei.co.id",
            "Panitia Uji Coba",
        ):
            assert said in part, said
        assert re.search(r"DEMONSTRA(SI|TION)", part)


@pytest.mark.parametrize("language", ["id", "en"])
def test_both_parts_hold_one_and_the_same_link_and_the_text_has_it_on_a_line_of_its_own(
    language: Literal["id", "en"],
) -> None:
    mail = activation(language)
    assert set(read(mail).followed) == {LINK}
    assert mail.text.count("http") == 1
    assert LINK in mail.text.splitlines()


def test_the_expiry_is_told_in_the_time_of_jakarta() -> None:
    for part in both_parts(activation("id")):
        assert "Selasa, 24 November 2026, pukul 01.05 WIB" in part
    for part in both_parts(activation("en")):
        assert "Tuesday, 24 November 2026, 01:05 WIB (UTC+7)" in part


@pytest.mark.parametrize(
    ("language", "sentence"),
    [("id", "tidak pernah meminta kata sandi"), ("en", "never ask for your password")],
)
def test_it_says_what_is_never_asked(language: Literal["id", "en"], sentence: str) -> None:
    for part in both_parts(activation(language)):
        assert sentence in part


def test_nothing_is_fetched_from_anywhere() -> None:
    for mail in (
        activation(),
        render_already_registered(language="en", full_name="Ani", config=Operator()),
    ):
        assert read(mail).fetched == []
        assert "url(" not in mail.html
        assert "@import" not in mail.html


def test_a_name_is_text_and_never_markup_or_a_template() -> None:
    name = '<img src=x onerror=alert(1)> & {{ 7*7 }} "Nur\'aini"'
    mail = activation(name=name)
    assert name in "".join(read(mail).shown)
    assert read(mail).fetched == []
    assert name in re.sub(r"\s+", " ", mail.text)


def test_without_demonstration_no_part_speaks_of_one() -> None:
    for part in both_parts(activation(operator=Operator(demo=False))):
        assert not re.search("demonstra", part, re.IGNORECASE)
        assert "Panitia Uji Coba" in part


def test_subjects_are_one_plain_line_without_the_name() -> None:
    assert activation("id").subject == "Aktivasi akun AKSes Anda"
    assert activation("en").subject == "Activate your AKSes account"


def test_lines_of_the_text_part_do_not_wrap_except_a_link() -> None:
    long = activation(name="Raden " + "Mas " * 30)
    assert [line for line in long.text.splitlines() if len(line) > 76 and line != LINK] == []


def test_already_registered_leads_to_the_log_in_and_carries_no_token() -> None:
    for language in ("id", "en"):
        mail = render_already_registered(language=language, full_name="Ani", config=Operator())
        assert set(read(mail).followed) == {"https://akses.example.org/masuk"}
        assert "https://akses.example.org/masuk" in mail.text.splitlines()
        assert "akt_" not in mail.html + mail.text
        assert "WIB" not in mail.text
