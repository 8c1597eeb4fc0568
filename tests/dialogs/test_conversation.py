"""The dialog as a person meets it, event by event, without any channel or store."""

from __future__ import annotations

import pytest

from dialogs.effects import ChangeEmail, DeleteUserMessages, Redraw, ResendActivation, Say, Show, SubmitRegistration
from dialogs.events import (
    BackendAccepted,
    BackendDone,
    BackendRejected,
    BackendUnavailable,
    ButtonPressed,
    ContactShared,
    MediaSent,
    MessageEdited,
    TextSent,
)
from dialogs.frozen import replace
from dialogs.testing import Conversation
from dialogs.texts import LANGUAGES, Language

ANSWERS = ("Siti Rahmawati", "3171234501900002", "0813-2233-4455", "siti@example.com")


def at_question(number: int, language: Language = "id") -> Conversation:
    """A chat in which so many of the four questions are answered."""
    chat = Conversation(language=language)
    chat.starts()
    chat.presses("agree")
    chat.presses("kind.individu_lokal")
    for answer in ANSWERS[:number]:
        chat.says(answer)
    return chat


def at_summary() -> Conversation:
    chat = at_question(4)
    assert chat.screen is not None
    assert chat.screen.step == "summary"
    return chat


def waiting_for_activation() -> Conversation:
    chat = at_summary()
    chat.presses("activate", message="m-summary")
    chat.accepted()
    return chat


def submissions(chat: Conversation) -> list[SubmitRegistration]:
    return [effect for effect in chat.effects if isinstance(effect, SubmitRegistration)]


# --- the journey


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_whole_guide_goes_through_in_either_language(language: Language) -> None:
    chat = at_question(4, language)
    chat.presses("activate")
    (submission,) = submissions(chat)
    assert (submission.full_name, submission.nik, submission.phone, submission.email) == (
        "Siti Rahmawati",
        "3171234501900002",
        "+6281322334455",
        "siti@example.com",
    )
    assert (submission.kind, submission.language, submission.channel, submission.notice_version) == (
        "individu_lokal",
        language,
        "web",
        chat.profile.notice_version,
    )
    chat.accepted()
    assert "Siti Rahmawati" in chat.said
    chat.becomes("mailed")
    chat.becomes("active")
    assert chat.screen is not None
    assert chat.screen.step == "active"
    assert chat.screen.actions[0].url == chat.profile.home_url


def test_the_fixed_labels_of_the_guide_are_on_the_buttons() -> None:
    chat = at_summary()
    assert chat.buttons[:2] == ["Aktivasi", "Kembali"]
    chat.presses("Aktivasi")
    chat.accepted()
    assert "Terima kasih sudah melakukan pendaftaran, Siti Rahmawati" in chat.said
    assert chat.buttons[:2] == ["Kirim Ulang", "Ubah E-mail"]
    chat.becomes("active")
    assert "Selamat! Akun Anda sudah aktif" in chat.said
    assert "Beranda" in chat.buttons


def test_nothing_is_asked_before_the_privacy_notice_was_agreed_to() -> None:
    chat = Conversation()
    chat.says("Siti Rahmawati")
    assert chat.screen is not None
    assert chat.screen.step == "consent"
    chat.says("3171234501900002")
    assert chat.screen.step == "consent"
    assert chat.session.draft is not None
    assert not chat.session.draft.answers
    chat.says("setuju")
    assert chat.screen.step == "kind"
    assert chat.session.draft.consent is not None
    assert chat.session.draft.consent.at == chat.now


def test_every_surface_names_the_operator_and_the_demonstration() -> None:
    chat = Conversation()
    chat.starts()
    assert chat.profile.operator in chat.said
    assert "demonstrasi" in chat.said


@pytest.mark.parametrize("kind", ["Individu Asing", "Institusi Lokal", "Institusi Asing"])
def test_a_type_that_is_not_open_by_chat_is_explained_and_asked_again(kind: str) -> None:
    chat = Conversation()
    chat.starts()
    chat.presses("Setuju")
    chat.presses(kind)
    assert kind in chat.said
    assert chat.profile.helpdesk_email in chat.said
    assert chat.screen is not None
    assert chat.screen.step == "kind"


def test_the_summary_shows_everything_to_proof_read_and_what_the_nik_says() -> None:
    chat = at_summary()
    for expected in (
        "Siti Rahmawati",
        "3171 2345 0190 0002",
        "5 Januari 1990",
        "perempuan",
        "Jakarta Pusat",
        "0813-2233-4455",
        "siti@example.com",
    ):
        assert expected in chat.said


