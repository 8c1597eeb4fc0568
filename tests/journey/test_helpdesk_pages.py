"""The console's pages in a browser: markup in whatever people can write is words, keys, badge, ratings, and the looks of every page.

The helpdesk stands on its stage (`tests/helpdesk/stage.py`). Leaves pictures in .artifacts/screens/helpdesk/.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Dialog, Page, Route, expect

from akses.desk import held
from akses.keyring import Keyring
from bot.conversation import Conversation
from bot.desk import Line
from dialogs.effects import Change, DeskChanged, Relay
from dialogs.fields import FIELDS
from dialogs.office import Office
from helpdesk.roles import ROLES
from helpdesk.sign_in import IDLE
from tests.backend.conftest import keyring, keyring_file, sqlite_url
from tests.backend.stage import until
from tests.helpdesk.stage import Stage, stage_on
from tests.helpdesk.test_deeds import CHAT, asking
from tests.helpdesk.test_secrets import asks_for_a_human, at_the_summary, presses
from tests.journey.test_helpdesk import SCREENS, TOO_SMALL, chromium
from tests.product import PATIENCE

__all__ = ["keyring", "keyring_file", "sqlite_url"]

pytestmark = pytest.mark.journey

WAIT = PATIENCE * 1000
# Each begins with its own letter, so that a page shows which of them it bears.
IMG = "A<img src=x onerror=document.title='broken'>"
SVG = "B\"><svg onload=document.title='broken'>"
SCRIPT = "C</textarea></option><script>document.title='broken'</script>"
ATTRIBUTE = "D' onfocus=document.title='broken' autofocus x='"
TEMPLATE = "E{{ 7*7 }}"


@pytest.fixture
async def stage(sqlite_url: str, keyring: Keyring) -> AsyncIterator[Stage]:
    async with stage_on(sqlite_url, keyring, office=Office(always=True)) as opened:
        yield opened


@asynccontextmanager
async def coming_in(stage: Stage, browser: Browser, name: str, complaints: list[str]) -> AsyncIterator[Page]:
    """Somebody of every role, signed in; `complaints` fills with whatever the page tried that it may not."""
    agent, _ = await stage.people.agents.add("kepala", name, ROLES)
    token = await stage.people.sign_in.follow(await stage.people.agents.sign_in_link(agent.id), device=SVG)
    context = await browser.new_context(base_url=stage.url, locale="id-ID", viewport={"width": 1280, "height": 800})
    context.set_default_timeout(WAIT)
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    context.on("console", lambda said: complaints.append(said.text) if "Content Security Policy" in said.text else None)
    context.on("dialog", lambda dialog: complaints.append(dialog.message))
    await context.add_cookies([{"name": "helpdesk", "value": token, "url": stage.url}])
    yield await context.new_page()
    await context.close()


async def test_markup_in_every_field_that_anybody_can_write_is_words(stage: Stage) -> None:
    """An identity provider's name for somebody is not among them: the console takes nothing of theirs but a verified address."""
    complaints: list[str] = []
    ticket = await asking(stage)
    async with chromium() as browser, coming_in(stage, browser, IMG, complaints) as page:
        # What chats and other processes tell.
        at = datetime.now(UTC)
        for number, what in enumerate((
            Relay(ticket.id, "person", "text", SCRIPT, at),
            Relay(ticket.id, "person", "press", "", at, detail=SVG),
            Relay(ticket.id, "person", "media", "", at, detail=SVG),
            Relay(ticket.id, "person", "contact", SVG, at),
            Relay(ticket.id, "person", "edit", ATTRIBUTE, at),
        )):  # fmt: skip
            await stage.desk.records.tell(CHAT, what, f"S.{number + 20}.0")
        other = Conversation("telegram", "77")
        await stage.desk.records.tell(other, DeskChanged("T.1", "taken", 2, at, "a9", IMG), "T.1.0")
        await stage.desk.records.tell(other, DeskChanged("T.1", "closed", 3, at, "a9", IMG, SVG), "T.2.0")
        await stage.desk.records.watch([Line(Conversation("web", "lain"), "person", SCRIPT, at, SVG, "e1.0")])
        # What agents write.
        await page.goto(f"/helpdesk/c/{ticket.chat}")
        await page.get_by_role("button", name="Ambil alih").click()
        await expect(page.locator("#kepala")).to_contain_text("Anda yang menangani", timeout=WAIT)
        await page.get_by_label("Pesan untuk investor").fill(SCRIPT)
        await page.locator("[data-note]").click()
        await expect(page.locator(".desk-note")).to_contain_text(SCRIPT, timeout=WAIT)
        await page.get_by_label("Pesan untuk investor").fill(SVG)
        await page.keyboard.press("Control+Enter")
        await expect(page.locator(".desk-agent", has_text=SVG)).to_be_visible(timeout=WAIT)
        await page.get_by_label("Pesan untuk investor").fill(TEMPLATE)
        await page.locator("[data-note]").click()
        await expect(page.locator(".desk-note").last).to_contain_text(TEMPLATE, timeout=WAIT)
        await page.locator("#value").fill(IMG)
        await page.locator(".desk-propose button").click()
        await expect(page.locator("[data-problem]")).not_to_be_empty(timeout=WAIT)
        await page.locator("#value").fill("")
        await page.goto("/helpdesk/balasan")
        for title, text_id, text_en in ((IMG, SCRIPT, SVG), (SVG, ATTRIBUTE, ""), (ATTRIBUTE, IMG, "")):
            form = page.locator("form", has=page.locator("[name=title]")).last
            await form.locator("[name=title]").fill(title)
            await form.locator("[name=text_id]").fill(text_id)
            await form.locator("[name=text_en]").fill(text_en)
            await form.locator("button[type=submit]").first.click()
            await page.wait_for_load_state()
        payload = SVG.replace(" ", "%20").replace('"', "%22").replace("<", "%3C").replace(">", "%3E")
        seen = ""
        for place in (
            f"/helpdesk/c/{ticket.chat}",
            "/helpdesk?daftar=all",
            "/helpdesk?daftar=live",
            f"/helpdesk?daftar=all&q={payload}&step={payload}&channel={payload}&agent={payload}",
            "/helpdesk/balasan",
            "/helpdesk/petugas",
            "/helpdesk/audit",
            f"/helpdesk/audit?action={payload}",
            "/helpdesk/saya",
            "/helpdesk/angka",
            "/helpdesk/bantu",
        ):
            await page.goto(place)
            assert "broken" not in await page.title(), place
            strange = "img:not([src^='/assets']):not([src^='data:']), body svg[onload], [onfocus], [onerror], script:not([src])"
            assert await page.locator(strange).count() == 0, place
            seen += await page.locator("body").inner_text()
            seen += "".join(await page.locator("input, textarea").evaluate_all("all => all.map((each) => each.value)"))
        for one in await stage.desk.reading.live():
            await page.goto(f"/helpdesk/c/{one.id}")
            assert "broken" not in await page.title()
            seen += await page.locator("body").inner_text()
        assert [payload for payload in (IMG, SVG, SCRIPT, ATTRIBUTE, TEMPLATE) if payload not in seen] == []
        assert complaints == []


