"""Where a form can go from here, as far as transcripts cannot show it."""

from __future__ import annotations

from datetime import timedelta

from dialogs.events import LinkMade
from dialogs.testing import Conversation


def test_a_chat_from_which_a_form_can_go_nowhere_says_so_and_keeps_no_link() -> None:
    chat = Conversation()
    chat.starts()
    chat.presses("Setuju")
    chat.says("pindah")
    chat.happens(LinkMade("k1", (), chat.now + timedelta(minutes=30)))
    chat.reads("tidak bisa dipindahkan ke tempat lain")
    chat.stands_at("kind")
    assert chat.session.draft is not None
    assert not chat.session.draft.link
