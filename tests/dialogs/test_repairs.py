"""What a good clerk does with what is no answer: recognise it, offer it, lose nothing."""

from __future__ import annotations

import pytest

from dialogs.effects import ChangeEmail, DeleteUserMessages, ResendActivation, Say
from dialogs.events import ActivationStatus, ButtonPressed, MediaSent
from dialogs.testing import Conversation
from dialogs.texts import LANGUAGES, Language
from tests.dialogs.test_conversation import at_question, at_summary, waiting_for_activation


def answers(chat: Conversation) -> dict[str, str]:
    assert chat.session.draft is not None
    return {field: answer.value for field, answer in chat.session.draft.answers.items()}


# --- the right answer in the wrong place


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("number", "typed", "field", "stays"),
    [
        (0, "3171234501900002", "nik", "full_name"),
        (0, "siti@example.com", "email", "full_name"),
        (1, "0813-2233-4455", "phone", "nik"),
        (1, "siti@example.com", "email", "nik"),
        (2, "siti@example.com", "email", "phone"),
        (3, "nama saya Siti Kusuma", "full_name", "email"),
    ],
)
def test_what_belongs_elsewhere_is_offered_and_then_the_open_question_stands_again(
    language: Language, number: int, typed: str, field: str, stays: str
) -> None:
    chat = at_question(number, language)
    chat.says(typed)
    chat.stands_at("doubt")
    assert chat.session.draft is not None
    assert chat.session.draft.tries == 0, "no failed try"
    chat.presses("confirm")
    assert field in answers(chat)
    chat.stands_at(stays)


def test_an_offer_that_is_refused_changes_nothing() -> None:
    chat = at_question(2)
    before = answers(chat)
    chat.says("siti@example.com")
    chat.presses("Bukan")
    chat.stands_at("phone")
    assert answers(chat) == before


def test_an_answer_typed_over_an_offer_is_taken_and_the_offer_is_made_again() -> None:
    chat = at_question(1)
    chat.says("siti@example.com")
    chat.says("3171234501900002")
    assert answers(chat)["nik"] == "3171234501900002"
    chat.stands_at("doubt")
    chat.presses("confirm")
    assert answers(chat)["email"] == "siti@example.com"
    chat.stands_at("phone")


def test_an_offer_names_the_answer_whose_place_it_would_take() -> None:
    chat = at_question(3)
    chat.says("0812-9999-8888")
    chat.reads("0812-9999-8888", "0813-2233-4455")
    chat.presses("confirm")
    assert answers(chat)["phone"] == "+6281299998888"


def test_what_is_known_already_is_said_to_be() -> None:
    chat = at_question(2)
    chat.says("3171234501900002")
    chat.stands_at("phone")
    chat.reads("sudah kami catat")
    chat.says("NIK 3171234501900002, nama: Siti Rahmawati")
    chat.stands_at("phone")
    chat.reads("sudah kami catat")


# --- several answers at once


@pytest.mark.parametrize("number", range(4))
def test_a_pasted_block_fills_the_form_from_every_question(number: int) -> None:
    chat = at_question(number)
    chat.says("Nama: Siti Rahmawati\nNIK: 3171234501900002\nHP: 0813-2233-4455\nEmail: siti@example.com")
    chat.stands_at("summary")
    assert answers(chat)["nik"] == "3171234501900002"


def test_a_block_goes_on_with_what_is_missing() -> None:
    chat = at_question(0)
    chat.says("siti@example.com, Siti Rahmawati")
    chat.stands_at("nik")
    assert answers(chat) == {"full_name": "Siti Rahmawati", "email": "siti@example.com"}


def test_what_is_refused_in_a_block_is_told_and_what_is_doubtful_is_asked_one_by_one() -> None:
    chat = at_question(0)
    chat.says("Nama: Ibu Siti\nNIK: 9971234501900001\nHP: 021-5152855\nEmail: siti@gmial.com")
    chat.reads("Nomor Handphone belum kami catat", "telepon tetap")
    for _ in range(3):
        chat.stands_at("doubt")
        chat.presses("confirm" if "Ya, benar" in chat.buttons else chat.buttons[0])
    assert answers(chat) == {"full_name": "Siti", "nik": "9971234501900001", "email": "siti@gmail.com"}
    chat.stands_at("phone")


