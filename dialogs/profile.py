"""Who runs this and what is fixed for everybody: the facts that texts and rules need, given once by the composition root."""

from __future__ import annotations

from datetime import timedelta

from dialogs.frozen import Frozen
from dialogs.office import Office

# The privacy notice's version; a consent records which one was read (UU PDP art. 21, 24). Change it with the notice's text.
NOTICE_VERSION = "2026-11"


class Profile(Frozen, frozen=True):
    """`home_url` is the page that Beranda opens, `privacy_url` the whole privacy notice, `app_url` the page on which a pending registration
    is looked after inside the chat ("" where there is none).

    `resend_after` is how long after a mail was accepted for delivery Kirim Ulang begins to work (guide step 7: 15 minutes). `keep_draft`
    is how long what was typed and not handed off is kept after the person was last here; it is told in every reminder. `office` is the
    helpdesk that steps into chats; None where there is none, and people are told whom to call.
    """

    operator: str
    home_url: str
    privacy_url: str
    app_url: str = ""
    demo: bool = False
    resend_after: timedelta = timedelta(minutes=15)
    keep_draft: timedelta = timedelta(days=7)
    call_centre: str = "(+62)21 515 2855"
    toll_free: str = "0800 186 5734"
    helpdesk_email: str = "helpdesk@ksei.co.id"
    notice_version: str = NOTICE_VERSION
    office: Office | None = None
