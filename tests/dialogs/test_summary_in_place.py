"""The summary goes on in its own place: it tells how the registration stands, to the end, and shows nothing that a stranger could use."""

from __future__ import annotations

import pytest

from dialogs.effects import DeleteUserMessages, Redraw
from dialogs.events import ActivationChanged, ActivationStatus, ButtonPressed
from dialogs.registration import token
from dialogs.screens import Screen
from dialogs.testing import Conversation
from tests.dialogs.test_conversation import at_summary, waiting_for_activation

IN_FULL = ("3171234501900002", "3171 2345", "0813-2233-4455", "siti@example.com")


def in_its_place(chat: Conversation, message: str = "m-summary") -> Screen:
    """What the last event made of the summary."""
    redrawn = chat.brought(Redraw)
    assert redrawn.message == message
    assert not redrawn.screen.actions
    assert not any(value in redrawn.screen.body for value in IN_FULL)
    return redrawn.screen


def test_from_aktivasi_to_the_active_account_one_message_tells_how_it_stands() -> None:
    chat = at_summary()
    chat.presses("activate", message="m-summary")
    sending = in_its_place(chat)
    assert "3171********0002" in sending.text
    assert sending.text.endswith("Status: sedang dikirim")
    chat.accepted()
    assert in_its_place(chat).text.endswith("Status: menunggu aktivasi lewat e-mail")
    chat.becomes("active")
    assert (
        in_its_place(chat).text == "Pendaftaran atas nama Siti Rahmawati\nE-mail: s***@example.com\n\nStatus: akun sudah aktif"
    )


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("mail_failed", "e-mail tidak dapat dikirim"),
        ("expired", "tautan kedaluwarsa"),
        ("withdrawn", "dibatalkan"),
    ],
)
def test_every_other_end_is_told_there_too(status: ActivationStatus, told: str) -> None:
    chat = waiting_for_activation()
    chat.becomes(status)
    assert in_its_place(chat).text.endswith(f"Status: {told}")
    chat.becomes(status)
    assert chat.effects == ()


def test_a_mail_that_went_out_changes_nothing_about_it() -> None:
    chat = waiting_for_activation()
    chat.becomes("mailed")
    assert not [effect for effect in chat.effects if isinstance(effect, Redraw)]


def test_another_address_is_told_there_masked() -> None:
    chat = waiting_for_activation()
    chat.presses("new_email")
    chat.says("ratna@example.org")
    chat.done()
    assert "E-mail: r***@example.org" in in_its_place(chat).text


@pytest.mark.parametrize("trouble", ["rejected", "unavailable"])
def test_a_hand_off_that_failed_is_told_there_and_the_summary_to_press_is_a_new_one(trouble: str) -> None:
    chat = at_summary()
    chat.presses("activate", message="m-summary")
    if trouble == "rejected":
        chat.rejected("refused")
    else:
        chat.unavailable(final=True)
    assert in_its_place(chat).text.endswith("Status: belum terkirim")
    chat.stands_at("summary")
    chat.reads("3171 2345 0190 0002")
    chat.presses("activate", message="m-second")
    chat.accepted()
    assert in_its_place(chat, "m-second").text.endswith("Status: menunggu aktivasi lewat e-mail")


def test_news_that_is_quicker_than_the_hand_offs_answer_is_told_there_at_once() -> None:
    chat = at_summary()
    chat.presses("activate", message="m-summary")
    chat.happens(ActivationChanged("reg_1", "active", chat.now))
    chat.accepted("reg_1")
    assert in_its_place(chat).text.endswith("Status: akun sudah aktif")


def test_of_two_people_each_summary_tells_its_own_and_after_the_erasure_neither_tells_anything() -> None:
    chat = waiting_for_activation()
    chat.presses("register_another")
    for act in ("agree", "kind.individu_lokal"):
        chat.presses(act)
    for answer in ("Budi Santoso", "3171234501900001", "0813-2233-4466", "budi@example.com"):
        chat.says(answer)
    if chat.step == "doubt":
        chat.presses("confirm")
    chat.presses("activate", message="m-budi")
    chat.accepted("reg_2")
    chat.becomes("active", "reg_1")
    assert "Siti Rahmawati" in in_its_place(chat).text
    chat.says("/hapus")
    chat.presses("erase_all")
    told = {effect.message: effect.screen.text for effect in chat.effects if isinstance(effect, Redraw)}
    assert told["m-summary"] == "Data pendaftaran ini sudah tidak disimpan di percakapan ini."
    assert told["m-budi"].endswith("Status: sedang ditarik dan dihapus")
    chat.done()
    assert in_its_place(chat, "m-budi").text == "Data pendaftaran ini sudah tidak disimpan di percakapan ini."


def test_what_was_typed_leaves_the_chat_within_the_48_hours_also_while_the_hand_off_waits_for_the_backend() -> None:
    chat = at_summary()
    chat.passes(hours=24, minutes=30)
    chat.happens(ButtonPressed(token(chat.session), "activate", "m-summary"))
    chat.unavailable()
    chat.passes(hours=2)
    assert chat.brought(DeleteUserMessages).messages == ("m1", "m2", "m3", "m4")
    chat.stands_at("sending")
    chat.accepted()
    assert in_its_place(chat).text.endswith("Status: menunggu aktivasi lewat e-mail")


def test_when_it_may_be_resent_is_told_with_the_moment_itself() -> None:
    chat = waiting_for_activation()
    chat.becomes("mailed")
    chat.passes(minutes=4)
    chat.presses("resend")
    assert chat.screen is not None
    (moment,) = chat.screen.moments
    assert moment.words in chat.screen.notice
    assert (moment.at - chat.now).total_seconds() == 11 * 60
    chat.presses("status")
    assert chat.screen.moments == ()
