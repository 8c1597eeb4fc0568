"""The page inside Telegram, from outside: who gets in, what they see, and what the code of a mail does there."""

from __future__ import annotations

import asyncio
import re
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
import sqlalchemy as sa

from backend import init_data
from backend.housekeeping import Housekeeping
from backend.init_data import Bot
from backend.tables import accounts, visits
from tests.backend.stage import PASSWORD, SmsTower, Stage, served, text_of
from tests.fakes import telegram_launch as telegram

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.backend.conftest import OpenStage

BOT = Bot(telegram.BOT, telegram.TOKEN)
MINE = {"channel": "telegram", "reference": f"telegram:{telegram.USER}"}
CODE = re.compile(r"^    ([0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4})\r?$", re.MULTILINE)


@dataclass
class Page:
    """The page's script: its requests carry the visit's token in a header, and no cookie."""

    http: httpx2.AsyncClient
    visit: str = ""

    async def open(self, data: str) -> httpx2.Response:
        answer = await self.http.post("/telegram/app/kunjungan", data={"data": data})
        if answer.status_code == 200:
            self.visit = answer.json()["visit"]
        return answer

    async def get(self, path: str = "/pendaftaran") -> httpx2.Response:
        return await self.http.get(f"/telegram/app{path}", headers=self.headers)

    async def post(self, path: str, **fields: str) -> httpx2.Response:
        headers = {"Sec-Fetch-Site": "same-origin", **self.headers}
        return await self.http.post(f"/telegram/app{path}", headers=headers, data=fields)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.visit}"} if self.visit else {}

    async def try_code(self, registration: str, code: str) -> httpx2.Response:
        return await self.post(f"/pendaftaran/{registration}/kode", code=code)

    async def activate(self, registration: str, code: str, **fields: str) -> httpx2.Response:
        filled = {"code": code, "password": PASSWORD, "again": PASSWORD, "consent": "2026-11"} | fields
        return await self.post(f"/pendaftaran/{registration}/aktivasi", **filled)


@asynccontextmanager
async def browser(stage: Stage) -> AsyncIterator[Page]:
    async with httpx2.AsyncClient(base_url=stage.http.base_url, trust_env=False, timeout=30) as http:
        yield Page(http)


@asynccontextmanager
async def opened(stage: Stage, user: int = telegram.USER) -> AsyncIterator[Page]:
    async with browser(stage) as page:
        assert (await page.open(telegram.launch(user, at=stage.clock().timestamp()))).status_code == 200
        yield page


async def code(stage: Stage, *, of: int = 1, nth: int = -1) -> str:
    """The code in one of the mails, as soon as there are `of`."""
    found = CODE.findall(text_of((await stage.smtp.mails(of))[nth]))
    assert len(found) == 1
    return str(found[0])


def screen(answer: httpx2.Response) -> str:
    found = re.search(r'data-screen="(\w*)"', answer.text)
    assert found is not None, answer.text
    return found[1]


@pytest.fixture
def open_page(open_stage: OpenStage) -> Any:
    def make(**settings: Any) -> AbstractAsyncContextManager[Stage]:
        return open_stage(telegram=BOT, **settings)

    return make


@pytest.fixture
async def stage(open_page: Any) -> AsyncIterator[Stage]:
    """The backend with a bot, on SQLite, then on PostgreSQL."""
    async with open_page() as found:
        yield found


# --- who gets in, and what they see


async def test_a_visitor_sees_the_registrations_of_their_own_chat_masked_and_no_other(stage: Stage) -> None:
    mine = await stage.register(**MINE)
    await stage.register(channel="telegram", reference="telegram:5", full_name="Orang Lain", email="lain@example.com")
    await stage.register(channel="web", reference=MINE["reference"], full_name="Kanal Lain", email="kanal@example.com")
    async with opened(stage) as page, opened(stage, 6) as other:
        seen = await page.get()
        assert re.findall(r'data-registration="(\w+)"', seen.text) == [mine["id"]]
        assert "S*** R***" in seen.text
        assert "s***@example.com" in seen.text
        for secret in ("Siti", "Rahmawati", "siti.", "3174095708900001", "81234567890", "O***"):
            assert secret not in seen.text
        assert "data-registration" not in (await other.get()).text


