"""A form that goes on elsewhere, as far as transcripts cannot show it."""

from __future__ import annotations

from datetime import timedelta

from dialogs.effects import BringForm, CancelTimer, DeleteUserMessages, MakeLink, RedeemLink, SetTimer
from dialogs.events import ButtonPressed, FormBrought, FormWritten, LinkMade, LinkOpened, TimerFired
from dialogs.registration import token
from dialogs.testing import Conversation

ANSWERS = {"full_name": "Siti Rahmawati", "nik": "3171234501900001"}
ADDRESSES = (("telegram", "https://t.me/contoh_bot?start=lanjut-k1"),)
PASSWORD = "Rahasia#123"


def link(chat: Conversation, *addresses: tuple[str, str]) -> LinkMade:
    return LinkMade("k1", addresses, chat.now + timedelta(minutes=30))


def written_down() -> Conversation:
    """A form that an agent has written down for a caller; nobody is in its chat."""
    chat = Conversation()
    typed = {"full_name": "Siti Rahmawati", "nik": "317123", "email": "siti@gmial.com"}
    chat.happens(FormWritten("Rina", "individu_lokal", typed))
    chat.happens(link(chat, *ADDRESSES))
    return chat


def brought(*, agreed: bool = True) -> Conversation:
    """A form that has come from elsewhere, before its person has shown that it is theirs."""
    chat = Conversation()
    chat.starts("lanjut-k1")
    chat.happens(FormBrought("web", "", "individu_lokal", ANSWERS, {}))
    if agreed:
        chat.presses("Setuju")
    return chat


def test_a_chat_from_which_a_form_can_go_nowhere_says_so_and_keeps_no_link() -> None:
    chat = Conversation()
    chat.starts()
    chat.presses("Setuju")
    chat.says("pindah")
    chat.happens(link(chat))
    chat.reads("tidak bisa dipindahkan ke tempat lain")
    chat.stands_at("kind")
    assert chat.session.draft is not None
    assert not chat.session.draft.link


def test_what_an_agent_wrote_down_waits_unseen_and_goes_to_whoever_opens_the_link() -> None:
    """The good, and the unusual to be asked about; what no field can use is left out."""
    chat = written_down()
    assert not chat.screens
    assert chat.brought(SetTimer).at == chat.now + timedelta(minutes=30)
    chat.happens(LinkOpened("k1", "elsewhere", "telegram"))
    form = chat.brought(BringForm)
    assert (form.name, dict(form.answers), dict(form.typed)) == (
        "Rina",
        {"full_name": "Siti Rahmawati"},
        {"email": "siti@gmial.com"},
    )
    assert chat.session.draft is None
    assert not chat.screens


def test_what_nobody_fetches_is_forgotten_and_a_link_that_comes_too_late_leads_nowhere() -> None:
    chat = written_down()
    chat.passes(minutes=31)
    assert chat.session.draft is None
    chat.happens(link(chat, *ADDRESSES))
    assert chat.session.draft is None
    assert not chat.screens


def test_the_time_of_an_agent_s_link_ends_no_form_of_a_person() -> None:
    chat = brought()
    chat.happens(TimerFired("link"))
    assert chat.brought(CancelTimer).timer == "link"
    chat.stands_at("proof")
    assert chat.session.draft is not None


def test_a_form_whose_owner_has_not_shown_themselves_goes_no_further() -> None:
    chat = brought()
    chat.says("pindah")
    assert not any(isinstance(effect, MakeLink) for effect in chat.effects)
    chat.stands_at("proof")


def test_a_password_typed_as_a_proof_or_before_the_consent_is_taken_away_and_repeated_nowhere() -> None:
    for chat, step in ((brought(), "proof"), (brought(agreed=False), "consent")):
        chat.says(PASSWORD)
        assert chat.brought(DeleteUserMessages).screens is False
        chat.stands_at(step)
        assert PASSWORD not in chat.said


def test_the_look_at_what_was_brought_understands_which_answer_is_wrong() -> None:
    chat = brought()
    chat.says("0001")
    chat.stands_at("brought")
    chat.happens(ButtonPressed(token(chat.session), "edit.shoe_size"))
    chat.stands_at("brought")
    chat.says("NIK salah")
    chat.stands_at("nik")


def test_a_form_that_arrives_while_another_is_being_sent_waits() -> None:
    chat = Conversation()
    chat.starts()
    chat.presses("Setuju")
    chat.presses("Individu Lokal")
    for answer in ("Siti Rahmawati", "3171234501900001", "081234567890", "siti@example.com"):
        chat.says(answer)
    chat.presses("Aktivasi")
    before = chat.session.draft
    chat.happens(FormBrought("web", "", "individu_lokal", {"full_name": "Budi Santoso"}, {}))
    assert chat.session.draft == before
    chat.stands_at("sending")


def test_a_link_that_is_opened_is_asked_for_where_no_form_is_open() -> None:
    chat = Conversation()
    chat.starts("lanjut-k1")
    assert chat.brought(RedeemLink)


def test_the_page_with_the_codes_is_asked_for_in_the_language_of_the_chat() -> None:
    for word, language in (("indonesia", "id"), ("english", "en")):
        chat = Conversation()
        chat.starts()
        chat.says(word)
        chat.presses("agree")
        chat.says("pindah")
        chat.happens(link(chat, *ADDRESSES, ("qr", "https://akses.example/lanjut/lanjut-k1")))
        chat.reads(f"https://akses.example/lanjut/lanjut-k1?lang={language}")
        chat.reads("https://t.me/contoh_bot?start=lanjut-k1")
