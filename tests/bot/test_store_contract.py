"""What every dialog store promises; each test runs against each store."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.stores.embedded import EmbeddedStore
from bot.stores.port import Backlog, Commit, Item, Lane, Loaded, Outcome, Store, StoreUnavailable
from dialogs.frozen import replace

NOW = 1_800_000_000.0


def item(key: str, lane: Lane = "say", due: float = NOW) -> Item:
    return Item(key, lane, key.encode(), due)


def turn(
    revision: int = 0,
    *,
    conversation: str = "web:a",
    state: bytes = b"state",
    items: tuple[Item, ...] = (),
    cancelled: tuple[str, ...] = (),
    now: float = NOW,
    keep: float = 100.0,
) -> Commit:
    return Commit(conversation, revision, state, items, cancelled, now, keep)


async def committed(store: Store, commit: Commit) -> bool:
    return await store.commit(commit) is not Outcome.LOST


async def test_a_new_conversation_is_empty(store: Store) -> None:
    assert await store.load("web:a", NOW) == Loaded(0, None)


async def test_what_was_committed_is_loaded_with_the_next_revision(store: Store) -> None:
    assert await committed(store, turn(state=b"one"))
    assert await committed(store, turn(1, state=b"two"))
    assert await store.load("web:a", NOW) == Loaded(2, b"two")
    assert await store.load("web:b", NOW) == Loaded(0, None)


async def test_a_commit_on_an_old_revision_changes_nothing(store: Store) -> None:
    assert await committed(store, turn())
    assert not await committed(store, turn(state=b"again", items=(item("x"),)))
    assert not await committed(store, turn(5, state=b"ahead"))
    assert await store.load("web:a", NOW) == Loaded(1, b"state")
    assert await store.pending("web:a") == []


async def test_of_fifty_writers_on_one_revision_exactly_one_wins(store: Store) -> None:
    won = await asyncio.gather(*(committed(store, turn(state=b"%d" % n, items=(item(f"i{n}"),))) for n in range(50)))
    assert sum(won) == 1
    winner = won.index(True)
    assert await store.load("web:a", NOW) == Loaded(1, b"%d" % winner)
    assert [each.key for each in await store.pending("web:a")] == [f"i{winner}"]


async def test_outgoing_items_are_pending_in_order_until_done_and_timers_are_not_among_them(store: Store) -> None:
    await store.commit(turn(items=(item("a"), item("b", "do"), item("t", "timer", NOW + 60))))
    await store.commit(turn(1, items=(item("c"),)))
    assert [(each.key, each.lane, each.body) for each in await store.pending("web:a")] == [
        ("a", "say", b"a"),
        ("b", "do", b"b"),
        ("c", "say", b"c"),
    ]
    assert await store.done("web:a", ("a", "b", "unknown")), "c still waits"
    assert [each.key for each in await store.pending("web:a")] == ["c"]


async def test_due_items_are_given_to_one_asker_for_the_time_of_the_lease(store: Store) -> None:
    await store.commit(turn(items=(item("late", due=NOW + 10), item("first", due=NOW - 5), item("second", "do", NOW))))
    assert [each.key for _, each in await store.due(NOW, 30, 10)] == ["first", "second"]
    assert await store.due(NOW, 30, 10) == []
    assert [(name, each.key) for name, each in await store.due(NOW + 10, 30, 10)] == [("web:a", "late")]
    assert {each.key for _, each in await store.due(NOW + 31, 30, 10)} == {"first", "second"}


async def test_due_gives_no_more_than_asked_for(store: Store) -> None:
    await store.commit(turn(items=tuple(item(f"i{n}", due=NOW - 10 + n) for n in range(5))))
    assert [each.key for _, each in await store.due(NOW, 30, 2)] == ["i0", "i1"]


async def test_a_postponed_item_comes_back_when_due_with_its_attempts(store: Store) -> None:
    await store.commit(turn(items=(item("a"),)))
    await store.postpone("web:a", "a", NOW + 20, 3)
    assert await store.due(NOW + 19, 30, 10) == []
    assert [(each.key, each.attempts) for _, each in await store.due(NOW + 20, 30, 10)] == [("a", 3)]


async def test_setting_a_timer_again_moves_it_and_cancelling_forgets_it(store: Store) -> None:
    await store.commit(turn(items=(item("timer x", "timer", NOW + 10), item("timer y", "timer", NOW + 10))))
    await store.commit(turn(1, items=(item("timer x", "timer", NOW + 50),), cancelled=("timer y", "timer none")))
    assert await store.due(NOW + 49, 30, 10) == []
    assert [each.key for _, each in await store.due(NOW + 50, 30, 10)] == ["timer x"]


async def test_a_timer_is_given_out_when_everything_else_of_its_conversation_is_done(store: Store) -> None:
    await store.commit(turn(items=(item("a"), Item("timer x", "timer", b"", NOW + 10))))
    await store.done("web:a", ("a",))
    [(conversation, given)] = await store.due(NOW + 10, 30, 10)
    assert (conversation, given.key, given.lane, given.body) == ("web:a", "timer x", "timer", b"")
    assert await store.due(NOW + 11, 30, 10) == []
    assert [each.key for _, each in await store.due(NOW + 40, 30, 10)] == ["timer x"], "nobody carried it out"
    await store.done("web:a", ("timer x",))
    assert await store.due(NOW + 80, 30, 10) == []


async def test_a_timer_that_is_set_anew_by_the_turn_that_it_caused_is_not_lost_with_the_old_one(store: Store) -> None:
    await store.commit(turn(items=(Item("timer x", "timer", b"", NOW),)))
    assert len(await store.due(NOW, 30, 10)) == 1
    await store.commit(turn(1, items=(Item("timer x", "timer", b"", NOW + 50),)))
    assert await store.due(NOW + 49, 30, 10) == []
    assert [each.key for _, each in await store.due(NOW + 50, 30, 10)] == ["timer x"]


async def test_the_timer_of_an_expired_conversation_is_not_given_out(store: Store) -> None:
    await store.commit(turn(items=(Item("timer x", "timer", b"", NOW),), keep=0.1))
    now = await after(0.1)
    assert await store.due(now, 30, 10) == []
    assert await store.due(now + 60, 30, 10) == []


async def after(seconds: float) -> float:
    """A moment later, by our clock and by the store's own."""
    await asyncio.sleep(seconds + 0.05)
    return NOW + seconds + 0.05


