"""The console at /helpdesk: server-rendered, whole without JavaScript, live with it.

Lives here: which address is which page and what right it takes. `door.py` lets people through; the pages are held by `chats.py`,
`assisting.py`, `numbers.py`, `coming_in.py` and `managing.py`; templates are in `templates/`, words in `helpdesk/texts/`, looks and the
script in `design/` (`desk.css`, `desk.js`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.routing import BaseRoute

from helpdesk.console.assisting import PAGE, Callers
from helpdesk.console.chats import Chats
from helpdesk.console.coming_in import ComingIn
from helpdesk.console.door import SIGN_IN, Door
from helpdesk.console.managing import Managing
from helpdesk.console.numbers import Dashboard
from helpdesk.console.view import View
from helpdesk.oidc import CALLBACK

if TYPE_CHECKING:
    from helpdesk.service import Helpdesk


@dataclass(frozen=True, slots=True)
class Console:
    """`close` ends the open streams, so that a server that waits for its connections can stop."""

    routes: list[BaseRoute]
    close: Callable[[], None]


def console(desk: Helpdesk, *, device: Callable[[Request], str]) -> Console:
    """Every route of the console. `device` tells a browser's name from a request."""
    staff = desk.people
    view = View(staff.config, staff.clock)
    door = Door(staff.config, staff.sign_in, view)
    coming = ComingIn(staff.config, staff.sign_in, staff.oidc, view, door, device)
    managing = Managing(staff.config, staff.agents, staff.audit, view, door)
    chats = Chats(desk, view, door)
    callers = Callers(desk, desk.assisting, view, door)
    chat = "/helpdesk/c/{chat}"
    agent = "/helpdesk/petugas/{agent}"
    routes: list[BaseRoute] = [
        door.see("/helpdesk", None, chats.home),
        door.see("/helpdesk/langsung", "look", chats.events, by_itself=True),
        door.see("/helpdesk/daftar.csv", "export", chats.export),
        door.see(chat, "look", chats.show),
        door.do(f"{chat}/ambil", "act", chats.deed(chats.take)),
        door.do(f"{chat}/lepas", "act", chats.deed(chats.release)),
        door.do(f"{chat}/kembalikan", "act", chats.deed(chats.hand_back)),
        door.do(f"{chat}/alihkan", "act", chats.deed(chats.transfer)),
        door.do(f"{chat}/tutup", "act", chats.deed(chats.close_ticket)),
        door.do(f"{chat}/pesan", "act", chats.deed(chats.say)),
        door.do(f"{chat}/ulang", "act", chats.deed(chats.say_again)),
        door.do(f"{chat}/catatan", "act", chats.deed(chats.note)),
        door.do(f"{chat}/usul", "act", chats.deed(chats.propose)),
        door.do(f"{chat}/kirim-tautan", "act", chats.deed(chats.resend)),
        door.do(f"{chat}/buka", "act", chats.reveal),
        door.do(f"{chat}/pindah", "act", callers.move),
        door.see(PAGE, "act", callers.form),
        door.do(PAGE, "act", callers.begin),
        door.do(f"{PAGE}/lihat", "act", callers.look),
        door.see("/helpdesk/angka", "numbers", Dashboard(desk.counting, view).show),
        door.see("/helpdesk/balasan", None, chats.replies),
        door.do("/helpdesk/balasan", None, chats.keep_reply),
        door.do("/helpdesk/balasan/hapus", None, chats.remove_reply),
        door.open(SIGN_IN, coming.form),
        door.open(SIGN_IN, coming.password, "POST"),
        door.open(f"{SIGN_IN}/kode", coming.code_form),
        door.open(f"{SIGN_IN}/kode", coming.code, "POST"),
        door.open(f"{SIGN_IN}/tautan/{{token}}", coming.link),
        door.open(f"{SIGN_IN}/tautan/{{token}}", coming.follow, "POST"),
        door.open(f"{SIGN_IN}/oidc", coming.to_provider),
        door.open(CALLBACK, coming.from_provider),
        door.open("/helpdesk/undangan/{token}", coming.invitation),
        door.open("/helpdesk/undangan/{token}", coming.accept, "POST"),
        door.do("/helpdesk/keluar", None, coming.out),
        door.see("/helpdesk/saya", None, coming.own),
        door.do("/helpdesk/saya/sesi", None, coming.end_others),
        door.see("/helpdesk/petugas", "agents", managing.list),
        door.do("/helpdesk/petugas", "agents", managing.add),
        door.do(f"{agent}/undang", "agents", managing.invite),
        door.do(f"{agent}/tutup", "agents", managing.disable),
        door.do(f"{agent}/buka", "agents", managing.enable),
        door.do(f"{agent}/peran", "agents", managing.roles),
        door.see("/helpdesk/audit", "audit", managing.audit),
    ]
    return Console(routes, chats.close)