def test_progress_is_told_with_each_question() -> None:
    for number in range(4):
        chat = at_question(number)
        assert chat.screen is not None
        assert chat.screen.progress == (number + 1, 4)


# --- wrong and unusual answers


def test_a_refused_answer_says_what_is_wrong_and_asks_the_same_again() -> None:
    chat = at_question(1)
    chat.says("12345")
    assert chat.screen is not None
    assert chat.screen.step == "nik"
    assert "5 digit" in chat.screen.notice
    assert chat.session.draft is not None
    assert "nik" not in chat.session.draft.answers


def test_the_help_grows_with_the_number_of_tries_and_the_question_is_never_skipped() -> None:
    chat = at_question(1)
    notices = []
    for _ in range(6):
        chat.says("12345")
        assert chat.screen is not None
        notices.append(chat.screen.notice)
        assert chat.screen.step == "nik"
    assert len(notices[0]) < len(notices[1]) < len(notices[3])
    assert chat.profile.call_centre in notices[5]
    assert chat.profile.call_centre not in notices[1]


def test_an_unusual_answer_is_kept_only_when_it_is_confirmed() -> None:
    chat = at_question(1)
    chat.says("9971234501900001")
    assert chat.screen is not None
    assert chat.screen.step == "doubt"
    assert chat.session.draft is not None
    assert "nik" not in chat.session.draft.answers
    chat.presses("confirm")
    assert chat.session.draft.answers["nik"].value == "9971234501900001"
    assert chat.screen.step == "phone"


def test_a_suggestion_is_offered_and_never_applied_by_itself() -> None:
    for action, kept in (("suggested", "siti@gmail.com"), ("as_typed", "siti@gmial.com")):
        chat = at_question(3)
        chat.says("siti@gmial.com")
        chat.presses(action)
        assert chat.session.draft is not None
        assert chat.session.draft.answers["email"].value == kept


def test_typing_again_at_a_doubt_replaces_the_doubtful_answer() -> None:
    chat = at_question(3)
    chat.says("siti@gmial.com")
    chat.says("siti@example.org")
    assert chat.session.draft is not None
    assert chat.session.draft.answers["email"].value == "siti@example.org"


def test_ketik_ulang_asks_the_field_again() -> None:
    chat = at_question(3)
    chat.says("siti@gmial.com")
    chat.presses("Ketik ulang")
    assert chat.screen is not None
    assert chat.screen.step == "email"


def test_a_shared_contact_answers_the_phone_question_only_when_it_is_the_senders_own() -> None:
    chat = at_question(2)
    chat.happens(ContactShared("6281234567890", own=False))
    assert "bukan nomor Anda" in chat.said
    assert chat.screen is not None
    assert chat.screen.step == "phone"
    chat.happens(ContactShared("6281234567890", own=True))
    assert chat.screen.step == "email"


@pytest.mark.parametrize("kind", ["photo", "voice", "video", "sticker", "location", "document", "other"])
def test_media_is_answered_with_a_fitting_sentence_and_the_question_stands(kind: str) -> None:
    chat = at_question(0)
    chat.happens(MediaSent(kind))  # type: ignore[arg-type]
    assert chat.screen is not None
    assert chat.screen.step == "full_name"
    assert chat.screen.notice


# --- going back and changing


def test_kembali_goes_one_question_back_with_the_old_answer_offered_and_keeps_it() -> None:
    chat = at_question(3)
    chat.presses("Kembali")
    assert chat.screen is not None
    assert chat.screen.step == "phone"
    assert "0813-2233-4455" in chat.said
    chat.presses("Kembali")
    assert chat.screen.step == "nik"
    chat.presses("keep")
    assert chat.screen.step == "email"
    assert chat.session.draft is not None
    assert len(chat.session.draft.answers) == 3


def test_kembali_at_the_first_question_leads_to_the_type_and_then_says_so() -> None:
    chat = at_question(0)
    chat.presses("Kembali")
    assert chat.screen is not None
    assert chat.screen.step == "kind"
    chat.says("kembali")
    assert "pertanyaan pertama" in chat.said
    chat.presses("kind.individu_lokal")
    assert chat.screen.step == "full_name"


def test_ubah_changes_one_field_and_returns_to_the_summary() -> None:
    chat = at_summary()
    chat.presses("Kembali")
    assert chat.buttons == ["Ubah Nama Lengkap", "Ubah NIK", "Ubah Nomor Handphone", "Ubah E-mail", "Kembali"]
    chat.presses("Ubah NIK")
    chat.says("3273014708950002")
    assert chat.screen is not None
    assert chat.screen.step == "summary"
    assert "3273 0147 0895 0002" in chat.said
    assert "Siti Rahmawati" in chat.said


