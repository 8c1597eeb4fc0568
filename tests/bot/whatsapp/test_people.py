"""Who is who: one person is one chat, however Meta names them, and no number lies about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akses.keyring import Keyring
from bot.channels.whatsapp.codec import Who
from bot.channels.whatsapp.people import KEEP_SECONDS, NotAnAddress, Numbers, People
from bot.stores.memory import MemoryStore
from bot.stores.port import Commit, Store

USER, NUMBER = "ID.1349120865530274", "628129000001"
BOTH, ONLY_USER, ONLY_NUMBER = Who(USER, NUMBER), Who(USER, ""), Who("", NUMBER)
NEXT = Who("ID.777", "628555000777")
OLD, NEW = Keyring.generate(), Keyring.generate()


def keyring() -> Keyring:
    return Keyring.parse(OLD)


def rotated() -> Keyring:
    """A newer key of each kind before the old ones."""
    _, index = NEW.split(",")
    return Keyring.parse(f"k2:{NEW.split(',')[0].partition(':')[2]},index2:{index.partition(':')[2]},{OLD}")


async def test_a_person_is_their_bsuid_and_written_to_by_it(store: Store) -> None:
    people = People(store, keyring())
    assert await people.chat_of(BOTH) == USER
    assert await people.recipient(USER) == {"recipient": USER}


async def test_a_number_alone_becomes_an_address_that_only_its_keys_can_open(store: Store) -> None:
    people = People(store, keyring())
    chat = await people.chat_of(ONLY_NUMBER)
    assert NUMBER not in chat
    assert await people.chat_of(ONLY_NUMBER) == chat
    assert await people.recipient(chat) == {"to": NUMBER}
    stranger = People(MemoryStore(), Keyring.parse(NEW))
    with pytest.raises(NotAnAddress):
        await stranger.recipient(chat)


@pytest.mark.parametrize("names", [(ONLY_NUMBER, BOTH, ONLY_USER, ONLY_NUMBER), (BOTH, ONLY_NUMBER, ONLY_USER, BOTH)])
async def test_whichever_name_meta_leaves_out_the_chat_goes_on(store: Store, names: tuple[Who, ...]) -> None:
    people = People(store, keyring())
    assert len({await people.chat_of(who) for who in names}) == 1


async def test_with_another_number_the_chat_goes_on_and_is_written_to_there(store: Store) -> None:
    people = People(store, keyring())
    chat = await people.chat_of(BOTH)
    for _ in range(2):
        await people.renamed(BOTH, NEXT, "e1")
        assert await people.chat_of(NEXT) == chat
        assert await people.chat_of(Who("", NEXT.number)) == chat
        assert await people.recipient(chat) == {"recipient": NEXT.user}


async def test_with_another_number_the_chat_goes_on_also_where_numbers_are_all_that_is_known(store: Store) -> None:
    people = People(store, keyring())
    chat = await people.chat_of(ONLY_NUMBER)
    for _ in range(2):
        await people.renamed(ONLY_NUMBER, Who("", NEXT.number), "e1")
        assert await people.chat_of(Who("", NEXT.number)) == chat
        assert await people.recipient(chat) == {"to": NEXT.number}


async def test_whoever_has_a_number_next_does_not_get_into_the_chat_of_who_had_it(store: Store) -> None:
    people = People(store, keyring())
    chat = await people.chat_of(ONLY_NUMBER)
    await people.renamed(ONLY_NUMBER, Who("", NEXT.number), "e1")
    another = await people.chat_of(ONLY_NUMBER)
    assert another != chat
    assert await people.recipient(another) == {"to": NUMBER}
    assert await people.chat_of(ONLY_NUMBER) == another


async def test_a_known_number_leads_nobody_with_another_bsuid_into_a_strangers_chat(store: Store) -> None:
    people = People(store, keyring())
    chat = await people.chat_of(BOTH)
    assert await people.chat_of(Who("ID.999", NUMBER)) == "ID.999" != chat


async def test_a_newer_index_key_changes_nobodys_chat(store: Store) -> None:
    before = People(store, keyring())
    chat, other = await before.chat_of(ONLY_NUMBER), await before.chat_of(Who("ID.5", "628999"))
    await before.renamed(Who("ID.5", "628999"), Who("ID.6", ""), "e1")
    after = People(store, rotated())
    assert await after.chat_of(ONLY_NUMBER) == chat
    assert await after.recipient(chat) == {"to": NUMBER}
    assert await after.chat_of(Who("ID.6", "")) == other
    assert await after.recipient(other) == {"recipient": "ID.6"}


async def test_when_a_sealing_key_is_gone_people_can_still_write() -> None:
    store = MemoryStore()
    before = People(store, keyring())
    await before.chat_of(BOTH)
    await before.renamed(BOTH, NEXT, "e1")
    index = OLD.split(",")[1]
    after = People(store, Keyring.parse(f"{NEW.split(',')[0]},{index}"))
    for _ in range(2):
        assert await after.chat_of(BOTH) == USER
        assert await after.chat_of(NEXT) == NEXT.user
        assert await after.recipient(NEXT.user) == {"recipient": NEXT.user}


async def test_who_writes_now_and_then_is_known_for_as_long_as_they_do() -> None:
    now = datetime(2026, 11, 1, tzinfo=UTC)
    people = People(MemoryStore(), keyring(), lambda: now)
    chat = await people.chat_of(BOTH)
    await people.renamed(BOTH, NEXT, "e1")
    for _ in range(5):
        now += timedelta(seconds=KEEP_SECONDS * 0.7)
        assert await people.chat_of(NEXT) == chat
        assert await people.recipient(chat) == {"recipient": NEXT.user}


async def test_nothing_that_is_kept_shows_a_number_or_who_is_whose() -> None:
    commits: list[Commit] = []

    class Watched(MemoryStore):
        async def commit(self, commit: Commit) -> Any:
            commits.append(commit)
            return await super().commit(commit)

    people = People(Watched(), keyring())
    await people.chat_of(BOTH)
    await people.chat_of(Who("", "628777000111"))
    await people.renamed(BOTH, NEXT, "e1")
    assert len(commits) > 4
    for commit in commits:
        written = commit.conversation.encode() + commit.state
        for name in (NUMBER, NUMBER[2:], NEXT.number, "628777000111", USER, NEXT.user):
            assert name.encode() not in written
    wamid = "wamid.HBgMNjI4MTI5MDAwMDAx"
    assert len(people.message(wamid)) == 22
    assert people.message(wamid) == people.message(wamid) != people.message(wamid + "x")


@given(st.from_regex(r"[0-9]{5,20}", fullmatch=True), st.sampled_from(["", "a1b2c3d4"]))
def test_every_number_comes_back_from_its_address(number: str, owner: str) -> None:
    assert Numbers(rotated()).open(Numbers(keyring()).seal(number, owner)) == number
