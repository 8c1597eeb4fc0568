"""Events of one conversation wait for each other; nobody is forgotten, and nothing is kept for a conversation at rest."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from bot.conversation import Conversation
from bot.in_order import InOrder

SITI, BUDI = Conversation("web", "siti"), Conversation("web", "budi")


async def test_who_comes_first_is_served_first_and_others_do_not_wait_for_them() -> None:
    in_order, seen, go_on = InOrder(), [], asyncio.Event()

    async def turn(conversation: Conversation, number: int) -> None:
        async with in_order(conversation):
            if conversation is SITI:
                await go_on.wait()
            seen.append((conversation.address, number))

    tasks = [asyncio.create_task(turn(SITI, number)) for number in range(5)]
    tasks.append(asyncio.create_task(turn(BUDI, 0)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert seen == [("budi", 0)]
    assert in_order.busy(SITI)
    assert not in_order.busy(BUDI)
    go_on.set()
    await asyncio.gather(*tasks)
    assert seen[1:] == [("siti", number) for number in range(5)]
    assert not in_order.busy(SITI)


@given(st.lists(st.sampled_from(["come", "leave", "cancel first", "cancel last", "pause"]), max_size=30))
def test_however_people_come_leave_and_give_up_one_is_in_and_all_others_get_their_turn(acts: list[str]) -> None:
    async def play() -> None:
        in_order = InOrder()
        inside: list[int] = []
        leave: dict[int, asyncio.Event] = {}
        tasks: dict[int, asyncio.Task[None]] = {}

        async def turn(number: int) -> None:
            async with in_order(SITI):
                assert not inside
                inside.append(number)
                try:
                    await leave[number].wait()
                finally:
                    inside.remove(number)

        for number, act in enumerate(acts):
            there = [each for each, task in tasks.items() if not task.done()]
            match act:
                case "come":
                    leave[number] = asyncio.Event()
                    tasks[number] = asyncio.create_task(turn(number))
                case "leave" if inside:
                    leave[inside[0]].set()
                case "cancel first" if there:
                    tasks[there[0]].cancel()
                case "cancel last" if there:
                    tasks[there[-1]].cancel()
                case _:
                    await asyncio.sleep(0)
        for event in leave.values():
            event.set()
        await asyncio.wait_for(asyncio.gather(*tasks.values(), return_exceptions=True), 5)
        assert not in_order.busy(SITI)
        assert all(task.cancelled() or task.exception() is None for task in tasks.values())

    asyncio.run(play())