async def test_launch_data_opens_the_page_once_also_of_many_at_once(stage: Stage) -> None:
    data = telegram.launch(at=stage.clock().timestamp())
    turned = "&".join(reversed(data.split("&")))
    async with browser(stage) as page:
        answers = await asyncio.gather(*(page.open(each) for each in (data, turned) * 10))
        assert sorted(answer.status_code for answer in answers) == [200] + [401] * 19
        assert (await page.open(data)).status_code == 401
        assert screen(await page.get()) == "list"


@pytest.mark.parametrize("by_token", [True, False])
async def test_data_that_is_not_good_opens_nothing_and_all_of_it_is_answered_alike(
    open_stage: OpenStage, monkeypatch: pytest.MonkeyPatch, by_token: bool
) -> None:
    monkeypatch.setitem(init_data._PUBLIC_KEYS, "test", telegram.PUBLIC_KEY)
    bot = BOT if by_token else Bot(telegram.BOT, environment="test")
    async with open_stage(telegram=bot) as stage, browser(stage) as page:
        now = stage.clock().timestamp()
        given = telegram.fields(at=now)
        good = telegram.signed(given)
        bad = [
            "",
            "hash=&signature=",
            telegram.written({**good, "user": good["user"].replace(str(telegram.USER), "5")}),
            f"{telegram.written(good)}&query_id=",
            telegram.written({name: value for name, value in good.items() if name not in ("hash", "signature")}),
            telegram.launch(at=now - 302),
            telegram.launch(at=now + 40),
            telegram.launch(at=now, token=f"{telegram.BOT + 1}:AAE-another-bot"),
        ]
        answers = [await page.open(each) for each in bad]
        assert {answer.status_code for answer in answers} == {401}
        assert len({answer.content for answer in answers}) == 1
        assert (await page.open(telegram.written(good))).status_code == 200
        async with stage.backend.database.reading() as conn:
            assert await conn.scalar(sa.select(sa.func.count()).select_from(visits)) == 1


async def test_without_a_living_visit_nothing_is_shown_or_done(stage: Stage) -> None:
    registration = (await stage.register(**MINE))["id"]
    typed = await code(stage)
    of = f"/pendaftaran/{registration}"
    posts = (f"{of}/kirim-ulang", f"{of}/kode", f"{of}/aktivasi", f"{of}/bukan-saya", "/telepon", "/telepon/kirim-ulang")

    async def all_closed(page: Page) -> None:
        for answer in [await page.get(), await page.get(f"{of}/kode")] + [
            await page.post(path, code=typed, password=PASSWORD, again=PASSWORD, consent="2026-11", sure="ya") for path in posts
        ]:
            assert (answer.status_code, screen(answer)) == (401, "problem")

    async with browser(stage) as page:
        await all_closed(page)
        for page.visit in ("akv_x", "x" * 5000):
            await all_closed(page)
    async with opened(stage) as page:
        stage.let_pass(minutes=29)
        assert screen(await page.get()) == "list"
        stage.let_pass(minutes=1)
        await all_closed(page)
    assert (await stage.view(registration))["status"] == "pending"


async def test_another_chats_registration_is_like_none_whatever_is_asked_of_it_and_nothing_comes_of_it(stage: Stage) -> None:
    registration = (await stage.register(**MINE))["id"]
    typed = await code(stage)
    stage.clock.stop()
    async with opened(stage, 5) as stranger:
        for of in (registration, "0" * 32):
            answers = [
                await stranger.get(f"/pendaftaran/{of}/kode"),
                *[await stranger.try_code(of, each) for each in (typed, *["2222-2222"] * 7)],
                await stranger.activate(of, typed),
                await stranger.activate(of, typed, again="", consent=""),
                await stranger.post(f"/pendaftaran/{of}/bukan-saya", code=typed, sure="ya"),
                await stranger.post(f"/pendaftaran/{of}/kirim-ulang"),
            ]
            assert {answer.status_code for answer in answers} == {404}
            assert len({answer.content for answer in answers}) == 1
    async with opened(stage) as page:
        assert screen(await page.try_code(registration, typed)) == "password", "the stranger's tries were not counted as theirs"


