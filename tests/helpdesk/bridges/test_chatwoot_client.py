"""What Chatwoot's answers come to, over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from helpdesk.bridges.chatwoot.client import Chatwoot
from helpdesk.bridges.chatwoot.config import ChatwootConfig
from helpdesk.bridges.port import BridgeAway, NotTaken, PlaceGone
from tests.fakes.chatwoot import FakeChatwoot


@pytest.fixture
async def fake() -> AsyncIterator[FakeChatwoot]:
    async with FakeChatwoot() as running:
        yield running


@pytest.fixture
async def client(fake: FakeChatwoot) -> AsyncIterator[Chatwoot]:
    made = Chatwoot(config(fake))
    yield made
    await made.close()


def config(fake: FakeChatwoot, **other: int | str) -> ChatwootConfig:
    facts: dict[str, int | str] = {"url": fake.url, "account": fake.account, "inbox": fake.inbox}
    return ChatwootConfig(**(facts | {"token": fake.token, "api_token": fake.api_token} | other))  # type: ignore[arg-type]


async def begun(client: Chatwoot) -> int:
    contact = await client.contact("c1", "Budi S.", {"channel": "web"})
    return (await client.begin(contact, "c1", {"akses_ticket": 4})).id


async def test_a_contact_is_made_once_and_brought_up_to_date_from_then_on(client: Chatwoot, fake: FakeChatwoot) -> None:
    first = await client.contact("c1", "", {"step": "nik"}, unnamed="Investor #4")
    again = await client.contact("c1", "Budi S.", {"step": "email"})
    assert first == again
    [contact] = fake.contacts.values()
    assert (contact.identifier, contact.name, contact.custom_attributes) == ("c1", "Budi S.", {"step": "email"})


async def test_a_conversation_begins_as_the_bots_and_is_handed_off_by_it(client: Chatwoot, fake: FakeChatwoot) -> None:
    number = await begun(client)
    assert (await client.conversation(number)).status == "pending"
    await client.set_status(number, "open")
    assert fake.newest.handed_off == 1
    assert fake.newest.assignee is None, "the bot's token assigns nobody"


async def test_what_is_said_bears_the_contact_the_bot_or_is_a_note(client: Chatwoot, fake: FakeChatwoot) -> None:
    number = await begun(client)
    said = await client.say(number, "Halo", incoming=True)
    await client.say(number, "Selamat datang")
    await client.say(number, "Untuk kita", private=True)
    lines = fake.newest.lines
    assert [(line.sender and line.sender[0], line.private) for line in lines] == [
        ("contact", False),
        ("agent_bot", False),
        ("agent_bot", True),
    ]
    assert said == lines[0].id
    assert [line.id for line in await client.messages(number, said)] == [line.id for line in lines[1:]]
    assert [line.by_person for line in await client.messages(number, 0)] == [None, None, None]


async def test_an_agents_words_bear_the_agent(client: Chatwoot, fake: FakeChatwoot) -> None:
    number, rina = await begun(client), fake.user("Rina", "rina@contoh.id")
    rina.replies(fake.newest, "Halo")
    rina.takes(fake.newest)
    [line] = await client.messages(number, 0)
    assert (line.by_person, line.content) == (rina.id, "Halo")
    assert (await client.conversation(number)).assignee == rina.id
    assert any((each.id, each.email, each.confirmed) == (rina.id, "rina@contoh.id", True) for each in await client.people())


async def test_what_became_of_a_message_is_marked_beside_it(client: Chatwoot, fake: FakeChatwoot) -> None:
    number, rina = await begun(client), fake.user("Rina", "rina@contoh.id")
    line = rina.replies(fake.newest, "Halo")
    await client.mark(number, line.id, "failed", "tidak terkirim")
    assert (line.status, line.external_error) == ("failed", "tidak terkirim")
    await client.mark(number, line.id, "delivered")
    assert (line.status, line.external_error) == ("delivered", "")


async def test_a_conversation_that_is_not_there_is_gone(client: Chatwoot, fake: FakeChatwoot) -> None:
    number = await begun(client)
    fake.delete(fake.newest)
    for asked in (
        client.conversation(number),
        client.messages(number, 0),
        client.say(number, "Halo"),
        client.assign(number, None),
    ):
        with pytest.raises(PlaceGone):
            await asked


async def test_a_proxys_404_does_not_mean_that_a_conversation_is_gone(client: Chatwoot, fake: FakeChatwoot) -> None:
    number = await begun(client)
    fake.fails(404, body="<html>no healthy upstream</html>")
    with pytest.raises(BridgeAway):
        await client.conversation(number)


@pytest.mark.parametrize(
    ("status", "retry_after", "waits"),
    [
        (429, 17, 17.0),
        (429, None, 0.0),
        (500, None, 0.0),
        (503, 5, 5.0),
        (502, None, 0.0),
        (401, None, 60.0),
        (302, None, 60.0),
    ],
)
async def test_an_answer_that_may_become_another_is_waited_for(
    client: Chatwoot, fake: FakeChatwoot, status: int, retry_after: int | None, waits: float
) -> None:
    number = await begun(client)
    fake.fails(status, retry_after=retry_after)
    with pytest.raises(BridgeAway) as away:
        await client.say(number, "Halo")
    assert away.value.retry_after == waits
    assert str(away.value) == str(status)
    assert await client.say(number, "Halo")


async def test_a_broken_connection_and_a_silent_host_are_waited_for(client: Chatwoot, fake: FakeChatwoot) -> None:
    number = await begun(client)
    fake.cuts()
    with pytest.raises(BridgeAway):
        await client.say(number, "Halo")
    nobody = Chatwoot(config(fake, url="http://127.0.0.1:9"))
    with pytest.raises(BridgeAway):
        await nobody.conversation(number)
    await nobody.close()


async def test_a_page_instead_of_an_answer_is_waited_for(client: Chatwoot, fake: FakeChatwoot) -> None:
    number = await begun(client)
    fake.fails(200, body="<html>please sign in</html>")
    with pytest.raises(BridgeAway):
        await client.conversation(number)


async def test_a_message_that_is_refused_is_refused_for_good_and_quoted_nowhere(client: Chatwoot) -> None:
    number = await begun(client)
    with pytest.raises(NotTaken) as refused:
        await client.say(number, "   ")
    assert refused.value.code == "422"


async def test_wrong_tokens_and_numbers_are_the_operators_to_mend(fake: FakeChatwoot) -> None:
    for wrong in ({"api_token": "x"}, {"account": 9}, {"inbox": 9}):
        client = Chatwoot(config(fake, **wrong))  # type: ignore[arg-type]
        with pytest.raises(BridgeAway) as away:
            await client.contact("c1", "Budi S.", {})
        assert away.value.retry_after == 60.0
        await client.close()


def test_no_secret_is_shown_where_the_settings_are() -> None:
    shown = repr(ChatwootConfig("https://chat.contoh.id", 1, 2, "bot-token", "admin-token", ("secret",)))
    assert not [secret for secret in ("bot-token", "admin-token", "secret'") if secret in shown]
