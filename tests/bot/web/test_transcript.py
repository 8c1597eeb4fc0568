"""The transcript port, the same for every implementation, and what is particular to the file."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from akses.keyring import Keyring, SealBroken
from bot.channels.web.channel import WebChannel, user_key
from bot.channels.web.items import answered, shown
from bot.channels.web.sqlite_transcript import SqliteTranscript
from bot.channels.web.transcript import MemoryTranscript, Transcript, TranscriptUnavailable
from bot.conversation import Conversation
from dialogs.effects import DeleteUserMessages, Show
from dialogs.screens import Action, Screen

CHAT = Conversation("web", "a")
OTHER = Conversation("web", "b")


class Clock:
    now = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "sqlite"])
async def transcript(
    request: pytest.FixtureRequest, tmp_path: Path, keyring: Keyring, clock: Clock
) -> AsyncIterator[Transcript]:
    if request.param == "memory":
        yield MemoryTranscript(clock)
    else:
        async with SqliteTranscript(tmp_path / "transcript.db", keyring, clock) as opened:
            yield opened


async def items(transcript: Transcript, conversation: Conversation = CHAT, cursor: int = 0) -> list[bytes]:
    return [entry.item for entry in await transcript.since(conversation, cursor, 100)]


async def test_items_come_back_in_the_order_of_appending_and_only_to_their_conversation(transcript: Transcript) -> None:
    seqs = [await transcript.append(CHAT, f"k{n}", b'{"n":%d}' % n) for n in range(3)]
    await transcript.append(OTHER, "k0", b'{"other":1}')
    assert seqs == sorted(set(seqs))
    assert await items(transcript) == [b'{"n":0}', b'{"n":1}', b'{"n":2}']
    assert await items(transcript, OTHER) == [b'{"other":1}']


async def test_a_key_that_was_appended_is_not_appended_again(transcript: Transcript) -> None:
    seqs = await asyncio.gather(*(transcript.append(CHAT, "k", b'{"n":%d}' % n) for n in range(10)))
    assert len(set(seqs)) == 1
    assert await items(transcript) == [b'{"n":0}']


async def test_since_a_cursor_gives_exactly_what_came_after_it(transcript: Transcript) -> None:
    for n in range(5):
        await transcript.append(CHAT, f"k{n}", b'{"n":%d}' % n)
    entries = await transcript.since(CHAT, 0, 2)
    assert len(entries) == 2
    assert await items(transcript, cursor=entries[-1].cursor) == [b'{"n":2}', b'{"n":3}', b'{"n":4}']


async def test_a_replaced_item_keeps_its_place_gets_a_new_cursor_and_loses_the_old_content(transcript: Transcript) -> None:
    seq = await transcript.append(CHAT, "own", b'{"secret":1}')
    await transcript.append(CHAT, "next", b'{"n":1}')
    seen = (await transcript.since(CHAT, 0, 100))[-1].cursor
    await transcript.replace(CHAT, "own", b'{"masked":1}')
    (change,) = await transcript.since(CHAT, seen, 100)
    assert (change.seq, change.item) == (seq, b'{"masked":1}')
    assert await items(transcript) == [b'{"n":1}', b'{"masked":1}']
    await transcript.append(CHAT, "own", b'{"secret":1}')
    assert await transcript.get(CHAT, "own") == b'{"masked":1}'


async def test_replacing_by_the_same_content_or_an_unknown_key_changes_nothing(transcript: Transcript) -> None:
    await transcript.append(CHAT, "own", b'{"n":1}')
    before = await transcript.since(CHAT, 0, 100)
    await transcript.replace(CHAT, "own", b'{"n":1}')
    await transcript.replace(CHAT, "nobody", b'{"n":2}')
    assert await transcript.since(CHAT, 0, 100) == before
    assert await transcript.get(CHAT, "nobody") is None


async def test_waiting_ends_with_news_and_not_with_another_conversations(transcript: Transcript) -> None:
    waiting = asyncio.create_task(transcript.wait(CHAT, 0, 60))
    await transcript.append(OTHER, "k", b"{}")
    done, _ = await asyncio.wait([waiting], timeout=0.05)
    assert not done
    await transcript.append(CHAT, "k", b"{}")
    async with asyncio.timeout(5):
        await waiting


async def test_waiting_for_what_is_there_already_returns_at_once_and_for_nothing_ends_in_time(transcript: Transcript) -> None:
    await transcript.append(CHAT, "k", b"{}")
    async with asyncio.timeout(5):
        await transcript.wait(CHAT, 0, 60)
        await transcript.wait(OTHER, 0, 0.01)


async def test_expiry_takes_whole_conversations_that_are_quiet_and_cursors_still_grow(
    transcript: Transcript, clock: Clock
) -> None:
    await transcript.append(CHAT, "k1", b"{}")
    await transcript.append(OTHER, "k1", b"{}")
    last = (await transcript.since(CHAT, 0, 100))[-1].cursor
    clock.now += timedelta(days=31)
    await transcript.append(OTHER, "k2", b"{}")
    assert await transcript.expire(clock.now - timedelta(days=30)) == 1
    assert await items(transcript) == []
    assert len(await items(transcript, OTHER)) == 2
    await transcript.append(CHAT, "k9", b"{}")
    assert len(await items(transcript, cursor=last)) == 1


async def test_a_clock_that_goes_back_does_not_turn_the_order_round(transcript: Transcript, clock: Clock) -> None:
    first = await transcript.append(CHAT, "k1", b'{"n":1}')
    clock.now -= timedelta(hours=1)
    assert await transcript.append(CHAT, "k2", b'{"n":2}') > first


# --- the file


async def test_the_file_survives_a_reopen_holds_no_plaintext_and_is_its_owners_alone(tmp_path: Path, keyring: Keyring) -> None:
    path = tmp_path / "transcript.db"
    async with SqliteTranscript(path, keyring) as opened:
        await opened.append(CHAT, "me:1", b'{"text":"3171234501900001 Budi Santoso"}')
        files = list(tmp_path.glob("*"))  # noqa: ASYNC240
        written = b"".join(file.read_bytes() for file in files)
        assert written
        assert b"Budi" not in written
        assert b"31712345" not in written
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    async with SqliteTranscript(path, keyring) as reopened:
        assert await items(reopened) == [b'{"text":"3171234501900001 Budi Santoso"}']


async def test_an_item_moved_to_another_conversation_does_not_open(tmp_path: Path, keyring: Keyring) -> None:
    path = tmp_path / "transcript.db"
    async with SqliteTranscript(path, keyring) as opened:
        await opened.append(CHAT, "k", b'{"n":1}')
        thief = sqlite3.connect(path)
        thief.execute("UPDATE item SET conversation = ?", (str(OTHER),))
        thief.commit()
        thief.close()
        with pytest.raises(SealBroken):
            await opened.since(OTHER, 0, 10)


async def test_a_file_that_cannot_be_used_is_told_as_unavailable(tmp_path: Path, keyring: Keyring) -> None:
    async with SqliteTranscript(tmp_path / "transcript.db", keyring) as opened:
        thief = sqlite3.connect(tmp_path / "transcript.db")
        thief.execute("DROP TABLE item")
        thief.commit()
        thief.close()
        with pytest.raises(TranscriptUnavailable):
            await opened.append(CHAT, "k", b"{}")
    with pytest.raises(TranscriptUnavailable):
        await opened.append(CHAT, "k", b"{}")


async def test_what_was_typed_can_be_masked_while_the_form_goes_on_and_its_screens_with_the_form(
    transcript: Transcript,
) -> None:
    channel = WebChannel("web", transcript)
    screen = Screen("t1", "summary", "NIK 3171 2345 0190 0001", actions=(Action("activate", "Aktivasi"),), sensitive=True)
    await transcript.append(CHAT, user_key("m1"), answered("m1", "3171234501900001", Clock.now, typed=True))
    await channel.deliver("a", Show(screen), "k1")
    await channel.deliver("a", DeleteUserMessages(("m1",), screens=False), "k2")
    kept = b"".join(await items(transcript))
    assert b"3171234501900001" not in kept
    assert b"3171 2345 0190 0001" in kept
    assert b"Aktivasi" in kept
    await channel.deliver("a", DeleteUserMessages(("m1",)), "k3")
    kept = b"".join(await items(transcript))
    assert b"3171 2345 0190 0001" not in kept
    assert b"Aktivasi" not in kept


async def test_what_was_masked_is_gone_from_the_file_and_its_log_of_changes(
    tmp_path: Path, keyring: Keyring, clock: Clock
) -> None:
    async with SqliteTranscript(tmp_path / "transcript.db", keyring, clock) as transcript:
        await transcript.append(CHAT, user_key("m1"), answered("m1", "3171234501900001", clock.now, typed=True))
        with sqlite3.connect(tmp_path / "transcript.db") as beside:
            ((sealed,),) = beside.execute("select sealed from item").fetchall()
        beside.close()
        await WebChannel("web", transcript).deliver("a", DeleteUserMessages(("m1",)), "k1")
        await transcript.expire(clock.now - timedelta(days=8))
        assert sealed not in contents(tmp_path)


def contents(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


def test_a_browser_is_not_offered_the_buttons_that_mean_nothing_there() -> None:
    actions = (
        Action("contact", "Bagikan nomor saya", contact=True),
        Action("app", "Aktifkan di sini", url="https://a.example/telegram/app", app=True),
        Action("home", "Beranda", url="https://a.example/"),
        Action("status", "Status"),
    )
    item = msgspec.json.decode(shown("k", Screen("t", "s", "Menunggu.", actions=actions), Clock.now))
    assert [action["id"] for action in item["actions"]] == ["home", "status"]
