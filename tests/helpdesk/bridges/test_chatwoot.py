"""Chatwoot keeps what every bridge must keep, and what is Chatwoot's own: webhooks that may be lost, doubled or forged, statuses and
assignments that are the agents' as well as ours, marks beside messages.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import httpx2
import pytest

from akses.desk import held
from akses.keyring import Keyring
from bot.channels.port import Refused
from dialogs.effects import Say
from dialogs.events import TextSent
from dialogs.office import Office
from helpdesk.agents import Agent
from helpdesk.bridges.carrier import Carrier
from helpdesk.bridges.chatwoot.bridge import VERSION
from helpdesk.bridges.port import BridgeAway, PlaceGone
from helpdesk.reading import Ticket
from tests.backend.stage import until
from tests.fakes.chatwoot import FakeChatwoot, Talk, User
from tests.helpdesk.bridges.chatwoot_far import FOREVER, ChatwootFar, chatwoot_far
from tests.helpdesk.bridges.contract import CHAT, BridgeContract, asking_again, carrying, heard, owned, seen
from tests.helpdesk.stage import Stage, stage_on
from tests.helpdesk.test_deeds import asking, version


@pytest.fixture
async def stage(sqlite_url: str, keyring: Keyring) -> AsyncIterator[Stage]:
    async with stage_on(sqlite_url, keyring, office=Office(always=True)) as opened:
        yield opened


@pytest.fixture
async def far() -> AsyncIterator[ChatwootFar]:
    async with chatwoot_far() as running:
        yield running


class TestChatwoot(BridgeContract):
    pass


class Desk:
    """A ticket in Chatwoot: Rina and Budi are agents of the helpdesk by their addresses, Sari works in Chatwoot alone."""

    def __init__(
        self, stage: Stage, far: ChatwootFar, carrier: Carrier, ticket: Ticket, talk: Talk, agents: dict[str, Agent]
    ) -> None:
        self.stage = stage
        self.far = far
        self.carrier = carrier
        self.fake: FakeChatwoot = far.fake
        self.ticket = ticket
        self.talk = talk
        self.agents = agents
        self.rina: User = self.fake.user("Rina", "rina@contoh.id")
        self.budi: User = self.fake.user("Budi", "BUDI@contoh.id")
        self.sari: User = self.fake.user("Sari", "sari@contoh.id")

    def said(self) -> list[str]:
        return self.stage.chat.texts("siti")

    async def until(self, look: Callable[[], bool]) -> None:
        async def there() -> bool | None:
            await self.far.settled()
            return look() or None

        await until(there)

    async def audited(self, action: str) -> None:
        async def there() -> bool | None:
            return action in await self.stage.actions() or None

        await until(there)


async def an_agent(stage: Stage, name: str) -> Agent:
    agent, _ = await stage.people.agents.add(f"{name.lower()}@contoh.id", name, ("agent",))
    return agent


@asynccontextmanager
async def desk_on(stage: Stage, far: ChatwootFar) -> AsyncIterator[Desk]:
    far.connect(stage.desk.deeds(stage.desk.book("chatwoot")))
    agents = {name: await an_agent(stage, name) for name in ("Rina", "Budi")}
    ticket = await asking(stage)
    async with carrying(stage, far) as made:
        await until(lambda: far.fake.talks and far.fake.newest.custom_attributes.get(VERSION, -1) >= 0)
        await far.settled()
        yield Desk(stage, far, made, ticket, far.fake.newest, agents)


@pytest.fixture
async def desk(stage: Stage, far: ChatwootFar) -> AsyncIterator[Desk]:
    async with desk_on(stage, far) as opened:
        yield opened


# --- what agents find


async def test_a_hand_off_is_an_open_conversation_of_a_contact_with_what_helps_and_nothing_more(desk: Desk) -> None:
    talk, contact = desk.talk, desk.fake.contacts[desk.talk.contact]
    assert (talk.status, talk.handed_off, talk.assignee) == ("open", 1, None)
    assert (contact.identifier, contact.name) == (desk.ticket.chat, "Siti R.")
    assert contact.custom_attributes == {"akses_channel": "web", "akses_full_name": "S*** R***"}
    assert talk.custom_attributes["akses_ticket"] == desk.ticket.number
    assert talk.custom_attributes["akses_step"] == "nik"
    [note] = talk.notes()
    assert note.startswith(f"**Tiket #{desk.ticket.number}** · Siti R. · Web chat · Meminta petugas")
    assert f"/helpdesk/c/{desk.ticket.chat}" in note


async def test_a_contact_goes_with_the_last_conversation_that_was_erased(desk: Desk, keyring: Keyring) -> None:
    async with desk.stage.people.database.writing() as conn:
        await held(keyring).erase(conn, desk.ticket.chat)
    with suppress(PlaceGone):  # the carrier may be quicker
        await desk.far.bridge.remove(str(desk.talk.id), desk.ticket.chat)
    assert desk.talk.contact not in desk.fake.contacts
    with pytest.raises(PlaceGone):
        await desk.far.bridge.remove(str(desk.talk.id), desk.ticket.chat)


async def test_a_contact_goes_though_somebody_there_has_deleted_the_last_conversation(desk: Desk, keyring: Keyring) -> None:
    desk.rina.replies(desk.talk, "Sudah beres.")
    desk.rina.sets(desk.talk, "resolved")
    await desk.audited("desk.closed")
    await desk.until(lambda: "menutup percakapan" in desk.talk.notes()[-1])
    desk.fake.delete(desk.talk)
    assert desk.talk.contact in desk.fake.contacts
    async with desk.stage.people.database.writing() as conn:
        await held(keyring).erase(conn, desk.ticket.chat)
    desk.carrier._removing_at = 0.0
    await desk.until(lambda: desk.talk.contact not in desk.fake.contacts)


async def test_a_contact_with_another_conversation_stays_when_one_was_deleted_there(desk: Desk) -> None:
    theirs = Talk(9001, desk.talk.contact, "surat", "open", {}, inbox=desk.fake.inbox + 1)
    desk.fake.talks[theirs.id] = theirs
    desk.fake.delete(desk.talk)
    for chat in (desk.ticket.chat, "nobody", ""):
        with pytest.raises(PlaceGone):
            await desk.far.bridge.remove(str(desk.talk.id), chat)
    assert desk.talk.contact in desk.fake.contacts


async def test_a_removal_that_was_broken_off_leaves_no_contact_behind(desk: Desk) -> None:
    desk.fake.fails(503, method="DELETE", path=f"contacts/{desk.talk.contact}")
    with pytest.raises(BridgeAway):
        await desk.far.bridge.remove(str(desk.talk.id), desk.ticket.chat)
    await desk.far.bridge.remove(str(desk.talk.id), desk.ticket.chat)
    assert desk.talk.id not in desk.fake.talks
    assert desk.talk.contact not in desk.fake.contacts


async def test_two_who_remove_the_same_conversation_at_once_both_find_it_gone(desk: Desk) -> None:
    both = [desk.far.bridge.remove(str(desk.talk.id), desk.ticket.chat) for _ in range(2)]
    outcomes = await asyncio.gather(*both, return_exceptions=True)
    assert all(each is None or isinstance(each, PlaceGone) for each in outcomes), outcomes
    assert desk.talk.contact not in desk.fake.contacts


async def test_a_contact_that_somebody_merged_with_another_keeps_the_conversations_of_that_one(desk: Desk) -> None:
    theirs = Talk(9001, desk.talk.contact, "surat", "open", {}, inbox=desk.fake.inbox + 1)
    desk.fake.talks[theirs.id] = theirs
    await desk.far.bridge.remove(str(desk.talk.id), desk.ticket.chat)
    assert desk.talk.id not in desk.fake.talks
    assert theirs.id in desk.fake.talks


async def test_an_agents_formatting_reaches_the_person_as_words(desk: Desk) -> None:
    desk.rina.replies(desk.talk, "Selamat siang **Ibu Siti**,\\\nsilakan ketik *NIK* Anda.")
    await heard(desk.stage, "Selamat siang Ibu Siti,\nsilakan ketik NIK Anda.")


async def test_a_reply_to_a_certain_message_replies_to_it_in_the_chat(desk: Desk) -> None:
    await desk.stage.send("siti", TextSent("Nomor saya salah", "m7"), "t1")
    await desk.until(lambda: "> Nomor saya salah" in desk.talk.public())
    (asked,) = [line for line in desk.talk.lines if line.content == "Nomor saya salah"]
    desk.rina.replies(desk.talk, "Nomor yang mana?", attributes={"in_reply_to": asked.id})
    await heard(desk.stage, "Nomor yang mana?")
    (said,) = [each for each in desk.stage.chat.said["siti"] if isinstance(each, Say) and each.text == "Nomor yang mana?"]
    assert said.answers == "m7"


async def test_a_reply_shows_that_it_arrived_or_why_it_did_not_and_the_retry_button_retries(desk: Desk) -> None:
    first = desk.rina.replies(desk.talk, "Halo, saya Rina.")
    await desk.until(lambda: first.status == "delivered")
    desk.stage.chat.answers = [Refused("blocked")]
    second = desk.rina.replies(desk.talk, "Silakan lanjut.")
    await desk.until(lambda: second.status == "failed")
    assert second.external_error == "Ditolak saluran"
    assert "Silakan lanjut." not in desk.said()
    desk.rina.retries(second)
    await heard(desk.stage, "Silakan lanjut.")
    await desk.until(lambda: second.status == "delivered")
    assert desk.said().count("Silakan lanjut.") == 1


async def test_what_cannot_be_sent_says_so_beside_it(desk: Desk) -> None:
    picture = desk.rina.replies(desk.talk, "", attachments=[{"file_type": "image"}])
    long = desk.rina.replies(desk.talk, "panjang " * 600)
    await desk.until(lambda: picture.status == long.status == "failed")
    assert picture.external_error == (
        "Tidak terkirim: Hanya teks yang dapat dikirim kepada investor; lampiran ini tidak dikirim."
    )
    assert "4.096 karakter" in long.external_error
    desk.rina.replies(desk.talk, "Lihat ini", attachments=[{"file_type": "image"}])
    await heard(desk.stage, "Lihat ini")
    await desk.until(lambda: any("lampiran ini tidak dikirim" in note for note in desk.talk.notes()))


# --- whose it is


async def test_assigning_takes_it_and_assigning_another_hands_it_on(desk: Desk) -> None:
    desk.rina.takes(desk.talk)
    await owned(desk.stage, "human", "Rina")
    await desk.until(lambda: any("Rina mengambil alih" in note for note in desk.talk.notes()))
    desk.rina.assigns(desk.talk, desk.budi)
    await owned(desk.stage, "human", "Budi")
    await desk.audited("desk.transferred")
    await desk.until(lambda: any("Dialihkan kepada Budi" in note for note in desk.talk.notes()))
    assert desk.talk.assignee == desk.budi.id


async def test_nobody_assigned_any_more_is_back_in_the_queue(desk: Desk) -> None:
    desk.rina.takes(desk.talk)
    await owned(desk.stage, "human", "Rina")
    await desk.until(lambda: any("Rina mengambil alih" in note for note in desk.talk.notes()))
    desk.rina.assigns(desk.talk, None)
    await owned(desk.stage, "queued")


async def test_what_is_taken_in_the_console_is_assigned_in_chatwoot(desk: Desk) -> None:
    chat = await desk.stage.desk.reading.chat(desk.ticket.chat)
    assert chat is not None
    await desk.stage.desk.acting.take(chat, desk.agents["Budi"], await version(desk.stage), "k1")
    await desk.until(lambda: desk.talk.assignee == desk.budi.id)
    await desk.stage.desk.acting.release(chat, desk.agents["Budi"], await version(desk.stage), "k2")
    await desk.until(lambda: desk.talk.assignee is None)
    await owned(desk.stage, "queued")


async def test_a_reply_and_resolve_in_one_breath_says_closes_and_labels(desk: Desk) -> None:
    desk.rina.labels(desk.talk, "vip", "call_centre")
    desk.rina.replies(desk.talk, "Silakan hubungi call center, Bu.")
    desk.rina.sets(desk.talk, "resolved")
    await heard(desk.stage, "Silakan hubungi call center, Bu.")
    await owned(desk.stage, "bot")
    await desk.audited("desk.closed")
    [ticket] = await desk.stage.desk.reading.tickets("all", "")
    assert (ticket.ended, ticket.label, ticket.agent_name) == ("closed", "call_centre", "Rina")
    await desk.until(lambda: any("Rina menutup percakapan" in note for note in desk.talk.notes()))
    assert (desk.talk.status, desk.talk.labels) == ("resolved", ["vip", "call_centre"])


async def test_pending_gives_it_back_and_the_next_hand_off_is_a_conversation_of_its_own(desk: Desk) -> None:
    desk.rina.takes(desk.talk)
    await owned(desk.stage, "human", "Rina")
    desk.rina.sets(desk.talk, "pending")
    await owned(desk.stage, "bot")
    await desk.until(lambda: desk.talk.status == "resolved")
    await asking_again(desk.stage, 1)
    await desk.until(lambda: desk.fake.newest is not desk.talk and desk.fake.newest.status == "open")
    again = desk.fake.newest
    assert again.contact == desk.talk.contact
    assert again.assignee is None
    desk.budi.replies(again, "Halo lagi, Bu.")
    await heard(desk.stage, "Halo lagi, Bu.")
    await owned(desk.stage, "human", "Budi")


async def test_a_ticket_that_the_person_ended_is_resolved_there_and_whoever_writes_on_is_told(desk: Desk) -> None:
    chat = await desk.stage.desk.reading.chat(desk.ticket.chat)
    assert chat is not None
    await desk.stage.desk.acting.take(chat, desk.agents["Budi"], await version(desk.stage), "k1")
    await desk.stage.desk.acting.close(chat, desk.agents["Budi"], await version(desk.stage), "k2", "no_answer")
    await desk.until(lambda: desk.talk.status == "resolved" and desk.talk.labels == ["no_answer"])
    late = desk.rina.replies(desk.talk, "Masih di sana, Bu?")
    await desk.until(lambda: late.status == "failed")
    assert late.external_error == "Tidak terkirim: Tiket ini sudah selesai. Ambil percakapannya dari konsol bila perlu."
    await asking_again(desk.stage, 1)
    later = desk.rina.replies(desk.talk, "Halo?")
    await desk.until(lambda: later.status == "failed")
    assert (
        later.external_error
        == f"Tidak terkirim: Tiket ini sudah selesai. Percakapan yang terbuka sekarang: #{desk.ticket.number + 1}."
    )
    assert not [text for text in desk.said() if "Masih di sana" in text]


async def test_ending_what_nobody_has_is_undone_and_explained(desk: Desk) -> None:
    desk.rina.sets(desk.talk, "resolved")
    await desk.until(lambda: desk.talk.status == "open")
    assert desk.talk.notes()[-1].startswith("Tidak dilakukan: Belum ada petugas")
    await owned(desk.stage, "queued")


async def test_what_a_console_agent_without_chatwoot_has_cannot_be_ended_there(desk: Desk) -> None:
    dewi = await an_agent(desk.stage, "Dewi")
    chat = await desk.stage.desk.reading.chat(desk.ticket.chat)
    assert chat is not None
    await desk.stage.desk.acting.take(chat, dewi, await version(desk.stage), "k1")
    await desk.until(lambda: any("Dewi mengambil alih" in note for note in desk.talk.notes()))
    for deed in (lambda: desk.rina.sets(desk.talk, "resolved"), lambda: desk.rina.takes(desk.talk)):
        before = len(desk.talk.notes())
        deed()
        await desk.until(lambda before=before: len(desk.talk.notes()) > before)  # type: ignore[misc]
        assert "Dewi" in desk.talk.notes()[-1]
        assert (desk.talk.status, desk.talk.assignee) == ("open", None)
    await owned(desk.stage, "human", "Dewi")


async def test_somebody_of_chatwoot_alone_neither_takes_nor_is_given_anything(desk: Desk) -> None:
    desk.sari.takes(desk.talk)
    await desk.until(lambda: desk.talk.assignee is None)
    assert any(note.startswith("**Sari**, apa pun yang Anda tulis") for note in desk.talk.notes())
    desk.rina.takes(desk.talk)
    await owned(desk.stage, "human", "Rina")
    await desk.until(lambda: desk.talk.custom_attributes[VERSION] > 1)
    desk.rina.assigns(desk.talk, desk.sari)
    await desk.until(lambda: desk.talk.assignee == desk.rina.id)
    assert desk.talk.notes()[-1] == "Tidak dilakukan: Sari belum terdaftar sebagai petugas helpdesk."
    await owned(desk.stage, "human", "Rina")


async def test_an_address_that_was_not_confirmed_is_nobodys(desk: Desk) -> None:
    impostor = desk.fake.user("Rina Palsu", "rina@contoh.id", confirmed=False)
    line = impostor.replies(desk.talk, "Kirimkan NIK Anda.")
    await desk.until(lambda: line.status == "failed")
    assert any("belum dikonfirmasi" in note for note in desk.talk.notes())
    await owned(desk.stage, "queued")
    assert "Kirimkan NIK Anda." not in desk.said()


async def test_chatwoots_own_assigning_counts_as_taking(stage: Stage, far: ChatwootFar) -> None:
    rina = far.fake.user("Rina", "rina@contoh.id")
    far.fake.auto_assign = rina.id
    async with desk_on(stage, far):
        await owned(stage, "human", "Rina")


async def test_what_the_console_did_a_moment_ago_is_not_undone_by_what_still_stands_in_chatwoot(desk: Desk) -> None:
    chat = await desk.stage.desk.reading.chat(desk.ticket.chat)
    assert chat is not None
    assert desk.far.inbound is not None
    desk.fake.fails(503, FOREVER, method="POST")
    await desk.stage.desk.acting.take(chat, desk.agents["Budi"], await version(desk.stage), "k1")
    desk.far.ring(desk.talk.id)
    await desk.far.settled()
    await owned(desk.stage, "human", "Budi")
    desk.fake.mends()
    await desk.until(lambda: desk.talk.assignee == desk.budi.id)
    await owned(desk.stage, "human", "Budi")


async def test_a_conversation_that_was_made_before_a_crash_is_the_one_that_is_gone_on_with(desk: Desk) -> None:
    session = await desk.stage.runner.session(CHAT)
    view = await desk.stage.desk.views("chatwoot").of(desk.ticket, session)
    assert await desk.far.bridge.open(view) == str(desk.talk.id)
    assert len(desk.fake.talks) == len(desk.fake.contacts) == 1


# --- webhooks


async def test_our_own_words_come_back_to_nobody(desk: Desk) -> None:
    for number in range(3):
        await desk.stage.send("siti", f"Pesan {number}", f"m{number}")
        desk.rina.replies(desk.talk, f"Jawaban {number}")
        await heard(desk.stage, f"Jawaban {number}")
    reads = await seen(desk.far, "Pesan 2")
    await desk.until(lambda: desk.talk.lines[-1].status != "sent" or desk.talk.lines[-1].sender is not None)
    assert [reads.count(f"Pesan {number}") for number in range(3)] == [1, 1, 1]
    assert [reads.count(f"Jawaban {number}") for number in range(3)] == [1, 1, 1]
    assert [desk.said().count(f"Jawaban {number}") for number in range(3)] == [1, 1, 1]
    assert not [text for text in desk.said() if "Pesan" in text]
    assert not [line for line in desk.talk.lines if line.status == "failed"]


async def test_a_webhook_that_comes_twice_does_it_once(desk: Desk) -> None:
    desk.rina.replies(desk.talk, "Sekali saja.")
    index = len(desk.fake.webhooks) - 1
    await heard(desk.stage, "Sekali saja.")
    for _ in range(3):
        assert await desk.fake.rings_again(index) == 200
    await desk.far.settled()
    desk.rina.replies(desk.talk, "Yang berikutnya.")
    await heard(desk.stage, "Yang berikutnya.")
    assert desk.said().count("Sekali saja.") == 1


async def test_what_was_never_rung_is_found_by_looking(desk: Desk) -> None:
    """Chatwoot rings once: what it rang while we were away is found by the look over all open tickets."""
    desk.fake.lose_webhooks = True
    first = desk.rina.replies(desk.talk, "Tidak terdengar.")
    desk.rina.notes(desk.talk, "Catatan yang hilang.")
    await desk.stage.send("siti", "Sementara itu", "m1")
    await seen(desk.far, "Sementara itu")
    assert desk.far.inbound is not None
    desk.far.sweeping = True
    await heard(desk.stage, "Tidak terdengar.")
    await owned(desk.stage, "human", "Rina")
    await desk.until(lambda: first.status == "delivered")
    assert desk.said().count("Tidak terdengar.") == 1
    talk = await desk.stage.desk.reading.talk(desk.ticket.chat, {})
    assert [line.text for line in talk if line.kind == "note"] == ["Catatan yang hilang."]


async def test_what_failed_on_its_way_is_delivered_and_marked_so(desk: Desk) -> None:
    """Chatwoot marks a message failed when its webhook was not taken; nobody has to send it again."""
    right = desk.fake.webhook_url
    desk.fake.webhook_url = right.replace("/helpdesk/chatwoot", "/nowhere")
    line = desk.rina.replies(desk.talk, "Sampai juga.")
    await desk.fake.quiet()
    assert line.status == "failed"
    desk.fake.webhook_url = right
    desk.far.sweeping = True
    await heard(desk.stage, "Sampai juga.")
    await desk.until(lambda: line.status == "delivered")


@pytest.mark.parametrize("wrong", ["no signature", "another secret", "another body", "old"])
async def test_a_ring_of_somebody_else_is_refused_and_rings_nothing(desk: Desk, wrong: str) -> None:
    desk.rina.replies(desk.talk, "Benar.")
    headers, body = desk.fake.webhooks[-1]
    await heard(desk.stage, "Benar.")
    await desk.far.settled()
    asked = len(desk.fake.heard)
    headers = dict(headers)
    match wrong:
        case "no signature":
            del headers["X-Chatwoot-Signature"]
        case "another secret":
            headers["X-Chatwoot-Signature"] = "sha256=" + "0" * 64
        case "another body":
            body = body.replace(b"Benar.", b"Palsu!")
        case "old":
            headers["X-Chatwoot-Timestamp"] = str(int(headers["X-Chatwoot-Timestamp"]) - 301)
    assert await desk.fake._post(headers, body) == 401
    await desk.far.settled()
    assert len(desk.fake.heard) == asked, "Chatwoot was not even asked"


async def test_where_the_secret_is_not_known_what_a_webhook_says_is_not_believed(stage: Stage) -> None:
    async with chatwoot_far(signed=False) as far, desk_on(stage, far) as desk:
        forged = {
            "event": "message_created",
            "id": 999_999,
            "content": "Palsu, kirim PIN",
            "message_type": "outgoing",
            "private": False,
            "inbox": {"id": desk.fake.inbox},
            "conversation": {"id": desk.talk.id, "status": "resolved"},
            "sender": {"id": desk.rina.id, "type": "user", "email": "rina@contoh.id"},
        }
        async with httpx2.AsyncClient(trust_env=False) as anybody:
            for other in ({}, {"event": "conversation_resolved", "id": desk.talk.id, "inbox_id": desk.fake.inbox}):
                answer = await anybody.post(desk.fake.webhook_url, content=json.dumps(forged | other))
                assert answer.status_code == 200
            assert (await anybody.post(desk.fake.webhook_url, content=b"[")).status_code == 200
            assert (await anybody.post(desk.fake.webhook_url, content=b" " * 3_000_000)).status_code == 413
        await far.settled()
        await owned(stage, "queued")
        desk.rina.replies(desk.talk, "Yang sungguhan.")
        await heard(stage, "Yang sungguhan.")
        assert not [text for text in desk.said() if "PIN" in text]


# --- trouble


@pytest.mark.parametrize("trouble", ["500", "429", "cut", "silent"])
async def test_whatever_is_wrong_with_chatwoot_the_chat_goes_on_and_everything_arrives_after(desk: Desk, trouble: str) -> None:
    before = len(desk.fake.heard)
    match trouble:
        case "500":
            desk.fake.fails(500, times=2)
        case "429":
            desk.fake.fails(429, times=2, retry_after=1)
        case "cut":
            desk.fake.cuts(times=2)
        case "silent":
            holding = desk.fake.holding()
            holding.__enter__()
    chat = await desk.stage.desk.reading.chat(desk.ticket.chat)
    assert chat is not None
    await desk.stage.send("siti", "Satu", "m1")
    await desk.stage.desk.acting.say(chat, desk.agents["Budi"], await version(desk.stage), "k1", "Dua")
    await heard(desk.stage, "Dua")
    await until(lambda: len(desk.fake.heard) > before)
    await desk.stage.send("siti", "Tiga", "m3")
    if trouble == "silent":
        holding.__exit__(None, None, None)
    reads = await seen(desk.far, "Satu", "Dua", "Tiga")
    assert reads.find("Satu") < reads.find("Dua") < reads.find("Tiga")
    assert [reads.count(word) for word in ("Satu", "**Budi:** Dua", "Tiga")] == [1, 1, 1]


async def test_a_reply_while_chatwoot_cannot_be_asked_is_said_when_it_can(desk: Desk) -> None:
    desk.fake.fails(503, times=1, method="GET", retry_after=1)
    desk.rina.replies(desk.talk, "Sebentar, Bu.")
    await heard(desk.stage, "Sebentar, Bu.")
    assert desk.said().count("Sebentar, Bu.") == 1


async def test_a_conversation_that_was_deleted_is_made_anew_with_the_last_of_the_talk(desk: Desk) -> None:
    desk.rina.replies(desk.talk, "Saya bantu.")
    await heard(desk.stage, "Saya bantu.")
    await desk.stage.send("siti", "Terima kasih", "m1")
    await seen(desk.far, "Terima kasih")
    desk.fake.delete(desk.talk)
    await desk.stage.send("siti", "Masih di sana?", "m2")
    await until(lambda: desk.fake.talks and "> Masih di sana?" in desk.fake.newest.public())
    again = desk.fake.newest
    assert again.public() == ["< **Rina:** Saya bantu.", "> Terima kasih", "> Masih di sana?"]
    assert again.notes()[0].startswith("Percakapan tiket ini sebelumnya sudah dihapus di sini.")
    await desk.until(lambda: again.assignee == desk.rina.id)
    desk.rina.replies(again, "Ya, Bu.")
    await heard(desk.stage, "Ya, Bu.")


async def test_agents_who_answer_at_the_same_moment_are_two_claims_of_which_one_wins(desk: Desk) -> None:
    lines = [desk.rina.replies(desk.talk, "Saya Rina."), desk.budi.replies(desk.talk, "Saya Budi.")]
    await desk.until(lambda: {line.status for line in lines} == {"delivered", "failed"})
    winner, loser = sorted(lines, key=lambda line: line.status)
    assert loser.external_error == f"Tidak terkirim: Percakapan ini sudah ditangani {desk.fake.users[winner.sender[1]].name}."  # type: ignore[index]
    assert desk.said().count(str(winner.content)) == 1
    assert loser.content not in desk.said()


async def test_a_message_that_its_agent_deleted_before_it_was_seen_is_not_said(desk: Desk) -> None:
    desk.fake.lose_webhooks = True
    line = desk.rina.replies(desk.talk, "Salah kirim.")
    desk.fake.delete_message(line)
    desk.rina.replies(desk.talk, "Yang benar.")
    desk.far.sweeping = True
    await heard(desk.stage, "Yang benar.")
    assert not [text for text in desk.said() if "Salah" in text or "deleted" in text]


async def test_in_an_inbox_that_is_locked_to_one_conversation_the_next_hand_off_opens_the_same_again(desk: Desk) -> None:
    desk.fake.locked_to_one = True
    desk.rina.replies(desk.talk, "Sudah, Bu.")
    desk.rina.sets(desk.talk, "resolved")
    await owned(desk.stage, "bot")
    await desk.until(lambda: any("Rina menutup percakapan" in note for note in desk.talk.notes()))
    await asking_again(desk.stage, 1)
    await desk.until(
        lambda: desk.talk.status == "open" and desk.talk.custom_attributes["akses_ticket"] == desk.ticket.number + 1
    )
    desk.budi.replies(desk.talk, "Saya lanjutkan, Bu.")
    await heard(desk.stage, "Saya lanjutkan, Bu.")
    await owned(desk.stage, "human", "Budi")
    assert len(desk.fake.talks) == 1


async def test_two_strokes_begin_a_note_here_as_well(desk: Desk) -> None:
    desk.rina.replies(desk.talk, "// cek dulu nomornya")

    async def noted() -> bool | None:
        talk = await desk.stage.desk.reading.talk(desk.ticket.chat, {})
        return any(line.kind == "note" and line.text == "cek dulu nomornya" for line in talk) or None

    await until(noted)
    await owned(desk.stage, "queued")
    assert not [text for text in desk.said() if "cek dulu" in text]


async def test_what_chatwoot_itself_writes_is_no_agents_word(desk: Desk) -> None:
    """Greetings, surveys, automations and other bots speak without a person behind them."""
    desk.fake.put(desk.talk, "Bagaimana kami melayani Anda?", "template", None)
    desk.fake.put(desk.talk, "Jawaban otomatis", "outgoing", None, attributes={"automation_rule_id": 4})
    desk.fake.put(desk.talk, "Dari bot lain", "outgoing", ("agent_bot", desk.budi.id))
    desk.rina.replies(desk.talk, "Dari Rina.")
    await heard(desk.stage, "Dari Rina.")
    assert not [text for text in desk.said() if "melayani" in text or "otomatis" in text or "bot lain" in text]