def test_without_a_label_nothing_takes_an_earlier_answers_place_by_itself() -> None:
    chat = at_question(2)
    chat.says("3273014708950002 dan siti@example.com")
    assert answers(chat)["nik"] == "3171234501900002"
    chat.stands_at("doubt")
    chat.presses("confirm")
    assert answers(chat)["nik"] == "3273014708950002"


def test_a_block_at_the_summary_changes_what_it_names() -> None:
    chat = at_summary()
    chat.says("Nama: Siti Kusuma\nHP: 0812-9999-8888")
    chat.stands_at("summary")
    chat.reads("sudah diubah", "Siti Kusuma", "0812-9999-8888")


def test_an_edited_block_is_read_again() -> None:
    chat = at_question(0)
    chat.says("Nama: Siti Rahmawati\nNIK: 3171234501900002")
    chat.edits("m1", "Nama: Siti Kusuma\nNIK: 3171234501900002")
    assert answers(chat)["full_name"] == "Siti Kusuma"
    chat.stands_at("phone")


# --- two bubbles


def test_the_second_half_of_a_name_is_no_failed_nik() -> None:
    chat = at_question(0)
    chat.says("Siti")
    chat.says("Rahmawati")
    chat.presses("suggested")
    assert answers(chat)["full_name"] == "Siti Rahmawati"
    chat.stands_at("nik")


def test_a_sentence_at_the_nik_question_is_no_half_of_a_name() -> None:
    chat = at_question(1)
    chat.says("tidak tahu")
    chat.stands_at("nik")


# --- before the consent


def test_nothing_is_kept_before_the_consent_and_that_is_said() -> None:
    chat = Conversation()
    chat.starts()
    chat.says("Siti Rahmawati, 3171234501900002")
    chat.reads("tidak kami simpan")
    assert "3171234501900002" not in repr(chat.session)
    chat.says("tidak setuju")
    chat.reads("Tidak apa-apa")
    chat.says("ya, saya setuju")
    chat.stands_at("kind")


# --- wishes


@pytest.mark.parametrize(
    ("said", "step"),
    [
        ("email salah", "email"),
        ("ganti nomor", "phone"),
        ("wrong email", "email"),
        ("nomor ktp saya salah", "nik"),
        ("nama", "full_name"),
        ("mau ubah nik", "nik"),
        ("salah", "change"),
        ("ubah email dan nama", "change"),
    ],
)
def test_natural_words_at_the_summary_lead_to_the_field(said: str, step: str) -> None:
    chat = at_summary()
    chat.says(said)
    chat.stands_at(step)
    chat.says("kembali")
    chat.stands_at("summary")


def test_yes_at_the_summary_sends_nothing() -> None:
    chat = at_summary()
    chat.says("ya, sudah benar")
    chat.stands_at("summary")
    chat.reads("tekan Aktivasi")


def test_a_wish_in_the_middle_comes_back_to_the_open_question() -> None:
    chat = at_question(2)
    chat.says("nama saya salah")
    chat.stands_at("full_name")
    chat.says("Siti Kusuma")
    chat.stands_at("phone")


def test_a_wish_at_the_name_question_is_no_name() -> None:
    chat = at_question(2)
    chat.presses("back")
    chat.presses("back")
    chat.says("nik salah")
    chat.stands_at("nik")


def test_after_the_hand_off_a_wish_is_answered_with_what_is_possible() -> None:
    chat = waiting_for_activation()
    chat.says("nama salah")
    chat.reads("hanya alamat e-mail")
    chat.says("email salah")
    chat.stands_at("new_email")
    chat.says("siti.baru@example.com")
    assert chat.brought(ChangeEmail).email == "siti.baru@example.com"