def test_cancelling_an_edit_keeps_the_old_value() -> None:
    chat = at_summary()
    chat.presses("Kembali")
    chat.presses("Ubah E-mail")
    chat.says("bukan alamat")
    chat.says("kembali")
    assert chat.screen is not None
    assert chat.screen.step == "summary"
    assert "siti@example.com" in chat.said


def test_an_edited_message_corrects_its_field_before_the_hand_off_and_is_refused_after() -> None:
    chat = at_summary()
    chat.happens(MessageEdited("m1", "Siti Rahmawati Putri"))
    assert "Siti Rahmawati Putri" in chat.said
    assert chat.screen is not None
    assert chat.screen.step == "summary"
    chat.presses("activate")
    chat.happens(MessageEdited("m1", "Orang Lain"))
    assert chat.session.draft is not None
    assert chat.session.draft.answers["full_name"].value == "Siti Rahmawati Putri"


def test_a_bad_edit_asks_that_field_again_and_keeps_the_old_answer_meanwhile() -> None:
    chat = at_summary()
    chat.happens(MessageEdited("m2", "123"))
    assert chat.screen is not None
    assert chat.screen.step == "nik"
    assert chat.session.draft is not None
    assert chat.session.draft.answers["nik"].value == "3171234501900002"
    chat.presses("keep")
    assert chat.screen.step == "summary"


# --- commands at every step


@pytest.mark.parametrize("number", range(5))
@pytest.mark.parametrize("word", ["/bantuan", "bantuan", "help", "/status", "status", "/privasi", "/bahasa en", "/tidakada"])
def test_a_command_is_answered_at_every_step_and_no_answer_is_lost(number: int, word: str) -> None:
    chat = at_question(number)
    assert chat.screen is not None
    step = chat.screen.step
    chat.says(word)
    assert chat.screen.step == step
    assert chat.screen.notice
    assert chat.session.draft is not None
    assert len(chat.session.draft.answers) == number


def test_bahasa_changes_the_language_of_everything_that_follows() -> None:
    chat = at_question(1)
    chat.says("/bahasa")
    chat.presses("English")
    assert "What is your NIK" in chat.said
    chat.says("/bahasa id")
    assert "Berapa NIK" in chat.said


def test_batal_asks_first_and_then_erases_what_was_typed() -> None:
    chat = at_question(3)
    chat.says("batal")
    assert chat.session.draft is not None
    chat.presses("Lanjutkan")
    assert chat.screen is not None
    assert chat.screen.step == "email"
    chat.says("/batal")
    chat.presses("Ya, batalkan")
    assert chat.session.draft is None
    assert "Siti" not in repr(chat.session)
    assert chat.buttons[0] == "Daftar"


def test_an_answer_typed_over_a_passing_question_is_taken() -> None:
    chat = at_question(1)
    chat.says("batal")
    chat.says("3171234501900002")
    assert chat.screen is not None
    assert chat.screen.step == "phone"


def test_start_in_the_middle_offers_to_continue_or_start_again() -> None:
    chat = at_question(2)
    chat.says("/start")
    assert chat.buttons == ["Lanjutkan", "Mulai ulang"]
    chat.presses("Lanjutkan")
    assert chat.screen is not None
    assert chat.screen.step == "phone"
    chat.starts()
    chat.presses("Mulai ulang")
    assert chat.screen.step == "consent"
    assert chat.session.draft is not None
    assert not chat.session.draft.answers


# --- presses


def test_a_stale_press_changes_nothing_and_shows_the_current_screen() -> None:
    chat = at_summary()
    old = chat.screen
    assert old is not None
    chat.presses("Kembali")
    chat.presses("Ubah NIK")
    before = chat.session
    chat.happens(ButtonPressed(old.token, "activate"))
    assert submissions(chat) == []
    assert chat.session.draft == before.draft
    assert chat.screen is not None
    assert chat.screen.step == "nik"
    assert chat.screen.notice


def test_ten_taps_on_aktivasi_are_one_submission() -> None:
    chat = at_summary()
    assert chat.screen is not None
    press = ButtonPressed(chat.screen.token, "activate")
    sent = [effect for _ in range(10) for effect in chat.happens(press) if isinstance(effect, SubmitRegistration)]
    assert len(sent) == 1


def test_the_screens_of_two_chats_have_different_tokens() -> None:
    one, other = at_summary(), at_summary()
    other.session = type(other.session)(id="other", channel="web")
    other.starts()
    assert one.screen is not None
    assert other.screen is not None
    assert one.screen.token != other.screen.token


