"""The domains that people mistype, the mailboxes that are nobody's own, and the names that receive no mail: each as it was collected."""

from __future__ import annotations

import pytest

from dialogs.fields._mailboxes import completed, is_role, meant, reserved

PROVIDERS = """
gmail.com googlemail.com yahoo.com yahoo.co.id ymail.com rocketmail.com hotmail.com outlook.com outlook.co.id icloud.com protonmail.com
proton.me
"""
REAL = "mail.com email.com yahoo.co.in yahoo.co.uk yahoo.co.jp hotmail.co.uk"
SLIPS = {
    "gmail.com": "gmail.co gmail.co.id gmail.id gmail.com.id gmail.net gmaill.co gmai.co gmailcom.com gimail.com gemail.com mgail.com",
    "googlemail.com": "googlemail.co",
    "yahoo.co.id": "yaho.co.id yahoo.com.id yahoo.id yahoo.coid yhoo.co.id",
    "yahoo.com": "yahoo.co yahho.com",
    "ymail.com": "ymail.co ymail.co.id",
    "rocketmail.com": "rocketmail.co.id",
    "hotmail.com": "hotmail.id hotmail.co.id hotmail.co",
    "outlook.com": "outlook.id outlook.co",
    "icloud.com": "icloud.co icloud.co.id iclod.co",
    "aol.com": "aol.co",
}
ENDINGS = {
    "kantor.com": "con cmo ocm vom xom comm coom cpm clm c0m ccom comn cim",
    "kantor.co.id": "coid co.idd co.ud co.di cp.id vo.id id.co",
    "kantor.net": "ney nett",
    "kantor.org": "orgg ogr",
}
ROLES = """
sekretariat sekretaris secretary secretariat corsec corpsec corporatesecretary sekretarisperusahaan info informasi information admin
administrator administrasi cs customerservice customercare care support halo hello hi contact contactus kontak office kantor umum marketing
sales penjualan hr hrd sdm finance keuangan accounting akunting pajak tax legal humas publicrelations pr media press noreply donotreply
webmaster postmaster hostmaster abuse helpdesk service layanan pengaduan investorrelations investorrelation ir direksi direktur komisaris
bod board team tim it itsupport security mail email
"""
NEVER = "invalid local localhost onion test arpa localdomain internal lan"


@pytest.mark.parametrize("domain", [*PROVIDERS.split(), *REAL.split(), "kantor.co.id", "x.com"])
def test_a_domain_that_is_real_is_never_asked_about(domain: str) -> None:
    assert meant(domain) == ""


@pytest.mark.parametrize("domain", PROVIDERS.split())
def test_a_provider_without_its_dots_is_completed(domain: str) -> None:
    assert completed(domain.replace(".", "").upper()) == domain
    assert completed(f"{domain.replace('.', '')}.") == domain


def test_a_provider_by_its_first_name_is_completed_to_the_commonest() -> None:
    assert [completed(name) for name in ("gmail", "yahoo", "outlook", "proton")] == [
        "gmail.com",
        "yahoo.com",
        "outlook.com",
        "proton.me",
    ]
    assert completed("kantor") == ""


@pytest.mark.parametrize(("right", "typed"), [(right, typed) for right, slips in SLIPS.items() for typed in slips.split()])
def test_a_misspelling_that_was_seen_is_known_for_what_it_means(right: str, typed: str) -> None:
    assert meant(typed) == right


@pytest.mark.parametrize(("right", "ending"), [(right, ending) for right, all_ in ENDINGS.items() for ending in all_.split()])
def test_an_ending_that_does_not_exist_is_known_for_what_it_means_after_any_name(right: str, ending: str) -> None:
    assert meant(f"kantor.{ending}") == right


@pytest.mark.parametrize("typed", ["gmai.com", "gmaail.com", "gmaol.com", "gmial.com", "hmail.com", "gmail.cm"])
def test_one_letter_less_more_other_or_swapped_makes_a_provider(typed: str) -> None:
    assert meant(typed) == "gmail.com"


@pytest.mark.parametrize("typed", ["gma.com", "gmaiiil.com", "gmaop.com", "liamg.com", "gnaill.com", "xnail.com"])
def test_two_letters_are_no_slip(typed: str) -> None:
    assert meant(typed) == ""


def test_a_provider_with_a_wrong_ending_is_put_right_in_both() -> None:
    assert meant("gmial.con") == "gmail.com"


@pytest.mark.parametrize("local", ROLES.split())
def test_a_mailbox_of_an_office_is_known_however_it_is_written(local: str) -> None:
    assert is_role(local)
    assert is_role(f"{local[0].upper()}{local[1:]}+2026")
    assert is_role(f"{local[:1]}.{local[1:]}")


def test_dots_dashes_and_underscores_make_no_other_mailbox() -> None:
    assert is_role("corporate.secretary")
    assert is_role("no-reply")
    assert is_role("customer_care")
    assert not is_role("budi")


@pytest.mark.parametrize("name", NEVER.split())
def test_a_name_that_the_standards_keep_out_of_the_mail_system_is_reserved(name: str) -> None:
    assert reserved(f"server.{name}")
    assert reserved(f"Server.{name.upper()}.")
    assert not reserved(f"{name}.com")