@pytest.mark.parametrize("words", ["email belum masuk", "belum masuk", "kok belum sampai juga", "I have not got it yet"])
def test_a_missing_mail_is_kirim_ulang(words: str) -> None:
    chat = waiting_for_activation()
    chat.becomes("mailed")
    chat.passes(minutes=16)
    chat.says(words)
    assert chat.brought(ResendActivation).registration == "reg_1"


def test_who_cannot_log_in_is_sent_no_other_mail() -> None:
    chat = waiting_for_activation()
    chat.becomes("mailed")
    chat.passes(minutes=16)
    chat.says("tidak bisa masuk")
    assert not [effect for effect in chat.effects if isinstance(effect, ResendActivation)]


# --- yes and no


def test_yes_and_no_are_the_buttons_of_a_doubt_but_not_where_a_suggestion_makes_them_unclear() -> None:
    chat = at_question(1)
    chat.says("9971234501900001")
    chat.says("tidak")
    chat.stands_at("nik")
    chat.says("9971234501900001")
    chat.says("ya")
    chat.stands_at("phone")
    chat.says("0813-2233-4455")
    chat.says("siti@gmial.com")
    chat.says("ya")
    chat.stands_at("doubt")


def test_yes_and_no_answer_whether_to_cancel() -> None:
    chat = at_question(2)
    chat.says("batal")
    chat.says("tidak")
    chat.stands_at("phone")
    chat.says("batal")
    chat.says("ya")
    chat.stands_at("idle")


# --- a password


@pytest.mark.parametrize("number", range(6))
def test_a_password_is_removed_and_kept_nowhere(number: int) -> None:
    chat = waiting_for_activation() if number == 5 else at_question(number)
    step = chat.step
    chat.says("Rahasia#2026")
    chat.stands_at(step)
    chat.reads("kata sandi")
    assert chat.brought(DeleteUserMessages).messages == (f"m{chat.messages}",)
    assert "Rahasia" not in repr((chat.session, chat.effects))


def test_a_password_in_place_of_a_new_address_or_in_an_edited_message_is_no_different() -> None:
    chat = waiting_for_activation()
    chat.presses("Ubah E-mail")
    chat.says("Rahasia#2026")
    assert "Rahasia" not in repr((chat.session, chat.effects))
    chat.stands_at("new_email")
    chat.edits("m9", "Rahasia#2026")
    assert chat.brought(DeleteUserMessages).messages == ("m9",)


# --- an edited message


def test_an_edited_try_is_a_new_try() -> None:
    chat = at_question(1)
    chat.says("12345")
    chat.edits("m2", "3171234501900002")
    chat.stands_at("phone")


def test_an_edited_doubt_is_read_again() -> None:
    chat = at_question(3)
    chat.says("siti@gmial.com")
    chat.edits("m4", "siti@gmail.com")
    chat.stands_at("summary")
    assert answers(chat)["email"] == "siti@gmail.com"


def test_after_the_hand_off_an_edited_message_changes_nothing_and_that_is_said() -> None:
    chat = waiting_for_activation()
    chat.edits("m1", "Orang Lain")
    chat.reads("tidak lagi mengubah")
    assert chat.session.registrations[0].name == "Siti Rahmawati"


# --- where only a button answers


def test_the_help_grows_where_only_a_button_answers() -> None:
    chat = Conversation()
    chat.starts()
    told = []
    for _ in range(5):
        chat.says("hmm")
        assert chat.screen is not None
        told.append(chat.screen.notice)
        chat.stands_at("consent")
    assert len(told[0]) < len(told[1]) < len(told[3])
    assert chat.profile.call_centre in told[4]
    chat.presses("agree")
    assert chat.session.draft is not None
    assert chat.session.draft.tries == 0


def test_a_photo_may_show_a_ktp_and_leaves_the_chat_with_the_answers() -> None:
    chat = at_question(1)
    chat.happens(MediaSent("photo", "photo1"))
    for answer in ("3171234501900002", "0813-2233-4455", "siti@example.com"):
        chat.says(answer)
    chat.presses("activate")
    chat.accepted()
    assert "photo1" in chat.brought(DeleteUserMessages).messages