async def test_markup_in_every_answer_of_a_form_is_words_wherever_agents_see_it(stage: Stage) -> None:
    """As a caller's form is written down, as its refusals repeat it, and as the backend tells it in the clear."""
    complaints: list[str] = []
    await at_the_summary(stage)
    await presses(stage, "activate", "b2")

    async def handed() -> str | None:
        session = await stage.runner.session(CHAT)
        return session.registrations[0].id if session is not None and session.registrations else None

    registration = await until(handed)
    ticket = await asks_for_a_human(stage)
    async with chromium() as browser, coming_in(stage, browser, "Rina", complaints) as page:
        for payload in (IMG, SVG, SCRIPT, ATTRIBUTE, TEMPLATE):
            await page.goto("/helpdesk/bantu")
            for field in FIELDS:
                await page.locator(f"#{field.id}").fill(payload)
            await page.locator("main form button[type=submit]").click()
            await expect(page.locator(".error")).to_have_count(len(FIELDS), timeout=WAIT)
            shown = await page.locator("main input.input").evaluate_all("all => all.map((each) => each.value)")
            assert shown == [payload] * len(FIELDS), "nothing typed is lost"
            assert "broken" not in await page.title()
        # What the backend has, whoever brought it there.
        record = stage.backend._records[registration]
        assert record.new is not None
        record.new, record.email = msgspec.structs.replace(record.new, full_name=SCRIPT), ATTRIBUTE
        for field, payload in (("full_name", SCRIPT), ("email", ATTRIBUTE)):
            await page.goto(f"/helpdesk/c/{ticket.chat}")
            if await page.get_by_role("button", name="Ambil alih").count():
                await page.get_by_role("button", name="Ambil alih").click()
            row = page.locator(f".desk-handed [data-field={field}]")
            await row.get_by_text("Tampilkan utuh").click(timeout=WAIT)
            await row.get_by_role("button", name="Tampilkan").click()
            await expect(row.locator("[data-value]")).to_have_text(payload, timeout=WAIT)
            await page.screenshot(path=SCREENS / f"revealed-{field}.png", full_page=True)
            # Past the script, as a browser without it does.
            await page.reload()
            async with page.expect_navigation():
                await row.locator("form").evaluate("form => form.submit()")
            await expect(row.locator("[data-value]")).to_have_text(payload, timeout=WAIT)
            assert "broken" not in await page.title()
            assert await page.locator("[onfocus], [onerror], script:not([src]), body svg[onload]").count() == 0
    assert complaints == []