def test_a_label_typed_out_is_a_press() -> None:
    chat = at_summary()
    chat.says("aktivasi")
    assert len(submissions(chat)) == 1


# --- the hand-off


def test_the_handoff_id_is_born_with_the_summary_and_survives_edits_before_it_was_sent() -> None:
    chat = at_summary()
    assert chat.session.draft is not None
    born = chat.session.draft.handoff
    assert born
    chat.presses("Kembali")
    chat.presses("Ubah NIK")
    chat.says("3273014708950002")
    assert chat.session.draft.handoff == born


def test_a_change_after_a_failed_hand_off_makes_a_new_id_and_no_change_keeps_it() -> None:
    chat = at_summary()
    chat.presses("activate")
    (first,) = submissions(chat)
    chat.happens(BackendUnavailable(first.handoff, final=True))
    assert chat.screen is not None
    assert chat.screen.step == "summary"
    chat.presses("activate")
    assert submissions(chat)[0].handoff == first.handoff
    chat.happens(BackendRejected(first.handoff, "refused"))
    chat.presses("Kembali")
    chat.presses("Ubah NIK")
    chat.says("3273014708950002")
    chat.presses("activate")
    assert submissions(chat)[0].handoff != first.handoff


def test_while_the_backend_is_away_the_person_is_told_once_and_nothing_is_lost() -> None:
    chat = at_summary()
    chat.presses("activate")
    (submission,) = submissions(chat)
    chat.happens(BackendUnavailable(submission.handoff))
    assert "Data Anda aman" in chat.said
    assert chat.session.draft is not None
    assert chat.session.draft.sending
    chat.happens(TextSent("halo?"))
    assert chat.screen is not None
    assert chat.screen.step == "sending"


def test_after_the_hand_off_typed_personal_data_leaves_the_chat() -> None:
    chat = at_summary()
    chat.presses("activate", message="m-summary")
    chat.accepted()
    deleted = [effect.messages for effect in chat.effects if isinstance(effect, DeleteUserMessages)]
    assert deleted == [("m1", "m2", "m3", "m4")]
    (redrawn,) = [effect for effect in chat.effects if isinstance(effect, Redraw)]
    assert redrawn.message == "m-summary"
    for secret in ("3171234501900002", "3171 2345", "siti@example.com", "3456-"):
        assert secret not in redrawn.screen.body
    assert "3171234501900002" not in repr(chat.session)
    assert "+6281234567890" not in repr(chat.session)


def test_the_same_answer_of_the_backend_twice_is_one_registration() -> None:
    chat = at_summary()
    chat.presses("activate")
    (submission,) = submissions(chat)
    answer = BackendAccepted(submission.handoff, "reg_1", "s***@example.com")
    assert chat.happens(answer)
    assert chat.happens(answer) == ()
    assert len(chat.session.registrations) == 1


def test_no_message_but_the_question_and_the_summary_repeats_what_was_typed() -> None:
    chat = at_question(4)
    for screen in chat.screens[:-1]:
        assert not any(value in screen.body for value in ANSWERS[1:]), screen.body


def test_a_doubtful_answer_and_an_old_one_are_masked_once_a_button_has_answered_them() -> None:
    chat = at_question(3)
    chat.says("siti@gmial.com")
    chat.presses("suggested", message="m-doubt")
    (redrawn,) = [effect for effect in chat.effects if isinstance(effect, Redraw)]
    assert redrawn.message == "m-doubt"
    assert "siti@" not in redrawn.screen.body
    chat.presses("Kembali")
    chat.presses("Ubah Nomor Handphone")
    chat.presses("keep", message="m-old")
    (redrawn,) = [effect for effect in chat.effects if isinstance(effect, Redraw)]
    assert "0813" not in redrawn.screen.body


def test_the_summary_is_redrawn_only_where_its_own_message_is_known() -> None:
    chat = at_summary()
    chat.says("aktivasi")
    chat.accepted()
    assert not [effect for effect in chat.effects if isinstance(effect, Redraw)]


# --- waiting for the activation


def test_kirim_ulang_tells_the_true_remaining_time_from_when_the_mail_was_accepted() -> None:
    chat = waiting_for_activation()
    chat.presses("Kirim Ulang")
    assert "antrean" in chat.said
    chat.passes(minutes=5)
    chat.becomes("mailed")
    chat.passes(minutes=3)
    chat.presses("Kirim Ulang")
    assert "12 menit lagi" in chat.said
    assert not [effect for effect in chat.effects if isinstance(effect, ResendActivation)]
    chat.passes(minutes=12)
    chat.presses("Kirim Ulang")
    (resend,) = [effect for effect in chat.effects if isinstance(effect, ResendActivation)]
    assert resend.registration == "reg_1"
    chat.happens(BackendDone(resend.request, "s***@example.com"))
    chat.becomes("mailed")
    assert "sudah dikirim ke" in chat.said


