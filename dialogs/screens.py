"""A screen: one bubble of text with the buttons under it, as data.

Lives here: the shape of what is shown. Must not live here: how a channel draws it (`bot/channels/`), the words
(`dialogs/texts/`), or which screen comes when (`dialogs/machine.py`, `dialogs/registration.py`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from dialogs.frozen import Frozen

# What the expected answer looks like; a channel chooses keyboard, autocomplete and placeholder by it.
Hint = Literal["name", "digits", "phone", "email"]
# Success is for the one button that hands everything in, danger for what throws something away.
Style = Literal["primary", "plain", "success", "danger"]


class Action(Frozen, frozen=True):
    """A button. With `url` it opens that address and sends nothing; with `contact` the channel offers to share the phone number.

    With `app` the address is a page that knows its person only inside the chat: a channel that cannot open it there leaves the button out.
    """

    id: str
    label: str
    style: Style = "plain"
    url: str = ""
    contact: bool = False
    app: bool = False


class Moment(Frozen, frozen=True):
    """A moment (UTC), and the words in a text that tell it; a channel that knows its person's own clock may show it by that."""

    words: str
    at: datetime


class Screen(Frozen, frozen=True):
    """One message: `notice` (what became of the last input) above `text` (the question or the news), and its buttons.

    `token` must come back with each press (at most 16 ASCII letters and digits). `step` is the stable id of the place in the
    dialog. `hint` is None where only a button answers. `progress` is (2, 4) for "2/4". `sensitive` screens hold personal data:
    protect them from forwarding, and expect a Redraw. All text is plain, with line breaks, never markup; `moments` are told in it.
    """

    token: str
    step: str
    text: str
    notice: str = ""
    actions: tuple[Action, ...] = ()
    hint: Hint | None = None
    progress: tuple[int, int] | None = None
    sensitive: bool = False
    moments: tuple[Moment, ...] = ()

    @property
    def body(self) -> str:
        """Notice and text as one plain string, for channels that have only one place for both."""
        return f"{self.notice}\n\n{self.text}" if self.notice else self.text