async def test_keys_badge_sound_rating_and_a_chat_that_the_bot_has(stage: Stage) -> None:
    complaints: list[str] = []
    async with chromium() as browser, coming_in(stage, browser, "Rina", complaints) as page:
        await page.goto("/helpdesk")
        await expect(page.locator("[data-state]")).to_have_text("Langsung", timeout=WAIT)
        assert not (await page.title()).startswith("(")
        first = await asking(stage)
        await expect(page).to_have_title(begins("(1)"), timeout=WAIT)
        await asking(stage, "budi")
        await expect(page).to_have_title(begins("(2)"), timeout=WAIT)
        # Sound: it can be switched off, and stays so.
        sound = page.locator("[data-sound]")
        on = await sound.inner_text()
        await sound.click()
        await expect(sound).not_to_have_text(on)
        await page.reload()
        await expect(sound).not_to_have_text(on)
        assert await sound.get_attribute("aria-pressed") == "false"
        # j and k go through the list, Enter opens, t takes, r writes.
        await page.keyboard.press("j")
        await page.keyboard.press("j")
        assert await at_item(page) == 1
        await page.keyboard.press("k")
        assert await at_item(page) == 0
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"**/helpdesk/c/{first.chat}**")
        await page.keyboard.press("t")
        await expect(page.locator("#kepala")).to_contain_text("Anda yang menangani", timeout=WAIT)
        await expect(page).to_have_title(begins("(1)"), timeout=WAIT)
        await page.keyboard.press("r")
        await page.keyboard.type("jtk r")
        await page.keyboard.press("Control+Enter")
        await expect(page.locator(".desk-agent", has_text="jtk r")).to_be_visible(timeout=WAIT)
        # Closed and rated: the rating appears beside the talk by itself.
        await page.get_by_text("Lainnya").click()
        await page.get_by_role("button", name="Tutup percakapan").click()
        await expect(page.locator("#percakapan")).to_contain_text("menutup percakapan", timeout=WAIT)
        await stage.desk.records.tell(CHAT, DeskChanged(first.id, "rated", 9, datetime.now(UTC), detail="4"), "S.90.0")
        await expect(page.locator("#panel")).to_contain_text("4/5", timeout=WAIT)
        # A chat that the bot has is looked at as it goes on.
        bot = Conversation("web", "lain")
        await stage.desk.records.watch([Line(bot, "bot", "Berapa NIK Anda?", datetime.now(UTC), "nik", "e1.0")])
        await page.goto("/helpdesk?daftar=live")
        (chat,) = [one for one in await stage.desk.reading.live() if one.conversation == bot]
        await page.locator(f".desk-item[href*='{chat.id}']").click()
        await page.wait_for_url(f"**/helpdesk/c/{chat.id}**")
        await expect(page.locator("[data-state]")).to_have_text("Langsung", timeout=WAIT)
        await stage.desk.records.watch([Line(bot, "person", "3174025708900003", datetime.now(UTC), "nik", "e2.0")])
        await expect(page.locator(".desk-person")).to_contain_text("31************03", timeout=WAIT)
        assert complaints == []