def test_a_limit_of_the_backend_is_told_with_its_waiting_time() -> None:
    chat = waiting_for_activation()
    chat.becomes("mailed")
    chat.passes(minutes=20)
    chat.presses("Kirim Ulang")
    (resend,) = [effect for effect in chat.effects if isinstance(effect, ResendActivation)]
    chat.happens(BackendRejected(resend.request, "limit", retry_after=3600))
    assert "60 menit" in chat.said


def test_ubah_email_asks_with_the_same_rules_and_can_be_left() -> None:
    chat = waiting_for_activation()
    chat.presses("Ubah E-mail")
    chat.says("salah")
    assert chat.screen is not None
    assert chat.screen.step == "new_email"
    chat.presses("Kembali")
    assert chat.screen.step == "pending"
    chat.presses("Ubah E-mail")
    chat.says("siti@gmial.com")
    chat.presses("suggested")
    (change,) = [effect for effect in chat.effects if isinstance(effect, ChangeEmail)]
    assert change.email == "siti@gmail.com"
    chat.happens(BackendDone(change.request, "s***@gmail.com"))
    assert chat.session.registrations[0].email_masked == "s***@gmail.com"
    assert chat.session.registrations[0].mailed_at is None


def test_the_activation_is_said_once_however_often_it_is_told() -> None:
    chat = waiting_for_activation()
    assert chat.becomes("active")
    assert chat.becomes("active") == ()
    assert chat.becomes("expired") == ()
    assert chat.session.registrations[0].status == "active"


def test_a_mail_that_was_quicker_than_the_hand_offs_answer_is_not_forgotten() -> None:
    chat = at_summary()
    chat.presses("activate")
    kept = chat.effects
    chat.becomes("mailed", "reg_1")
    chat.effects = kept
    chat.accepted("reg_1")
    assert chat.session.registrations[0].mailed_at == chat.now
    assert chat.session.early == ()


@pytest.mark.parametrize("status", ["mail_failed", "expired"])
def test_a_failed_mail_and_an_expired_link_say_what_to_do_now(status: str) -> None:
    chat = waiting_for_activation()
    chat.becomes(status)  # type: ignore[arg-type]
    assert chat.screen is not None
    assert chat.screen.step == status
    assert {"Kirim Ulang", "Ubah E-mail"} <= set(chat.buttons)
    chat.presses("Kirim Ulang")
    assert [effect for effect in chat.effects if isinstance(effect, ResendActivation)]


def test_bukan_saya_is_told_in_the_chat_with_a_way_on() -> None:
    chat = waiting_for_activation()
    chat.becomes("withdrawn")
    assert "dibatalkan" in chat.said
    chat.presses("Daftar")
    assert chat.screen is not None
    assert chat.screen.step == "consent"


# --- several people in one chat


def test_a_secretary_registers_another_person_and_news_of_the_first_does_not_disturb_the_form() -> None:
    chat = waiting_for_activation()
    chat.presses("Daftarkan orang lain")
    chat.presses("agree")
    chat.presses("kind.individu_lokal")
    chat.says("Budi Santoso")
    shown = chat.becomes("active", "reg_1")
    assert any(isinstance(effect, Say) and "Siti Rahmawati" in effect.text for effect in shown)
    assert not any(isinstance(effect, Show) for effect in shown)
    chat.says("3273014708950002")
    assert chat.screen is not None
    assert chat.screen.step == "phone"
    assert "Siti" not in chat.said


def test_status_lists_every_registration_masked() -> None:
    chat = waiting_for_activation()
    chat.becomes("mailed")
    chat.presses("Status")
    assert "Siti Rahmawati" in chat.said
    assert "s***@example.com" in chat.said
    assert "siti@example.com" not in chat.said


# --- the page inside the chat


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_pending_registration_can_be_looked_after_on_a_page_inside_the_chat_where_there_is_one(language: Language) -> None:
    chat = at_question(4, language)
    chat.profile = replace(chat.profile, app_url="https://akses.example/telegram/app")
    chat.presses("activate")
    chat.accepted()
    assert chat.screen is not None
    pages = [action for action in chat.screen.actions if action.app]
    assert [page.url for page in pages] == [f"https://akses.example/telegram/app?lang={language}"]
    chat.says(pages[0].label)
    assert chat.screen.step == "pending", "the words of a button that opens a page do nothing"
    chat.becomes("active")
    assert not any(action.app for action in chat.screen.actions)