def test_thanks_are_answered_and_the_question_stands() -> None:
    chat = at_question(1)
    chat.says("terima kasih")
    chat.reads("Sama-sama", "Berapa NIK")
    assert not [effect for effect in chat.effects if isinstance(effect, Say)]


@pytest.mark.parametrize(
    ("said", "told"), [("selamat siang", "Mari kita lanjutkan"), ("sebentar ya", "tidak perlu terburu-buru")]
)
def test_a_greeting_and_a_moment_are_granted_and_the_question_stands(said: str, told: str) -> None:
    chat = at_question(1)
    chat.says(said)
    chat.reads(told, "Berapa NIK")


def test_a_greeting_begins_where_nothing_is_open() -> None:
    chat = Conversation()
    chat.says("selamat pagi")
    chat.stands_at("consent")


def test_the_own_contact_at_another_question_is_offered_as_the_phone_number() -> None:
    chat = at_question(1)
    chat.shares_contact("6281234567890")
    chat.presses("Simpan sebagai Nomor Handphone")
    assert answers(chat)["phone"] == "+6281234567890"
    chat.stands_at("nik")
    chat.shares_contact("6281398765432", own=False)
    chat.reads("Kontak tidak diperlukan")


def test_media_asks_for_text_only_where_text_is_asked_for() -> None:
    chat = at_question(1)
    chat.sends("photo")
    chat.reads("termasuk foto KTP", "jawab dengan teks")
    chat = at_summary()
    chat.sends("photo")
    assert "jawab dengan teks" not in chat.said


# --- several people in one chat


def second(name: str = "") -> Conversation:
    """The form of a second person open, their name answered where it is given; the first waits for the activation."""
    chat = waiting_for_activation()
    chat.becomes("mailed")
    for action in ("register_another", "agree", "kind.individu_lokal"):
        chat.presses(action)
    if name:
        chat.says(name)
    return chat


def test_every_question_names_whose_form_it_is_once_there_are_several() -> None:
    chat = second()
    chat.reads("orang ke-2")
    chat.says("Budi Santoso")
    for answer in ("3171031203850002", "0813-9876-5432"):
        chat.reads("Pendaftaran atas nama Budi Santoso")
        chat.says(answer)
    chat.says("batal")
    chat.reads("Budi Santoso")
    assert "Siti" not in chat.said


def test_the_number_of_another_person_is_not_shared_by_button() -> None:
    chat = second("Budi Santoso")
    chat.says("3171031203850002")
    chat.stands_at("phone")
    assert "Bagikan nomor saya" not in chat.buttons


def test_kirim_ulang_and_ubah_email_act_on_the_registration_that_was_chosen() -> None:
    chat = second("Budi Santoso")
    chat.passes(minutes=16)
    chat.says("status")
    chat.reads("Siti Rahmawati (s***@example.com)", "Budi Santoso: sedang diisi")
    chat.presses("Lihat Siti Rahmawati")
    chat.presses("Kirim Ulang")
    assert chat.brought(ResendActivation).registration == "reg_1"
    chat.reads("Siti Rahmawati")
    chat.presses("Ubah E-mail")
    chat.says("siti.baru@example.com")
    assert chat.brought(ChangeEmail).registration == "reg_1"
    chat.presses("go_on")
    chat.stands_at("nik")
    chat.reads("Budi Santoso")


def test_what_is_typed_beside_answers_the_open_form() -> None:
    chat = second("Budi Santoso")
    chat.says("status")
    chat.says("3171031203850002")
    chat.stands_at("phone")
    chat.says("/status")
    chat.presses("Lihat Siti Rahmawati")
    chat.says("kembali")
    chat.stands_at("phone")


def test_people_of_one_name_are_told_apart_by_their_masked_addresses() -> None:
    chat = second("Siti Rahmawati")
    for answer in ("3273014708950003", "0857-1122-3344", "s.rahmawati@example.net"):
        chat.says(answer)
    chat.presses("activate")
    chat.accepted()
    chat.says("status")
    assert chat.buttons[:2] == ["Lihat Siti Rahmawati, s***@example.com", "Lihat Siti Rahmawati, s***@example.net"]