async def test_another_site_cannot_send_forms_here_and_other_pages_are_framed_by_nobody(stage: Stage) -> None:
    async with browser(stage) as page:
        foreign = await page.http.post("/telegram/app/kunjungan", data={"data": "x"}, headers={"Sec-Fetch-Site": "cross-site"})
        assert foreign.status_code == 403
        shell = await page.http.get("/telegram/app?lang=en")
        policy = shell.headers["content-security-policy"]
        assert "frame-ancestors https://web.telegram.org https://weba.telegram.org" in policy
        assert "script-src 'self';" in policy
        assert "form-action 'none'" in policy
        assert "x-frame-options" not in shell.headers
        for answer in (shell, foreign):
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["referrer-policy"] == "no-referrer"
        other = await page.http.get("/masuk")
        assert other.headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in other.headers["content-security-policy"]
    async with opened(stage) as page:
        for answer in (await page.get(), await page.post("/telepon")):
            assert "set-cookie" not in answer.headers


async def test_where_no_bot_is_known_there_is_no_page_and_mails_have_no_code(small_stage: Stage) -> None:
    await small_stage.register(**MINE)
    assert not CODE.search(text_of((await small_stage.smtp.mails(1))[0]))
    async with browser(small_stage) as page:
        assert (await page.http.get("/telegram/app")).status_code == 404
        assert (await page.open("x")).status_code == 404


# --- the code


async def test_the_mail_of_a_telegram_chat_has_the_code_and_says_where_it_is_typed(stage: Stage) -> None:
    for language, words in (("id", ("Aktifkan di sini", "kepada siapa pun")), ("en", ("Activate here", "to nobody"))):
        await stage.register(**MINE, language=language, email=f"{language}@example.com")
        mail = (await stage.smtp.mails(1 if language == "id" else 2))[-1]
        typed = CODE.findall(text_of(mail))
        assert len(typed) == 1
        html = mail.get_body(("html",))
        assert html is not None
        for part in (" ".join(text_of(mail).split()), str(html.get_content())):
            assert typed[0] in part
            for word in words:
                assert word in part
    await stage.register(email="web@example.com")
    assert not CODE.search(text_of((await stage.smtp.mails(3))[-1])), "a web chat has no such page"


async def test_a_code_sets_the_password_once_as_the_link_would(stage: Stage) -> None:
    registration = (await stage.register(**MINE))["id"]
    typed, token = await code(stage), await stage.smtp.token()
    async with opened(stage) as page:
        form = await page.try_code(registration, typed.lower().replace("-", " "))
        assert (form.status_code, screen(form)) == (200, "password")
        assert "S*** R***" in form.text
        done = await page.activate(registration, typed)
        assert (done.status_code, screen(done)) == (200, "done")
        seen = await page.get()
        assert 'data-status="active"' in seen.text
        assert "S*** R***" in seen.text
        for answer in (await page.try_code(registration, typed), await page.activate(registration, typed)):
            assert screen(answer) == "list"
    assert type(await stage.activate(token)).__name__ == "LinkUsed"
    hook = (await stage.receiver.events(1, "registration.activated"))[0]
    assert hook.event["data"]["registration_id"] == registration
    assert type(await stage.backend.accounts.authenticate("siti.rahmawati@example.com", PASSWORD, ip="x")).__name__ == "Account"


async def test_the_password_keeps_the_same_rules_and_the_owner_consents(stage: Stage) -> None:
    registration = (await stage.register(**MINE))["id"]
    typed = await code(stage)
    async with opened(stage) as page:
        for fields, broken in (
            ({"password": "Pendek1!", "again": "Lain1!xx"}, "same"),
            ({"password": "Rahasia123!", "again": "Rahasia123!"}, "common"),
            ({"password": "Rahmawati#2026xq", "again": "Rahmawati#2026xq"}, "personal"),
            ({"consent": ""}, "consent"),
        ):
            answer = await page.activate(registration, typed, **fields)
            assert (answer.status_code, screen(answer)) == (422, "password")
            assert f'data-broken="{broken}"' in answer.text
        assert screen(await page.activate(registration, typed)) == "done"


async def test_a_code_lives_and_dies_with_its_link(stage: Stage) -> None:
    registration = (await stage.register(**MINE))["id"]
    codes = [await code(stage)]

    async def live(page: Page) -> list[bool]:
        return [screen(await page.try_code(registration, each)) == "password" for each in codes]

    for number in (2, 3, 4):
        stage.let_pass(minutes=16)
        async with opened(stage) as page:
            assert screen(await page.post(f"/pendaftaran/{registration}/kirim-ulang")) == "list"
            codes.append(await code(stage, of=number))
            assert await live(page) == ([False] if number == 4 else []) + [True] * min(number, 3)
    stage.let_pass(minutes=2)
    assert (await stage.put_email(registration, "baru@example.com")).status_code == 202
    codes.append(await code(stage, of=5))
    async with opened(stage) as page:
        assert (await live(page))[-1]
        stage.let_pass(minutes=14)
        assert (await live(page))[:-1] == [False] * 4
    stage.let_pass(hours=24)
    async with opened(stage) as page:
        assert (await live(page))[-1] is False


