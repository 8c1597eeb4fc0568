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
SERVER_ONLY = {"personal"}


@pytest.fixture(scope="module")
def invited(site: Site) -> Invited:
    return site.register("Sri Wahyuningsih")


def test_the_script_judges_every_vector_as_the_server_does(page: Page) -> None:
    page.goto("/privasi")
    answers = page.evaluate(
        """async vectors => {
          const { brokenRules, loadJudge } = await import('/assets/password.js');
          const judge = await loadJudge(...['zxcvbn', 'words', 'common'].map(name => `/assets/passwords/${name}.js`));
          return vectors.map(({ password, again }) => ({
            broken: [...brokenRules(password, again), ...(judge.isCommon(password) ? ['common'] : [])],
            strength: judge.strength(password),
          }));
        }""",
        VECTORS,
    )
    expected = [
        {"broken": [rule for rule in vector["broken"] if rule not in SERVER_ONLY], "strength": vector["strength"]}
        for vector in VECTORS
    ]
    assert answers == expected


def test_the_strength_is_told_while_one_types_and_a_known_word_is_weak_however_decorated(page: Page, invited: Invited) -> None:
    page.goto(invited.path)
    expect(page.locator("[data-strength]")).to_be_hidden()
    for typed, score, word in (("Rahasia123!", "1", "lemah"), (GOOD_PASSWORD, "4", "sangat kuat")):
        page.get_by_label("Ketik kata kunci").fill(typed)
        expect(page.locator("[data-strength]")).to_have_attribute("data-strength", score)
        expect(page.get_by_text(f"Kekuatan: {word}", exact=True)).to_be_visible()
        expect(page.locator("[data-rule=common]")).to_be_visible(visible=score == "1")


def test_a_common_password_is_not_even_sent(page: Page, site: Site, invited: Invited) -> None:
    page.goto(invited.path)
    page.get_by_label("Ketik kata kunci").fill("Jakarta2026!")
    page.get_by_label("Ketik ulang kata kunci").fill("Jakarta2026!")
    expect(page.locator("[data-rule=common][data-state=broken]")).to_be_visible()
    posts: list[str] = []
    page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    page.get_by_role("button", name="Aktifkan Akun Saya").click()
    expect(page.get_by_label("Ketik kata kunci")).to_be_focused()
    assert posts == []


def test_without_the_lists_the_rest_of_the_meter_works_and_the_server_judges(page: Page, invited: Invited) -> None:
    page.route("**/assets/passwords/*", lambda route: route.abort())
    page.goto(invited.path)
    page.get_by_label("Ketik kata kunci").fill("Jakarta2026!")
    page.get_by_label("Ketik ulang kata kunci").fill("Jakarta2026!")
    assert ticked(page) == {"length", "lower", "upper", "digit", "special", "same"}
    expect(page.locator("[data-strength]")).to_be_hidden()


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
    expect(page.locator("[data-progress]")).to_have_text("6 dari 6 syarat terpenuhi")


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
    page.get_by_label("Ketik kata kunci").fill("Wahyuningsih#7 laut")
    page.get_by_label("Ketik ulang kata kunci").fill("Wahyuningsih#7 laut")
    page.get_by_role("button", name="Aktifkan Akun Saya").click()
    expect(page.locator("[data-rule=personal][data-state=broken]")).to_be_visible()
    expect(page.locator("[data-rule=common]")).to_be_hidden()
    page.get_by_label("Ketik kata kunci").fill("x")
    expect(page.locator("[data-rule=personal]")).to_be_hidden()


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
    page.get_by_role("button", name="Tampilkan kata sandi").first.click()
    expect(field).to_have_attribute("type", "text")
    page.get_by_role("button", name="Sembunyikan kata sandi").click()
    expect(field).to_have_attribute("type", "password")


def test_pasting_is_welcome(page: Page, invited: Invited) -> None:
    page.goto(invited.path)
    page.get_by_label("Ketik kata kunci").focus()
    page.keyboard.insert_text(GOOD_PASSWORD)
    expect(page.get_by_label("Ketik kata kunci")).to_have_value(GOOD_PASSWORD)
