"""The types of registration as a table (guide step 3). Only Individu Lokal is filled in by chat; the others go to the helpdesk.

Their names besides Individu Lokal are not confirmed by KSEI's public pages: this table is the place to correct them.
"""

from __future__ import annotations

from typing import Final

from dialogs.frozen import Frozen


class Kind(Frozen, frozen=True):
    id: str
    by_chat: bool


KINDS: Final = (
    Kind("individu_lokal", by_chat=True),
    Kind("individu_asing", by_chat=False),
    Kind("institusi_lokal", by_chat=False),
    Kind("institusi_asing", by_chat=False),
)
BY_ID: Final = {kind.id: kind for kind in KINDS}
