"""The page's live meter: the same answers as the server, in a real browser, and what a person sees of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from backend.passwords import RULES
from tests.backend.pages.site import GOOD_PASSWORD, Invited, Site

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "password_vectors.json").read_text(encoding="utf-8"))
SERVER_ONLY = {"common", "personal"}


@pytest.fixture(scope="module")
def invited(site: Site) -> Invited:
    return site.register("Sri Wahyuningsih")


def test_the_script_breaks_the_same_rules_as_the_server_for_every_vector(page: Page) -> None:
    page.goto("/privasi")
    answers = page.evaluate(
        "async vectors => { const { brokenRules } = await import('/assets/password.js');"
        " return vectors.map(({ password, again }) => brokenRules(password, again)); }",
        VECTORS,
    )
    expected = [[rule for rule in vector["broken"] if rule not in SERVER_ONLY] for vector in VECTORS]
    assert answers == expected


def states(page: Page) -> dict[str, str]:
    found: dict[str, str] = page.evaluate(
        "Object.fromEntries([...document.querySelectorAll('[data-rule]')].map(i => [i.dataset.rule, i.dataset.state ?? '']))"
    )
    return found


def ticked(page: Page) -> set[str]:
    return set(page.locator("[data-state=kept]:visible").evaluate_all("items => items.map(item => item.dataset.rule)"))


def test_rules_tick_as_they_are_kept(page: Page, invited: Invited) -> None:
    page.goto(invited.path)
    assert set(states(page)) == set(RULES)
    assert ticked(page) == set()
    page.get_by_label("Ketik kata kunci").press_sequentially("xK9!")
    assert ticked(page) == {"lower", "upper", "digit", "special"}
    page.get_by_label("Ketik kata kunci").press_sequentially("mmQz")
    page.get_by_label("Ketik ulang kata kunci").fill("xK9!mmQz")
    assert ticked(page) == {"length", "lower", "upper", "digit", "special", "same"}
    expect(page.get_by_role("status")).to_have_text("6 dari 6 syarat terpenuhi")


def test_a_good_password_leaves_no_visible_rule_without_a_tick(page: Page, invited: Invited) -> None:
    page.goto(invited.path)
    expect(page.get_by_text("Saat dikirim kami juga memeriksa")).to_be_visible()
    page.get_by_label("Ketik kata kunci").fill(GOOD_PASSWORD)
    page.get_by_label("Ketik ulang kata kunci").fill(GOOD_PASSWORD)
    expect(page.locator("[data-rule]:visible:not([data-state=kept])")).to_have_count(0)


def test_what_only_the_server_knows_is_a_broken_rule_when_it_refused_and_until_one_types_anew(
    page: Page, invited: Invited
) -> None:
    page.goto(invited.path)
    page.get_by_label("Ketik kata kunci").fill("Jakarta2026!")
    page.get_by_label("Ketik ulang kata kunci").fill("Jakarta2026!")
    page.get_by_role("button", name="Aktifkan Akun Saya").click()
    expect(page.locator("[data-rule=common][data-state=broken]")).to_be_visible()
    expect(page.locator("[data-rule=personal]")).to_be_hidden()
    page.get_by_label("Ketik kata kunci").fill("x")
    expect(page.locator("[data-rule=common]")).to_be_hidden()


def test_a_form_that_breaks_a_rule_stays_and_keeps_what_was_typed(page: Page, site: Site, invited: Invited) -> None:
    page.goto(invited.path)
    page.get_by_label("Ketik kata kunci").fill("xK9!mmQz")
    page.get_by_label("Ketik ulang kata kunci").fill("xK9!mmQ")
    page.get_by_role("button", name="Aktifkan Akun Saya").click()
    expect(page.get_by_label("Ketik ulang kata kunci")).to_be_focused()
    expect(page.get_by_label("Ketik kata kunci")).to_have_value("xK9!mmQz")
    assert states(page)["same"] == "broken"
    assert site.status(invited) == "pending"


def test_too_long_appears_only_when_it_is_broken(page: Page, invited: Invited) -> None:
    page.goto(invited.path)
    expect(page.locator("[data-rule=too_long]")).to_be_hidden()
    page.get_by_label("Ketik kata kunci").fill("aB3!" * 33)
    expect(page.locator("[data-rule=too_long]")).to_be_visible()


def test_show_and_hide_turn_the_field_over_and_it_is_hidden_again_when_sent(page: Page, invited: Invited) -> None:
    page.goto(invited.path)
    field = page.get_by_label("Ketik kata kunci")
    field.fill("Jakarta2026!")
    page.get_by_role("button", name="Tampilkan kata kunci").first.click()
    expect(field).to_have_attribute("type", "text")
    page.get_by_role("button", name="Sembunyikan kata kunci").click()
    expect(field).to_have_attribute("type", "password")


def test_pasting_is_welcome(page: Page, invited: Invited) -> None:
    page.goto(invited.path)
    page.get_by_label("Ketik kata kunci").focus()
    page.keyboard.insert_text(GOOD_PASSWORD)
    expect(page.get_by_label("Ketik kata kunci")).to_have_value(GOOD_PASSWORD)
