"""What a person is told of their data, and that /hapus does what it says."""

from __future__ import annotations

from dialogs.effects import CancelTimer, Record, SubmitRegistration, WithdrawRegistration
from dialogs.events import BackendDone
from dialogs.frozen import replace
from dialogs.testing import Conversation
from tests.dialogs.test_conversation import ANSWERS, at_question, at_summary, waiting_for_activation


def another(chat: Conversation) -> None:
    """A second registration is filled in and handed off from the same chat."""
    chat.presses("register_another")
    chat.presses("agree")
    chat.presses("kind.individu_lokal")
    for answer in ("Budi Santoso", "3171234501900003", "0812-9999-0000", "budi@example.com"):
        chat.says(answer)
    chat.presses("activate")


def test_nothing_in_the_clear_is_told_of_what_is_stored() -> None:
    chat = at_question(3)
    chat.says("/privasi")
    notice = chat.screen.notice if chat.screen else ""
    assert "Yang tersimpan sekarang" in notice
    for answer in (*ANSWERS, "3171234501900002", "+6281322334455"):
        assert answer not in notice


def test_what_each_registration_leaves_behind_is_told_by_its_state() -> None:
    chat = waiting_for_activation()
    another(chat)
    chat.accepted()
    chat.becomes("active", "reg_1")
    chat.becomes("withdrawn", "reg_2")
    chat.says("/privasi")
    chat.reads("Akun aktif atas nama Siti Rahmawati", "Pendaftaran atas nama Budi Santoso: sudah dibatalkan")


def test_every_open_registration_is_withdrawn_by_a_request_of_its_own_and_the_rest_forgotten() -> None:
    chat = waiting_for_activation()
    another(chat)
    chat.accepted()
    another(chat)
    chat.accepted()
    chat.becomes("active", "reg_3")
    chat.says("/hapus")
    chat.reads("Siti Rahmawati", "Budi Santoso")
    chat.presses("erase_all")
    requests = [effect for effect in chat.effects if isinstance(effect, WithdrawRegistration)]
    assert [each.registration for each in requests] == ["reg_1", "reg_2"]
    assert [each.id for each in chat.session.registrations] == ["reg_1", "reg_2"]
    chat.says("/privasi")
    chat.reads("sedang ditarik dan dihapus")
    for request in requests:
        chat.happens(BackendDone(request.request))
    assert chat.session.registrations == ()
    assert chat.step == "idle"


def test_asked_for_twice_a_withdrawal_is_requested_once() -> None:
    chat = waiting_for_activation()
    for _ in range(2):
        chat.says("/hapus")
        chat.presses("erase_all")
    assert len([each for each in chat.requests if isinstance(each, WithdrawRegistration)]) == 1


def test_while_a_form_is_open_the_end_of_a_withdrawal_is_told_beside_it() -> None:
    chat = waiting_for_activation()
    chat.says("/hapus")
    chat.presses("erase_all")
    chat.presses("register_another")
    chat.presses("agree")
    before = chat.session.serial
    chat.done()
    chat.reads("sudah ditarik dan datanya dihapus")
    assert chat.session.serial == before
    assert chat.step == "kind"


def test_a_withdrawal_that_fails_while_a_form_is_open_is_told_beside_it() -> None:
    chat = waiting_for_activation()
    chat.says("/hapus")
    chat.presses("erase_all")
    chat.presses("register_another")
    chat.rejected("refused")
    chat.reads("belum berhasil dihapus")
    assert chat.step == "consent"


def test_news_of_a_registration_on_its_way_out_is_no_news() -> None:
    chat = waiting_for_activation()
    chat.says("/hapus")
    chat.presses("erase_all")
    assert chat.becomes("mail_failed") == ()
    assert chat.step == "erasing"


def test_a_hand_off_that_fails_for_somebody_who_has_asked_to_be_forgotten_is_forgotten() -> None:
    for fail in (lambda chat: chat.unavailable(final=True), lambda chat: chat.rejected("refused")):
        chat = at_summary()
        chat.presses("activate")
        chat.says("/hapus")
        chat.presses("erase_all")
        assert chat.step == "sending"
        fail(chat)
        assert chat.session.draft is None
        assert chat.brought(CancelTimer)
        assert Record("sending", "abandoned", "erased") in chat.effects
        chat.reads("sudah dihapus")


def test_a_notice_that_changed_meanwhile_is_agreed_to_anew_before_anything_is_handed_off() -> None:
    chat = at_summary()
    chat.profile = replace(chat.profile, notice_version="2027-01")
    chat.presses("activate")
    chat.reads("Pemberitahuan privasi sudah diperbarui")
    assert (chat.step, chat.requests) == ("consent", [])
    chat.presses("agree")
    assert chat.step == "summary"
    chat.presses("activate")
    assert chat.brought(SubmitRegistration).notice_version == "2027-01"
    assert chat.brought(SubmitRegistration).nik == "3171234501900002"


def test_going_on_after_the_question_changes_nothing() -> None:
    chat = at_question(2)
    before = chat.session.draft
    chat.says("/hapus")
    chat.presses("go_on")
    assert chat.session.draft == before
    assert chat.step == "phone"


def test_the_registration_that_is_handed_off_after_an_erasure_bears_a_new_id() -> None:
    chat = waiting_for_activation()
    chat.says("/hapus")
    chat.presses("erase_all")
    chat.done()
    chat.presses("register")
    chat.presses("agree")
    chat.presses("kind.individu_lokal")
    for answer in ANSWERS:
        chat.says(answer)
    chat.presses("activate")
    handoffs = [each.handoff for each in chat.requests if isinstance(each, SubmitRegistration)]
    assert len(set(handoffs)) == 2