async def test_a_long_list_is_gone_through_by_keys_and_stays_true_while_it_changes(stage: Stage) -> None:
    complaints: list[str] = []

    async def tell(number: int, what: Change, version: int) -> None:
        changed = DeskChanged(f"T.{number}", what, version, datetime.now(UTC), "a9", "Sri")
        await stage.desk.records.tell(Conversation("web", f"lama{number}"), changed, f"S.{version}.0")

    for number in range(51):
        await tell(number, "queued", 1)
    async with chromium() as browser, coming_in(stage, browser, "Rina", complaints) as page:
        await page.goto("/helpdesk")
        await expect(page.locator("[data-state]")).to_have_text("Langsung", timeout=WAIT)
        for _ in range(51):
            await page.keyboard.press("j")
        await expect(page.get_by_role("link", name="Berikutnya")).to_be_focused()
        await page.set_viewport_size({"width": 360, "height": 800})
        await page.screenshot(path=SCREENS / "list-more-360.png", full_page=True)
        await page.set_viewport_size({"width": 1280, "height": 800})
        await page.screenshot(path=SCREENS / "list-more.png")
        await page.keyboard.press("Enter")
        await expect(page.locator(".desk-item")).to_have_count(1, timeout=WAIT)
        await expect(page.locator("[data-state]")).to_have_text("Langsung", timeout=WAIT)
        # Somebody takes the last of this page: there is none any more, and what was looked at is the end of the queue.
        await page.keyboard.press("j")
        await tell(50, "taken", 2)
        await expect(page.locator(".desk-item")).to_have_count(50, timeout=WAIT)
        assert await at_item(page) == 0, "whoever goes by keys is where they were"
        # One more comes: the page is there again.
        await tell(51, "queued", 1)
        await expect(page.locator(".desk-item")).to_have_count(1, timeout=WAIT)
        await page.get_by_role("link", name="Sebelumnya").press("Enter")
        await expect(page.locator(".desk-item")).to_have_count(50, timeout=WAIT)
        assert complaints == []


async def test_what_an_agent_writes_while_a_message_is_on_its_way_is_the_next_message(stage: Stage) -> None:
    complaints: list[str] = []
    ticket = await asking(stage)
    arrived, goes_on = asyncio.Event(), asyncio.Event()

    async def slowly(route: Route) -> None:
        arrived.set()
        await goes_on.wait()
        await route.continue_()

    async def breaks(route: Route) -> None:
        await route.fetch()
        await route.abort()

    async with chromium() as browser, coming_in(stage, browser, "Rina", complaints) as page:
        await page.goto(f"/helpdesk/c/{ticket.chat}")
        await page.route("**/pesan?*", slowly, times=1)
        await page.locator("#text").fill("Selamat siang.")
        await page.keyboard.press("Control+Enter")
        await arrived.wait()
        await page.keyboard.type(" Ada yang bisa dibantu?")
        await page.keyboard.press("Control+Enter")
        goes_on.set()
        await expect(page.locator(".desk-agent", has_text="Selamat siang.")).to_be_visible(timeout=WAIT)
        await expect(page.locator("#text")).to_have_value("Ada yang bisa dibantu?", timeout=WAIT)
        await page.keyboard.press("Control+Enter")
        await expect(page.locator(".desk-agent", has_text="Ada yang bisa dibantu?")).to_be_visible(timeout=WAIT)
        await expect(page.locator("#text")).to_have_value("", timeout=WAIT)
        # Said, and the answer was lost on its way: what is written then is not taken for what was said.
        await page.route("**/pesan?*", breaks, times=1)
        await page.keyboard.type("Sebentar")
        await page.keyboard.press("Control+Enter")
        await expect(page.locator("[data-problem]")).to_contain_text("tulisan Anda masih ada", timeout=WAIT)
        await page.keyboard.type(", saya periksa.")
        await page.keyboard.press("Control+Enter")
        await expect(page.locator(".desk-agent", has_text="Sebentar, saya periksa.")).to_be_visible(timeout=WAIT)
        assert complaints == []


def begins(words: str) -> re.Pattern[str]:
    return re.compile(rf"^{re.escape(words)}")


async def at_item(page: Page) -> int:
    return int(await page.evaluate("[...document.querySelectorAll('.desk-item')].indexOf(document.activeElement)"))