async def test_guesses_are_counted_before_they_are_looked_at_and_wait_longer_and_longer(stage: Stage) -> None:
    registration = (await stage.register(**MINE))["id"]
    typed = await code(stage)
    stage.clock.stop()
    async with opened(stage) as page:
        guesses = await asyncio.gather(*(page.try_code(registration, f"2222-{number:04}") for number in range(20)))
        assert sorted(guess.status_code for guess in guesses) == [422] * 6 + [429] * 14, (
            "five are free, the sixth begins the wait"
        )
        late = await page.try_code(registration, typed)
        assert (late.status_code, late.headers["retry-after"]) == (429, "1"), "also the right one waits"
        waits = []
        for _ in range(6):
            stage.let_pass(seconds=int((await page.try_code(registration, typed[:-1])).headers["retry-after"]))
            wrong = await page.try_code(registration, typed[:-1])
            assert wrong.status_code == 422
            waits.append(int((await page.try_code(registration, typed)).headers["retry-after"]))
        assert waits == [2, 4, 8, 16, 32, 64]
        stage.let_pass(seconds=64)
        assert screen(await page.try_code(registration, typed)) == "password"
        assert (await page.try_code(registration, "2222-2222")).status_code == 422, "a right one is forgiven all before it"


async def test_one_chat_cannot_guess_at_many_registrations_side_by_side(stage: Stage) -> None:
    many = [(await stage.register(**MINE, email=f"direktur{number}@example.com"))["id"] for number in range(5)]
    stage.clock.stop()
    async with opened(stage) as page:
        answers = [(await page.try_code(each, "2222-2222")).status_code for each in many for _ in range(5)]
    assert answers == [422] * 21 + [429] * 4


async def test_of_link_and_code_used_at_once_one_makes_the_account(stage: Stage) -> None:
    registration = (await stage.register(**MINE))["id"]
    typed, token = await code(stage), await stage.smtp.token()
    async with opened(stage) as page:
        outcomes = await asyncio.gather(
            *(page.activate(registration, typed) for _ in range(4)), *(stage.activate(token) for _ in range(4))
        )
    made = [type(each).__name__ if not isinstance(each, httpx2.Response) else screen(each) for each in outcomes]
    assert sum(each in ("done", "Activated") for each in made) == 1, made
    async with stage.backend.database.reading() as conn:
        assert await conn.scalar(sa.select(sa.func.count()).select_from(accounts)) == 1


async def test_bukan_saya_asks_once_more_and_then_ends_the_registration(stage: Stage) -> None:
    registration = (await stage.register(**MINE))["id"]
    typed = await code(stage)
    async with opened(stage) as page:
        path = f"/pendaftaran/{registration}/bukan-saya"
        assert (await page.post(path, code="2222-2222", sure="ya")).status_code == 422
        assert screen(await page.post(path, code=typed)) == "disown"
        assert (await stage.view(registration))["status"] == "pending"
        assert screen(await page.post(path, code=typed, sure="ya")) == "disowned"
        assert "data-registration" not in (await page.get()).text
    assert (await stage.view(registration))["status"] == "withdrawn"


async def test_whose_data_already_belong_to_an_account_is_told_so_and_stays_pending(stage: Stage) -> None:
    first = (await stage.register(**MINE))["id"]
    second = (await stage.register(**MINE))["id"]
    mails = [text_of(mail) for mail in await stage.smtp.mails(2)]
    codes = [CODE.findall(mail)[0] for mail in mails]
    async with opened(stage) as page:
        for each in codes:
            answer = await page.activate(first, each)
            if screen(answer) == "done":
                break
        left = [each for each in (await page.get()).text.split('data-registration="')[1:] if second in each]
        assert 'data-status="pending"' in left[0]
        assert (
            screen(await page.try_code(second, next(each for each in codes if each not in answer.request.content.decode())))
            == "code"
        )


# --- Kirim Ulang