async def test_an_expired_conversation_is_gone_with_everything_in_it(store: Store) -> None:
    await store.commit(turn(items=(item("a"),), keep=0.1))
    await store.commit(turn(conversation="web:b", keep=1000))
    now = await after(0.1)
    assert await store.load("web:a", now) == Loaded(0, None)
    await store.expire(now)
    assert await store.pending("web:a") == []
    assert await store.due(now, 30, 10) == []
    assert (await store.load("web:b", now)).revision == 1


async def test_a_conversation_can_begin_again_after_it_expired(store: Store) -> None:
    await store.commit(turn(keep=0.1))
    now = await after(0.1)
    assert await committed(store, turn(0, state=b"new", now=now))
    assert await store.load("web:a", now) == Loaded(1, b"new")


async def test_the_first_to_commit_a_message_delivers_and_those_behind_it_are_told_so(store: Store) -> None:
    assert await store.commit(turn(items=(item("a"),))) is Outcome.FIRST
    assert await store.commit(turn(1, items=(item("b"),))) is Outcome.BEHIND
    await store.done("web:a", ("a", "b"))
    assert await store.commit(turn(2, items=(item("c"), item("d", "do")))) is Outcome.FIRST
    await store.done("web:a", ("c",))
    assert await store.commit(turn(3, items=(item("e"),))) is Outcome.FIRST, "requests and timers hold nobody back"


async def test_a_turn_that_is_to_be_alone_is_not_written_while_an_earlier_message_waits(store: Store) -> None:
    alone = replace(turn(1, state=b"new", items=(item("b", "do"),)), alone=True)
    await store.commit(turn(items=(item("a"),)))
    assert await store.commit(alone) is Outcome.NOT_ALONE
    assert await store.load("web:a", NOW) == Loaded(1, b"state")
    assert [each.key for each in await store.pending("web:a")] == ["a"]
    await store.done("web:a", ("a",))
    assert await store.commit(alone) is Outcome.FIRST
    assert await store.commit(alone) is Outcome.LOST


async def test_a_message_can_be_added_behind_those_that_wait(store: Store) -> None:
    await store.commit(turn(items=(item("a"), item("b"))))
    await store.add("web:a", item("answer", due=NOW + 5))
    assert [each.key for each in await store.pending("web:a")] == ["a", "b", "answer"]
    assert [each.key for _, each in await store.due(NOW + 5, 30, 10)] == ["a", "b", "answer"]
    assert await store.commit(turn(1, items=(item("timer x", "timer", NOW + 9),), cancelled=("timer y",))) is Outcome.BEHIND


async def test_the_backlog_is_what_is_to_happen_soon_and_how_late_the_most_belated_is(store: Store) -> None:
    assert await store.backlog(NOW, NOW + 60) == Backlog(0, 0.0)
    await store.commit(turn(items=(item("a", due=NOW - 5), item("t", "timer", NOW + 900))))
    await store.commit(turn(conversation="web:b", items=(item("b", "do", NOW + 30),)))
    assert await store.backlog(NOW, NOW + 60) == Backlog(2, 5.0)
    await store.done("web:a", ("a",))
    assert await store.backlog(NOW, NOW + 60) == Backlog(1, 0.0)


async def test_the_embedded_store_holds_all_of_it_after_it_was_opened_again(tmp_path: Path) -> None:
    first = await EmbeddedStore.open(tmp_path / "dialog.db")
    await first.commit(turn(items=(item("a"), item("timer t", "timer", NOW + 5))))
    await first.close()
    second = await EmbeddedStore.open(tmp_path / "dialog.db")
    assert await second.load("web:a", NOW) == Loaded(1, b"state")
    assert [each.key for each in await second.pending("web:a")] == ["a"]
    assert {each.key for _, each in await second.due(NOW + 5, 30, 10)} == {"a", "timer t"}
    await second.close()
    assert (tmp_path / "dialog.db").stat().st_mode & 0o777 == 0o600


async def test_a_closed_embedded_store_says_that_it_is_unavailable(tmp_path: Path) -> None:
    store = await EmbeddedStore.open(tmp_path / "dialog.db")
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.load("web:a", NOW)