def test_a_change_of_address_is_that_of_the_registration_it_was_asked_for() -> None:
    """Though another registration is taken by the backend while the address is being typed."""
    chat = second("Budi Santoso")
    for answer in ("3171031203850002", "0813-9876-5432", "budi@example.com"):
        chat.says(answer)
    chat.presses("activate")
    chat.says("status")
    chat.presses("Lihat Siti Rahmawati")
    chat.presses("Ubah E-mail")
    chat.accepted()
    chat.reads("Terima kasih", "Budi Santoso")
    chat.stands_at("new_email")
    chat.says("siti.baru@example.com")
    assert chat.brought(ChangeEmail).registration == "reg_1"


# --- what nobody types


@pytest.mark.parametrize(("number", "action"), [(-1, "kind.nothing"), (4, "edit.nothing")])
def test_a_forged_choice_is_answered_and_chooses_nothing(number: int, action: str) -> None:
    chat = at_question(max(number, 0))
    if number < 0:
        chat.presses("Kembali")
    step, before = chat.step, chat.session.draft
    assert chat.screen is not None
    chat.happens(ButtonPressed(chat.screen.token, action))
    chat.stands_at(step)
    assert chat.session.draft == before


@pytest.mark.parametrize("action", ["about.9", "about.x", "about.-1"])
def test_a_forged_choice_of_a_registration_chooses_none(action: str) -> None:
    chat = second("Budi Santoso")
    chat.says("status")
    assert chat.screen is not None
    chat.happens(ButtonPressed(chat.screen.token, action))
    chat.stands_at("status")


def test_a_long_answer_that_its_field_takes_may_hold_another() -> None:
    chat = at_question(1)
    chat.says("NIK saya 3171234501900002 ya pak, dan nama lengkap saya adalah Siti Kusuma")
    assert answers(chat)["nik"] == "3171234501900002"
    assert answers(chat)["full_name"] == "Siti Kusuma"


def test_a_long_name_is_a_name() -> None:
    chat = at_question(0)
    chat.says("Raden Ajeng Siti Rahmawati Kusumawardhani Adiningrat, S.H., M.Kn.")
    chat.stands_at("nik")


def test_a_fault_in_another_answer_is_told_at_the_open_question() -> None:
    chat = at_question(1)
    chat.says("HP: 021-5152855")
    chat.reads("Nomor Handphone belum kami catat", "Berapa NIK")


def test_salah_with_nothing_answered_yet_asks_for_a_button() -> None:
    chat = at_question(0)
    chat.presses("Kembali")
    chat.says("salah")
    chat.stands_at("kind")


def test_the_first_of_two_values_under_one_label_counts() -> None:
    chat = at_question(0)
    chat.says("Nama: Siti Rahmawati\nNama: Budi Santoso\nNIK: 3171234501900002")
    assert answers(chat)["full_name"] == "Siti Rahmawati"


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (1, "belum punya KTP"),
        (1, "KTP saya hilang"),
        (2, "tidak punya hp"),
        (2, "gak ada no hp"),
        (3, "saya tidak punya email"),
        (3, "tidak ada email"),
        (3, "I don't have an e-mail"),
        (3, "I have no email"),
    ],
)
def test_who_has_none_is_helped_and_it_is_no_failed_try(number: int, said: str) -> None:
    chat = at_question(number)
    step = chat.step
    chat.says(said)
    chat.stands_at(step)
    chat.reads(chat.profile.call_centre, "Contoh")
    assert chat.session.draft is not None
    assert chat.session.draft.tries == 0


@pytest.mark.parametrize(("number", "said"), [(2, "no hp saya ada"), (3, "saya punya email")])
def test_who_has_one_is_asked_for_it(number: int, said: str) -> None:
    chat = at_question(number)
    chat.says(said)
    assert chat.session.draft is not None
    assert chat.session.draft.tries == 1


@pytest.mark.parametrize("said", ["skip", "Lewati", "nama sesuai KTP"])
def test_nobody_is_registered_under_a_wish_to_go_past_the_question(said: str) -> None:
    chat = at_question(0)
    chat.says(said)
    chat.stands_at("doubt")
    chat.reads("tampaknya bukan nama")


