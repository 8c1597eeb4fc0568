"""The public test kit: play a conversation in a few lines, look at what came back, write it down and play it again from paper.

    chat = Conversation()
    chat.starts()
    chat.presses("Setuju")
    chat.reads("jenis pendaftaran")

`docs/testing.md` shows all of it on one page. Lives here: the kit's public names. Must not live here: channels, stores, HTTP; a backend
of one's own tests with `backend_client.fake`.
"""

from dialogs.testing.conversation import NOON, PROFILE, Conversation, NoSuchButton, NothingLikeThat
from dialogs.testing.play import NobodyKnowsHow, does, played
from dialogs.testing.repro import Moment, retold
from dialogs.testing.transcript import Transcript, button

__all__ = [
    "NOON",
    "PROFILE",
    "Conversation",
    "Moment",
    "NoSuchButton",
    "NobodyKnowsHow",
    "NothingLikeThat",
    "Transcript",
    "button",
    "does",
    "played",
    "retold",
]