async def test_the_button_that_sends_the_link_again_counts_down_and_then_sends_it(stage: Stage) -> None:
    complaints: list[str] = []
    await at_the_summary(stage)
    await presses(stage, "activate", "b2")
    ticket = await asks_for_a_human(stage)
    async with chromium() as browser, coming_in(stage, browser, "Rina", complaints) as page:
        await page.clock.install()
        await page.goto(f"/helpdesk/c/{ticket.chat}")
        await page.get_by_role("button", name="Ambil alih").click()
        button = page.locator("form[action*='kirim-tautan'] button")
        await expect(button).to_contain_text(re.compile(r"\d:\d\d"), timeout=WAIT)
        await expect(button).to_be_disabled()
        later = timedelta(seconds=stage.backend.cooldown_seconds + 1)
        stage.clock.ahead += later
        await page.clock.fast_forward(int(later.total_seconds()) * 1000)
        await expect(button).to_be_enabled(timeout=WAIT)
        stage.backend.cooldown_seconds = 20 * 3600
        assert not re.search(r"\d:\d\d", await button.inner_text())
        await button.click()
        # What is far is told in hours.
        await expect(button).to_contain_text(re.compile(r" (20:00:0|19:5\d:)\d"), timeout=WAIT)
        assert (await stage.actions()).count("desk.resent") == 1
        assert complaints == []


async def test_a_console_whose_stream_was_refused_connects_again_and_misses_nothing(stage: Stage) -> None:
    complaints: list[str] = []

    async def away(route: Route) -> None:
        await route.fulfill(status=502, content_type="text/html", body="Bad gateway")

    async with chromium() as browser, coming_in(stage, browser, "Rina", complaints) as page:
        await page.route("**/helpdesk/langsung?*", away, times=2)
        await page.goto("/helpdesk")
        await expect(page.locator("[data-state]")).to_have_text(begins("Terputus"), timeout=WAIT)
        await asking(stage)
        await expect(page.locator("[data-state]")).to_have_text("Langsung", timeout=WAIT)
        await expect(page).to_have_title(begins("(1)"), timeout=WAIT)
        await asking(stage, "budi")
        await expect(page).to_have_title(begins("(2)"), timeout=WAIT)
        assert complaints == []


async def test_what_was_being_written_when_the_session_ended_is_sent_after_signing_in_again(stage: Stage) -> None:
    complaints: list[str] = []
    ticket = await asking(stage)
    async with chromium() as browser, coming_in(stage, browser, "Rina", complaints) as page:
        await page.goto(f"/helpdesk/c/{ticket.chat}")
        await page.get_by_role("button", name="Ambil alih").click()
        await expect(page.locator("#kepala")).to_contain_text("Anda yang menangani", timeout=WAIT)
        await page.locator("#text").fill("Saya periksa dahulu.")
        rina = await stage.people.agents.by_login("kepala")
        assert rina is not None
        stage.clock.ahead += IDLE + timedelta(seconds=1)
        await page.keyboard.press("Control+Enter")
        await expect(page.locator("[data-problem]")).to_contain_text("Sesi berakhir", timeout=WAIT)
        await expect(page.locator("#percakapan")).to_be_empty(timeout=WAIT)
        await expect(page.locator("#panel-isi")).to_be_empty()
        await expect(page.locator("#text")).to_have_value("Saya periksa dahulu.")
        await page.screenshot(path=SCREENS / "session-over.png")
        # They sign in in the other tab that the link opens, and come back.
        async with page.context.expect_page() as opened:
            await page.get_by_role("link", name="Masuk di tab baru").click()
        assert "/helpdesk/masuk" in (await opened.value).url
        token = await stage.people.sign_in.follow(await stage.people.agents.sign_in_link(rina.id), device="Test")
        await page.context.add_cookies([{"name": "helpdesk", "value": token, "url": stage.url}])
        await page.evaluate("dispatchEvent(new Event('focus'))")
        # Half an hour of silence: the bot has it again, and what they send takes it over.
        await expect(page.locator("#kepala")).to_contain_text("Ditangani bot", timeout=WAIT)
        await expect(page.locator("[data-problem]")).to_be_empty(timeout=WAIT)
        await page.locator("#text").focus()
        await page.keyboard.press("Control+Enter")
        await expect(page.locator(".desk-agent", has_text="Saya periksa dahulu.")).to_be_visible(timeout=WAIT)
        await expect(page.locator("#text")).to_have_value("")
        assert complaints == []