def test_a_name_at_the_summary_that_shares_a_word_is_offered_in_place_of_the_other() -> None:
    chat = at_summary()
    chat.says("Siti Kusuma")
    chat.reads("Siti Kusuma", "menggantikan Siti Rahmawati")
    chat.presses("confirm")
    assert answers(chat)["full_name"] == "Siti Kusuma"
    chat.says("Budi Santoso")
    chat.stands_at("summary")
    chat.reads("belum memahaminya")


def test_the_same_name_again_is_known() -> None:
    chat = at_question(1)
    chat.says("Siti")
    chat.stands_at("nik")
    chat.reads("Nama Lengkap itu sudah kami catat")


@pytest.mark.parametrize("said", ["kirim", "aktifkan", "lanjut", "ok kirim", "sudah"])
def test_only_aktivasi_sends_however_it_is_said(said: str) -> None:
    chat = at_summary()
    chat.says(said)
    chat.stands_at("summary")
    chat.reads("tekan Aktivasi")


def test_back_to_a_field_by_its_name() -> None:
    chat = at_question(2)
    chat.says("kembali ke nama")
    chat.stands_at("full_name")


def test_an_address_typed_while_waiting_is_offered_as_the_new_one() -> None:
    chat = waiting_for_activation()
    chat.says("siti.baru@example.com")
    chat.reads("Siti Rahmawati", "alamat e-mail yang baru")
    chat.says("ya")
    assert chat.brought(ChangeEmail).email == "siti.baru@example.com"


@pytest.mark.parametrize("said", ["siti@", "Siti", "hmm"])
def test_anything_else_typed_while_waiting_changes_nothing(said: str) -> None:
    chat = waiting_for_activation()
    chat.says(said)
    chat.stands_at("pending")
    assert not [effect for effect in chat.effects if isinstance(effect, ChangeEmail)]
    chat.becomes("active")
    chat.says("siti.baru@example.com")
    chat.stands_at("active")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("lupa password", "Lupa kata sandi"),
        ("batal", "ketik: hapus"),
        ("bagaimana selanjutnya", "klik tautannya"),
        ("ok", "Baik."),
        ("english", "The language is now English"),
    ],
)
def test_what_people_say_while_they_wait_is_answered(said: str, told: str) -> None:
    chat = waiting_for_activation()
    chat.says(said)
    chat.reads(told)
    chat.stands_at("pending")


@pytest.mark.parametrize("said", ["tolong kirim lagi", "link kadaluarsa", "resend"])
def test_kirim_ulang_is_understood_in_other_words(said: str) -> None:
    chat = waiting_for_activation()
    chat.becomes("mailed")
    chat.passes(minutes=16)
    chat.says(said)
    assert chat.brought(ResendActivation).registration == "reg_1"


@pytest.mark.parametrize(
    ("said", "step"), [("WNI", "full_name"), ("perorangan", "full_name"), ("perusahaan", "kind"), ("hmm", "kind")]
)
def test_the_type_is_understood_in_other_words(said: str, step: str) -> None:
    chat = at_question(0)
    chat.presses("Kembali")
    chat.says(said)
    chat.stands_at(step)


def test_ya_is_no_consent_and_that_is_said() -> None:
    chat = Conversation()
    chat.starts()
    chat.says("ya")
    chat.stands_at("consent")
    chat.reads("ketik: setuju")
    chat.says("Setuju.")
    chat.stands_at("kind")


@pytest.mark.parametrize(("said", "step"), [("ulang", "consent"), ("ya", "nik"), ("lanjut", "nik")])
def test_whether_to_go_on_or_start_again_is_understood(said: str, step: str) -> None:
    chat = at_question(1)
    chat.says("/start")
    chat.says(said)
    chat.stands_at(step)


