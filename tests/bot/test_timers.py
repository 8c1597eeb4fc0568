"""Timers on every store: reminders at decent hours, once, never after an answer; the erasure; restarts, crashes, several processes."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backend_client.fake import FakeBackend
from bot.channels.port import Later
from bot.sessions import Memory, Sessions
from bot.stores.embedded import EmbeddedStore
from bot.stores.port import Commit, Store
from bot.turns import KEEP_SECONDS
from dialogs.clock import FROM, UNTIL, ZONES
from dialogs.effects import DeleteUserMessages, Say, Show
from dialogs.events import CommandSent, Started, TextSent
from dialogs.frozen import replace
from dialogs.session import Session
from dialogs.testing import PROFILE
from tests.bot.test_turns import CHAT, KEYS, Bot, Breaking, Clock, Crashed, Screenful, contents

NAME, NIK = "Siti Rahmawati", "3171234501900001"
JAYAPURA = "9171234501900001"


@pytest.fixture
def bot(store: Store) -> Bot:
    return made(store, Clock(), Screenful())


def made(store: Store, clock: Clock, channel: Screenful) -> Bot:
    return Bot(store, clock, channel, FakeBackend(clock=clock))


async def leaves(bot: Bot, *answers: str) -> None:
    """Answers so much and goes."""
    await bot.happens(Started(), "e0")
    await bot.presses("agree", "e1")
    await bot.presses("kind.individu_lokal", "e2")
    for number, answer in enumerate(answers):
        await bot.happens(TextSent(answer, f"m{number}"), f"a{number}")


async def days_pass(bot: Bot, days: float, *, every: float = 1.0) -> list[datetime]:
    """So many days go by; the moments at which something was sent."""
    sent: list[datetime] = []
    end = bot.clock.now + timedelta(days=days)
    while bot.clock.now < end:
        bot.clock.now = min(end, bot.clock.now + timedelta(hours=every))
        before = len(screens(bot))
        await bot.settles()
        sent += [bot.clock.now] * (len(screens(bot)) - before)
    return sent


def screens(bot: Bot) -> list[Show]:
    return [message for _, _, message in bot.channel.got if isinstance(message, Show)]


def reminders(bot: Bot) -> list[Show]:
    return [message for message in screens(bot) if message.until is not None]


async def session(bot: Bot) -> Session:
    found = await bot.turns.session(CHAT)
    assert found is not None
    return found


async def test_who_leaves_is_reminded_twice_and_then_told_of_the_erasure_and_nothing_more(bot: Bot) -> None:
    await leaves(bot, NAME, NIK)
    before = await session(bot)
    sent = await days_pass(bot, 6.5)
    assert len(sent) == len(reminders(bot)) == 2
    after = await session(bot)
    assert before.draft is not None
    assert after.draft is not None
    assert (after.serial, after.draft.answers, await bot.step()) == (before.serial, before.draft.answers, "phone")
    assert len(await days_pass(bot, 5)) == 1
    assert "sudah kami hapus" in screens(bot)[-1].screen.body
    assert (await session(bot)).draft is None
    assert await days_pass(bot, 20) == []


@pytest.mark.parametrize(("nik", "zone"), [(NIK, "WIB"), (JAYAPURA, "WIT")])
@pytest.mark.parametrize("hour", [3, 7, 12, 19, 23])
async def test_nobody_is_written_to_at_night_wherever_they_live(bot: Bot, nik: str, zone: str, hour: int) -> None:
    bot.clock.now = datetime(2026, 11, 23, hour, 50, tzinfo=UTC)
    await leaves(bot, NAME, nik)
    sent = await days_pass(bot, 9, every=0.25)
    assert len(sent) == 3
    for moment in sent:
        assert FROM <= moment.astimezone(ZONES[zone]).time() <= UNTIL  # type: ignore[index]


async def test_the_reminder_bears_the_token_in_force_so_that_the_question_s_own_buttons_go_on_working(bot: Bot) -> None:
    await leaves(bot, NAME, NIK, "081234567890", "siti@example.com")
    summary = screens(bot)[-1].screen
    await days_pass(bot, 2)
    (reminder,) = reminders(bot)
    assert reminder.screen.token == summary.token
    assert NIK not in reminder.screen.body
    await bot.presses("go_on", "p1")
    assert screens(bot)[-1].screen.text == summary.text


async def test_who_goes_on_meanwhile_is_not_reminded_until_they_leave_again(bot: Bot) -> None:
    await leaves(bot, NAME)
    await days_pass(bot, 0.9)
    await bot.happens(TextSent(NIK, "m8"), "a8")
    assert await days_pass(bot, 0.9) == []
    assert len(await days_pass(bot, 0.6)) == 1


async def test_a_reminder_that_still_waits_when_its_person_answers_is_never_sent(bot: Bot, store: Store) -> None:
    await leaves(bot, NAME)
    bot.clock.now += timedelta(hours=25)
    bot.channel.answers = [Later(30)]
    await bot.settles()
    assert len(await store.pending(str(CHAT))) >= 1
    await bot.happens(TextSent(NIK, "m8"), "a8")
    bot.clock.now += timedelta(seconds=60)
    await bot.settles()
    assert reminders(bot) == []
    assert bot.channel.steps()[-1] == "phone"


async def test_a_reminder_that_could_not_be_sent_by_evening_is_not_sent_at_night(bot: Bot) -> None:
    await leaves(bot, NAME)
    bot.clock.now += timedelta(hours=25)
    bot.channel.answers = [Later(9 * 3600.0)] * 2
    await bot.settles()
    bot.clock.now += timedelta(hours=10)
    await bot.settles()
    assert reminders(bot) == []


async def test_who_wants_no_reminders_gets_none_and_is_still_told_of_the_erasure(bot: Bot) -> None:
    await leaves(bot, NAME)
    await days_pass(bot, 1.5)
    await bot.presses("mute", "p1")
    assert "tidak akan mengingatkan lagi" in screens(bot)[-1].screen.notice
    assert len(await days_pass(bot, 10)) == 1
    assert len(reminders(bot)) == 1
    assert "sudah kami hapus" in screens(bot)[-1].screen.body


async def test_what_was_typed_leaves_the_chat_while_telegram_still_allows_it(bot: Bot) -> None:
    await leaves(bot, NAME, NIK)
    await days_pass(bot, 2)
    (deleted,) = [message for _, _, message in bot.channel.got if isinstance(message, DeleteUserMessages)]
    assert deleted.messages == ("m0", "m1")
    assert (await session(bot)).draft is not None


async def test_two_processes_and_a_restart_remind_once(store: Store) -> None:
    clock, channel = Clock(), Screenful()
    await leaves(made(store, clock, channel), NAME)
    clock.now += timedelta(hours=30)
    both = [made(store, clock, channel) for _ in range(2)]
    await asyncio.gather(*(each.settles() for each in both))
    clock.now += timedelta(minutes=5)
    await asyncio.gather(*(each.settles() for each in both))
    assert len(reminders(both[0])) == 1


@pytest.mark.parametrize("at", [n / 2 for n in range(1, 20)])
async def test_a_crash_before_or_after_any_call_neither_loses_a_reminder_nor_the_erasure(store: Store, at: float) -> None:
    clock, channel = Clock(), Screenful()
    await leaves(made(store, clock, channel), NAME)
    clock.now += timedelta(hours=25)
    dying = Bot(Breaking(store, at), clock, channel, FakeBackend(clock=clock))
    with contextlib.suppress(Crashed, BaseExceptionGroup):
        await dying.settles()
    after = made(store, clock, channel)
    await days_pass(after, 0.1, every=0.05)
    assert 1 <= len(reminders(after)) <= 2, "at least once, and twice only under the same key"
    assert len({key for _, key, message in channel.got if isinstance(message, Show) and message.until}) == 1
    await days_pass(after, 9)
    assert (await session(after)).draft is None


async def test_a_journey_sets_its_timer_once(store: Store) -> None:
    """A plain turn pays nothing for it."""
    set_: list[str] = []

    class Watched(Breaking):
        async def commit(self, commit: Commit) -> bool:
            set_.extend(item.key for item in commit.items if item.lane == "timer")
            return await super().commit(commit)

    bot = Bot(Watched(store), Clock(), Screenful(), FakeBackend())
    await leaves(bot, NAME, NIK, "081234567890", "siti@example.com")
    assert set_ == ["timer draft"]


async def test_after_the_hand_off_the_timer_finds_nothing_and_is_forgotten(bot: Bot, store: Store) -> None:
    await leaves(bot, NAME, NIK, "081234567890", "siti@example.com")
    await bot.presses("activate", "p1")
    await bot.settles()
    said = len(bot.channel.got)
    await days_pass(bot, 3)
    assert len(bot.channel.got) == said
    assert await store.due((bot.clock.now + timedelta(days=30)).timestamp(), 1.0, 10) == []


async def test_a_session_of_the_version_before_gets_its_timer_with_its_next_turn(bot: Bot, store: Store) -> None:
    await leaves(bot, NAME)
    now = bot.clock().timestamp()
    revision = (await store.load(str(CHAT), now)).revision
    before = Memory(replace(await session(bot), seen=None))
    state = Sessions(KEYS).write(str(CHAT), revision + 1, before)
    await store.commit(Commit(str(CHAT), revision, state, (), ("timer draft",), now, KEEP_SECONDS))
    await bot.happens(CommandSent("bantuan"), "h1")
    assert len(await days_pass(bot, 2)) == 1


async def test_after_the_erasure_the_store_holds_nothing_of_what_was_typed(bot: Bot, store: Store) -> None:
    await leaves(bot, NAME, NIK, "081234567890", "siti@example.com")
    await days_pass(bot, 7)
    loaded = await store.load(str(CHAT), bot.clock().timestamp())
    assert loaded.state is not None
    plain = KEYS.open(loaded.state, f"session {CHAT} {loaded.revision}".encode())
    for typed in (NAME, NIK, "81234567890", "siti@example.com"):
        assert typed.encode() not in plain
    assert await store.pending(str(CHAT)) == []


async def test_the_sealed_answers_themselves_are_gone_from_the_embedded_store_s_files(tmp_path: Path) -> None:
    """Overwritten in the file (secure_delete) and gone from the log of changes."""
    store = await EmbeddedStore.open(tmp_path / "dialog.db")
    bot = made(store, Clock(), Screenful())
    await leaves(bot, NAME, NIK)
    sealed = (await store.load(str(CHAT), bot.clock().timestamp())).state
    assert sealed is not None
    await days_pass(bot, 7.5)
    await store.expire(bot.clock().timestamp())
    assert sealed not in contents(tmp_path)
    await store.close()


async def test_the_erasure_is_announced_before_the_net_of_the_store_could_come_first(bot: Bot) -> None:
    """The store's own forgetting is silent; it comes a day after the dialog's at the earliest."""
    assert timedelta(seconds=KEEP_SECONDS) >= PROFILE.keep_draft + timedelta(days=1)
    await leaves(bot, NAME)
    await days_pass(bot, 8)
    assert not [message for _, _, message in bot.channel.got if isinstance(message, Say)]
