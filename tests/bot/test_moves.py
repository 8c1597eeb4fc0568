"""A form goes from one chat to another: on each store, twice, late, at once, and over a crash between any two lines."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta

import pytest

from akses.keyring import Keyring
from backend_client.fake import FakeBackend
from bot.conversation import Conversation
from bot.moves import ASSISTED, LIFE, Links, Moves
from bot.stores.memory import MemoryStore
from bot.stores.port import Store
from dialogs.effects import Show
from dialogs.events import ButtonPressed, CommandSent, Started, TextSent
from dialogs.moves import TIMER
from dialogs.registration import token as screen_token
from tests.bot.test_turns import CHAT, KEYS, Bot, Breaking, Clock, Crashed, Screenful, registered

THERE = Conversation("web", "b")
ELSEWHERE = Conversation("web", "c")
NIK = "3171234501900001"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def backend(clock: Clock) -> FakeBackend:
    return FakeBackend(clock=clock)


@pytest.fixture
def bot(store: Store, clock: Clock, backend: FakeBackend) -> Bot:
    return Bot(store, clock, Screenful(), backend)


def words(bot: Bot, chat: Conversation) -> list[str]:
    return [message.screen.body for to, _, message in bot.channel.got if to == chat.address and isinstance(message, Show)]


async def presses(bot: Bot, action: str, chat: Conversation) -> None:
    session = await bot.turns.session(chat)
    assert session is not None
    await bot.happens(ButtonPressed(screen_token(session), action), f"{chat} {session.serial} {action}", chat)


async def proves(bot: Bot, chat: Conversation, digits: str) -> None:
    assert await bot.step(chat) == "proof"
    assert "1234" not in words(bot, chat)[-1], "nothing of the form is shown before that"
    await bot.happens(TextSent(digits), f"{chat} proof {digits}", chat)


async def asked_for(bot: Bot, id_: str = "move") -> str:
    """The token that the person reads in the old chat."""
    await bot.happens(CommandSent("pindah"), id_)
    await bot.settles()
    found = re.findall(r"t\.me/contoh_bot\?start=([\w-]+)", words(bot, CHAT)[-1])
    assert found, words(bot, CHAT)[-1]
    return str(found[-1])


async def answers(bot: Bot, chat: Conversation) -> dict[str, str]:
    session = await bot.turns.session(chat)
    return {id_: each.value for id_, each in session.draft.answers.items()} if session and session.draft else {}


# --- tokens


async def test_a_token_fits_a_deep_link_says_nothing_and_leads_back_from_any_process(store: Store, clock: Clock) -> None:
    one, other = Links(store, KEYS, clock), Links(store, KEYS, clock)
    token = await one.make(Conversation("telegram", "628123456789"), "s.1.0")
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", token)
    assert "628123456789" not in token
    assert token == await other.make(Conversation("telegram", "628123456789"), "s.1.0"), "made twice is made once"
    assert token != await other.make(Conversation("telegram", "628123456789"), "s.2.0")
    assert await other.whose(token) == Conversation("telegram", "628123456789")


async def test_whoever_invents_or_alters_a_token_gets_nowhere(store: Store, clock: Clock) -> None:
    links = Links(store, KEYS, clock)
    token = await links.make(CHAT, "s.1.0")
    assert await Links(store, Keyring.parse(Keyring.generate()), clock).whose(token) is None, "another key made it"
    for invented in ("", "lanjut-", "lanjut-abc", f"{token}A", token[:-1], token.removeprefix("lanjut-"), "lanjut-" + "é" * 43):
        assert await links.whose(invented) is None
    body = token.removeprefix("lanjut-")
    for at in range(len(body) - 1):
        other = "B" if body[at] == "A" else "A"
        assert not links.genuine(f"lanjut-{body[:at]}{other}{body[at + 1 :]}")


async def test_a_token_is_over_after_half_an_hour() -> None:
    clock = Clock()
    links = Links(MemoryStore(), KEYS, clock)
    token = await links.make(CHAT, "s.1.0")
    clock.now += LIFE - timedelta(seconds=1)
    assert await links.whose(token) == CHAT
    clock.now += timedelta(seconds=2)
    assert await links.whose(token) is None
    assert links.genuine(token)


# --- the person goes on elsewhere


async def test_a_form_goes_on_elsewhere_with_consent_asked_anew_and_leaves_nothing_behind(bot: Bot, store: Store) -> None:
    await bot.fills_in()
    token = await asked_for(bot)
    await bot.happens(Started(token), "s", THERE)
    await bot.settles()
    assert await bot.step(THERE) == "consent"
    assert "4 dari 4" in words(bot, THERE)[-1]
    assert NIK not in words(bot, THERE)[-1].replace(" ", ""), "nothing of it is shown before the consent"
    await presses(bot, "agree", THERE)
    await proves(bot, THERE, NIK[-4:])
    assert await bot.step(THERE) == "summary"
    assert (await answers(bot, THERE))["nik"] == NIK
    assert "dilanjutkan di sana" in words(bot, CHAT)[-1]
    assert await bot.step() == "idle"
    loaded = await store.load(str(CHAT), bot.clock().timestamp())
    assert loaded.state is not None
    assert NIK.encode() not in KEYS.open(loaded.state, f"session {CHAT} {loaded.revision}".encode())
    for chat in (CHAT, THERE):
        assert await store.pending(str(chat)) == []


async def test_what_was_handed_off_elsewhere_bears_the_consent_that_was_given_there(bot: Bot, backend: FakeBackend) -> None:
    await bot.fills_in()
    await bot.happens(Started(await asked_for(bot)), "s", THERE)
    await bot.settles()
    bot.clock.now += timedelta(minutes=3)
    await presses(bot, "agree", THERE)
    session = await bot.turns.session(THERE)
    assert session is not None
    assert session.draft is not None
    assert session.draft.consent is not None
    assert session.draft.consent.at == bot.clock.now
    await proves(bot, THERE, NIK[-4:])
    await presses(bot, "activate", THERE)
    await bot.settles()
    assert len(registered(backend)) == 1


async def test_a_used_link_brings_nothing_to_anybody_else_and_that_is_told_kindly(bot: Bot) -> None:
    await bot.fills_in()
    token = await asked_for(bot)
    await bot.happens(Started(token), "s", THERE)
    await bot.settles()
    await bot.happens(Started(token), "s", ELSEWHERE)
    await bot.settles()
    assert await answers(bot, ELSEWHERE) == {}
    assert "sudah dipakai" in words(bot, ELSEWHERE)[-1]
    assert len(await answers(bot, THERE)) == 4


async def test_whoever_cannot_show_that_a_form_is_theirs_sees_nothing_of_it_and_after_three_tries_it_is_gone(bot: Bot) -> None:
    await bot.fills_in()
    await bot.happens(Started(await asked_for(bot)), "s", THERE)
    await bot.settles()
    await presses(bot, "agree", THERE)
    for digits in ("9999", "8888", "7777"):
        await proves(bot, THERE, digits)
    assert await answers(bot, THERE) == {}
    assert await bot.step(THERE) == "idle"
    told = "".join(words(bot, THERE))
    assert not any(secret in told for secret in ("Siti", NIK[:6], "siti@", "081234"))


async def test_of_ten_who_open_a_link_at_once_one_has_the_form(bot: Bot, store: Store, clock: Clock) -> None:
    await bot.fills_in()
    token = await asked_for(bot)
    processes = [Bot(store, clock, bot.channel, bot.backend) for _ in range(2)]
    chats = [Conversation("web", f"n{n}") for n in range(10)]
    await asyncio.gather(*(processes[n % 2].happens(Started(token), "s", chat) for n, chat in enumerate(chats)))
    await asyncio.gather(*(process.settles() for process in processes))
    await bot.settles()
    assert sorted([len(await answers(bot, chat)) for chat in chats]) == [0] * 9 + [4]
    assert await answers(bot, CHAT) == {}


async def test_only_the_newest_link_is_good(bot: Bot) -> None:
    await bot.fills_in()
    older = await asked_for(bot, "one")
    newer = await asked_for(bot, "two")
    await bot.happens(Started(older), "s", ELSEWHERE)
    await bot.settles()
    assert await answers(bot, ELSEWHERE) == {}
    await bot.happens(Started(newer), "s", THERE)
    await bot.settles()
    assert len(await answers(bot, THERE)) == 4


async def test_what_was_handed_off_or_dropped_meanwhile_stays_so(bot: Bot, backend: FakeBackend) -> None:
    await bot.fills_in()
    token = await asked_for(bot)
    await presses(bot, "activate", CHAT)
    await bot.happens(Started(token), "s", THERE)
    await bot.settles()
    assert await answers(bot, THERE) == {}
    assert "sudah dipakai" in words(bot, THERE)[-1]
    assert len(registered(backend)) == 1


async def test_a_link_that_is_over_says_so_and_the_form_stays_where_it_is(clock: Clock, backend: FakeBackend) -> None:
    # In memory, where the clock can be moved; that Redis forgets by itself is its own promise.
    bot = Bot(MemoryStore(), clock, Screenful(), backend)
    await bot.fills_in()
    token = await asked_for(bot)
    clock.now += LIFE + timedelta(seconds=1)
    await bot.happens(Started(token), "s", THERE)
    await bot.settles()
    assert "tidak berlaku lagi" in words(bot, THERE)[-1]
    assert len(await answers(bot, CHAT)) == 4


async def test_a_form_that_is_open_in_the_new_chat_is_not_thrown_away(bot: Bot) -> None:
    await bot.fills_in()
    token = await asked_for(bot)
    for number, act in enumerate(("agree", "kind.individu_lokal")):
        if not number:
            await bot.happens(Started(), "s", THERE)
        await presses(bot, act, THERE)
    await bot.happens(TextSent("Budi Santoso"), "n", THERE)
    await bot.happens(Started(token), "again", THERE)
    await bot.settles()
    assert await answers(bot, THERE) == {"full_name": "Budi Santoso"}
    assert len(await answers(bot, CHAT)) == 4


async def test_a_form_arrives_whole_and_once_whatever_line_the_process_dies_at(clock: Clock, backend: FakeBackend) -> None:
    at = 0.0
    while True:
        at += 0.5
        breaking = Breaking(MemoryStore())
        bot = Bot(breaking, clock, Screenful(), backend)  # type: ignore[arg-type]
        await bot.fills_in()
        token = await asked_for(bot)
        breaking.calls, breaking.at = 0.0, at
        crashed = False
        try:
            await bot.happens(Started(token), "s", THERE)
            await bot.settles()
        except* Crashed:
            crashed = True
        breaking.at = float("inf")
        bot = Bot(breaking, clock, bot.channel, backend)  # type: ignore[arg-type]
        await bot.happens(Started(token), "s", THERE)
        for _ in range(4):
            clock.now += timedelta(seconds=61)
            await bot.settles()
        assert len(await answers(bot, THERE)) == 4, at
        assert await answers(bot, CHAT) == {}, at
        if not crashed:
            break
    assert at > 10, "the crash was tried at many lines"


async def test_where_there_is_no_other_place_that_is_said(clock: Clock, backend: FakeBackend) -> None:
    store = MemoryStore()
    bot = Bot(store, clock, Screenful(), backend)
    bot.delivery.connect(bot.turns, bot.requests, Moves(Links(store, KEYS, clock), bot.turns, bot.turns, {}, clock))
    await bot.fills_in()
    await bot.happens(CommandSent("pindah"), "move")
    await bot.settles()
    assert "tidak bisa dipindahkan" in words(bot, CHAT)[-1]
    assert await bot.step() == "summary"


# --- what an agent writes down


async def test_what_an_agent_writes_down_is_fetched_by_the_person_and_agreed_to_by_them(bot: Bot) -> None:
    typed = {"full_name": "Siti Rahmawati", "phone": "0812 3456 7890", "email": "siti@gmial.com", "nik": "12"}
    waiting = await bot.moves.write_down("Rina", "individu_lokal", typed, "k1")
    assert waiting.channel == ASSISTED
    offer = await bot.moves.offer(waiting, "offer")
    assert await bot.moves.state(offer.token) == "waiting"
    assert dict(offer.addresses)["web"].endswith(offer.token)
    await bot.happens(Started(offer.token), "s", THERE)
    await bot.settles()
    assert await bot.moves.state(offer.token) == "fetched"
    assert "Rina" in words(bot, THERE)[-1]
    assert await bot.step(THERE) == "consent"
    await presses(bot, "agree", THERE)
    await proves(bot, THERE, "7890")
    assert await bot.step(THERE) == "brought"
    assert await answers(bot, THERE) == {"full_name": "Siti Rahmawati", "phone": "+6281234567890"}
    await presses(bot, "all_right", THERE)
    assert await bot.step(THERE) == "doubt", "an unusual address is asked about, as if the person had typed it"
    assert [to for to, _, _ in bot.channel.got if to == waiting.address] == [], "nobody is in the chat where it waited"


async def test_what_nobody_fetches_in_time_is_not_kept(clock: Clock, backend: FakeBackend) -> None:
    store = MemoryStore()
    bot = Bot(store, clock, Screenful(), backend)
    waiting = await bot.moves.write_down("Rina", "individu_lokal", {"full_name": "Siti Rahmawati"}, "k1")
    await bot.moves.offer(waiting, "offer")
    assert await answers(bot, waiting)
    clock.now += LIFE + timedelta(seconds=1)
    await bot.settles()
    assert await answers(bot, waiting) == {}
    assert [item for _, item in await store.due(clock().timestamp() + 10**7, 1.0, 10) if TIMER in item.key] == []