def test_a_wish_at_an_offer_leads_to_the_field_and_the_offer_waits() -> None:
    chat = at_question(2)
    chat.says("siti@example.com")
    chat.says("nama saya salah")
    chat.stands_at("full_name")
    chat.says("Siti Kusuma")
    chat.stands_at("doubt")
    chat.presses("confirm")
    assert answers(chat)["email"] == "siti@example.com"
    chat.stands_at("phone")


def test_an_offer_that_waits_is_made_again_when_the_old_answer_is_kept() -> None:
    chat = at_question(2)
    chat.says("siti@example.com")
    chat.says("nama saya salah")
    chat.presses("keep")
    chat.stands_at("doubt")
    chat.reads("siti@example.com")


# --- said once


def test_the_notice_is_told_once_and_again_to_whoever_begins_again() -> None:
    chat = Conversation()
    chat.starts()
    chat.reads("Selamat datang", "Datanya disimpan terenkripsi", "Setuju data Anda diproses")
    for typed in ("tidak setuju", "ya", "3171234501900001", "apa ini?"):
        chat.says(typed)
        chat.reads("Setuju data Anda diproses")
        assert "Datanya disimpan terenkripsi" not in "".join(chat.said), typed
    chat.starts()
    chat.reads("Selamat datang", "Datanya disimpan terenkripsi", "Setuju data Anda diproses")


def test_a_secretary_is_asked_about_the_person_they_register_and_not_about_themselves() -> None:
    chat = waiting_for_activation()
    chat.presses("Daftarkan orang lain")
    chat.reads("Setuju data orang ini diproses")
    chat.presses("Setuju")
    chat.presses("Individu Lokal")
    for answer in ("Budi Santoso", "3171031203850002", "0813-9876-5432"):
        assert "Anda" not in chat.screen.text, chat.screen.text
        chat.says(answer)
    assert "Anda" not in chat.screen.text, chat.screen.text
    chat.says("budi.santoso@example.org")
    chat.stands_at("summary")


@pytest.mark.parametrize(
    ("number", "said", "reads"),
    [
        (1, "belum punya KTP", "Kartu Keluarga (KK)"),
        (2, "tidak punya HP", "nomor seluler Indonesia"),
        (3, "saya tidak punya email", "dibuat gratis"),
    ],
)
def test_who_has_no_such_thing_is_told_how_to_get_it_and_that_nothing_is_lost(number: int, said: str, reads: str) -> None:
    chat = at_question(number)
    where = chat.step
    chat.says(said)
    chat.reads(reads, "jawaban Anda tetap tersimpan", "Call Center")
    chat.stands_at(where)


@pytest.mark.parametrize(
    ("becomes", "says"),
    [
        ("mailed", "Siti Rahmawati (s***@example.com): menunggu aktivasi lewat e-mail, e-mail terkirim pukul"),
        ("mail_failed", "Periksa alamatnya"),
        ("expired", "sudah kedaluwarsa. Tekan Kirim Ulang"),
    ],
)
def test_status_of_the_only_registration_is_told_once(becomes: ActivationStatus, says: str) -> None:
    chat = waiting_for_activation()
    chat.becomes(becomes)
    chat.says("status")
    assert chat.screen.text.count(says) == 1
    assert not chat.screen.notice


def test_who_goes_on_without_answering_the_guess_at_a_second_half_of_the_name_is_not_asked_it_again() -> None:
    chat = at_question(1)
    chat.says("Kusuma")
    chat.reads("termasuk nama lengkapnya")
    chat.says("3171234501900001")
    chat.stands_at("phone")
    assert answers(chat)["full_name"] == answers(at_question(1))["full_name"]


def test_a_name_in_three_bubbles_is_put_together() -> None:
    chat = at_question(1)
    first = answers(chat)["full_name"]
    chat.says("Kusuma")
    chat.says("Dewi")
    chat.reads('"Kusuma Dewi"')
    chat.says("ya")
    assert answers(chat)["full_name"] == f"{first} Kusuma Dewi"


@pytest.mark.parametrize("typed", ["cepetan", "gak tau", "lama"])
def test_an_impatient_word_is_no_part_of_a_name(typed: str) -> None:
    chat = at_question(1)
    chat.says(typed)
    chat.stands_at("nik")