async def test_kirim_ulang_waits_as_the_chat_does_and_tells_the_true_rest(stage: Stage) -> None:
    registration = (await stage.register(**MINE))["id"]
    await stage.receiver.events(1, "registration.mailed")
    async with opened(stage) as page:
        early = await page.post(f"/pendaftaran/{registration}/kirim-ulang")
        assert (early.status_code, screen(early)) == (429, "list")
        assert 880 <= int(early.headers["retry-after"]) <= 900
        assert "15 menit" in early.text
        stage.let_pass(minutes=10)
        assert 280 <= int((await page.post(f"/pendaftaran/{registration}/kirim-ulang")).headers["retry-after"]) <= 300
        stage.let_pass(minutes=5)
        again = await asyncio.gather(*(page.post(f"/pendaftaran/{registration}/kirim-ulang") for _ in range(5)))
        assert sorted(answer.status_code for answer in again) == [200] + [429] * 4
        await stage.smtp.mails(2)
        assert (await stage.http.post(f"/api/v1/registrations/{registration}/resend", headers=stage.key())).status_code == 429


async def test_an_expired_registration_comes_back_by_kirim_ulang_at_once(stage: Stage) -> None:
    registration = (await stage.register(**MINE))["id"]
    await stage.receiver.events(1, "registration.mailed")
    stage.let_pass(hours=24, minutes=1)
    await stage.backend.jobs.forward(24 * 3600 + 60)
    await stage.receiver.events(1, "registration.expired")
    async with opened(stage) as page:
        assert 'data-status="expired"' in (await page.get()).text
        assert screen(await page.get(f"/pendaftaran/{registration}/kode")) == "list"
        assert 'data-status="pending"' in (await page.post(f"/pendaftaran/{registration}/kirim-ulang")).text
        assert screen(await page.try_code(registration, await code(stage, of=2))) == "password"


# --- the code from the phone


async def test_where_the_phone_must_be_proven_the_page_asks_for_its_code_too(open_page: Any) -> None:
    tower = SmsTower()
    async with (
        served(tower.app()) as gateway,
        open_page(phone_otp="activation", sms_url=tower.url(gateway), outbound_networks=("127.0.0.1",)) as stage,
    ):
        registration = (await stage.register(**MINE))["id"]
        typed = await code(stage)
        async with opened(stage) as page:
            asked = await page.activate(registration, typed)
            assert (asked.status_code, screen(asked)) == (200, "phone")
            check = re.findall(r'name="check" value="(ako_[\w-]+)"', asked.text)[0]
            sent = await tower.code()
            wrong = await page.post("/telepon", check=check, code="000000" if sent != "000000" else "111111")
            assert (wrong.status_code, screen(wrong)) == (422, "phone")
            assert screen(await page.post("/telepon", check=check, code=sent)) == "done"
            assert screen(await page.post("/telepon", check=check, code=sent)) == "phone_gone"
        assert (await stage.view(registration))["status"] == "active"


# --- what is kept


async def test_neither_code_nor_launch_data_can_be_read_in_the_database(stage: Stage) -> None:
    registration = (await stage.register(**MINE))["id"]
    typed = await code(stage)
    async with opened(stage) as page:
        await page.try_code(registration, typed)
        visit = page.visit
    async with stage.backend.database.reading() as conn:
        names = await conn.run_sync(lambda sync: sa.inspect(sync).get_table_names())
        rows = [repr(row) for name in names for row in await conn.execute(sa.text(f'SELECT * FROM "{name}"'))]
    everything = "\n".join(rows)
    for secret in (typed, typed.replace("-", ""), visit, "query_id", "Sri +"):
        assert secret not in everything


async def test_who_had_the_page_open_is_forgotten_by_the_daily_tidying(stage: Stage) -> None:
    tidying = Housekeeping(stage.config, stage.backend.database, stage.backend.jobs, stage.backend.audit, stage.clock)
    data = telegram.launch(at=stage.clock().timestamp())
    async with browser(stage) as page:
        await page.open(data)
        stage.let_pass(minutes=4)
        await tidying.tidy("2026-11-25", 1)
        assert (await page.open(data)).status_code == 401, "not while the data could open it again"
    stage.let_pass(days=1)
    await tidying.tidy("2026-11-26", 1)
    async with stage.backend.database.reading() as conn:
        assert await conn.scalar(sa.select(sa.func.count()).select_from(visits)) == 0