async def test_nobody_leaves_what_they_are_writing_without_being_asked(stage: Stage) -> None:
    complaints: list[str] = []
    ticket = await asking(stage)
    async with chromium() as browser, coming_in(stage, browser, "Rina", complaints) as page:
        await page.goto(f"/helpdesk/c/{ticket.chat}")
        await page.locator("#text").click()
        await page.keyboard.type("Selamat")
        asked = asyncio.Event()

        async def stays(dialog: Dialog) -> None:
            asked.set()
            await dialog.dismiss()

        page.on("dialog", stays)
        await page.locator(".desk-item").first.click(no_wait_after=True)
        async with asyncio.timeout(PATIENCE):
            await asked.wait()
        await expect(page.locator("#text")).to_have_value("Selamat")
        await page.locator("#text").fill("")
        asked.clear()
        await page.locator(".desk-item").first.click()
        await page.wait_for_load_state()
        assert not asked.is_set()


async def test_what_is_erased_goes_from_the_screen_whatever_its_agent_is_doing_there(stage: Stage, keyring: Keyring) -> None:
    complaints: list[str] = []
    await at_the_summary(stage)
    ticket = await asks_for_a_human(stage)
    async with chromium() as browser, coming_in(stage, browser, "Rina", complaints) as page:
        await page.goto(f"/helpdesk/c/{ticket.chat}")
        await page.get_by_role("button", name="Ambil alih").click()
        await expect(page.locator("#kepala")).to_contain_text("Anda yang menangani", timeout=WAIT)
        await stage.send("siti", "Ibu saya Sulastri", "e50")
        await expect(page.locator(".desk-person").last).to_contain_text("Sulastri", timeout=WAIT)
        shown = page.locator("[data-field=phone] [data-value]")
        covered = await shown.inner_text()
        await page.locator("[data-field=phone]").get_by_text("Tampilkan utuh").click()
        await page.locator("[data-field=phone]").get_by_role("button", name="Tampilkan").click()
        await expect(shown).not_to_have_text(covered, timeout=WAIT)
        await page.locator("[data-field=nik]").get_by_text("Tampilkan utuh").click()
        await page.locator("[data-field=nik]").get_by_role("combobox").focus()
        await expect(page.locator("[data-state]")).to_have_text("Langsung", timeout=WAIT)
        async with stage.people.database.writing() as conn:
            assert await held(keyring).erase(conn, ticket.chat)
        await expect(page.locator("#percakapan")).not_to_contain_text("Sulastri", timeout=WAIT)
        await expect(page.locator("#percakapan")).to_contain_text("Isi sudah dihapus.", timeout=WAIT)
        await expect(shown).to_have_text(covered, timeout=WAIT)
        assert complaints == []


async def test_every_page_is_fit_to_be_read_on_a_phone_and_at_a_desk_by_day_and_by_night(stage: Stage) -> None:
    SCREENS.mkdir(parents=True, exist_ok=True)
    await asking(stage)
    complaints: list[str] = []
    async with chromium() as browser, coming_in(stage, browser, "Rina Kusumawardhani", complaints) as page:
        stranger = await (await browser.new_context(base_url=stage.url, locale="id-ID")).new_page()
        for place in ("masuk", "", "balasan", "bantu", "angka", "petugas", "audit", "saya"):
            shown = stranger if place == "masuk" else page
            await shown.goto(f"/helpdesk/{place}" if place else "/helpdesk")
            for width in (360, 1280):
                scheme = "dark" if width == 1280 else "light"
                await shown.set_viewport_size({"width": width, "height": 800})
                for look in ("light", "dark"):
                    await shown.emulate_media(color_scheme="dark" if look == "dark" else "light", reduced_motion="reduce")
                    await shown.screenshot(path=SCREENS / f"{place or 'queue'}-{look}-{width}.png", full_page=True)
                    if look != scheme:
                        continue
                    found = [
                        f"{violation['id']}: {node['html'][:160]}"
                        for violation in (await Axe().run(shown)).response["violations"]
                        if violation["impact"] in {"serious", "critical"}
                        for node in violation["nodes"]
                    ]
                    assert found == [], f"{place} {look} {width}"
                assert await shown.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{place} {width}"
                assert await shown.evaluate(TOO_SMALL) == [], f"{place} {width}"
                rows = "new Set([...document.querySelectorAll('.desk-nav a')].map((each) => each.offsetTop)).size"
                assert await shown.evaluate(rows) <= 1, f"the navigation is one row: {place} {width}"
        assert complaints == []
