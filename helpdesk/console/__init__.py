"""The console at /helpdesk: server-rendered, whole without JavaScript, live with it.

Lives here: which address is which page and what right it takes. `door.py` lets people through; `coming_in.py`, `managing.py` hold the
pages; templates are in `templates/`, words in `helpdesk/texts/`, looks and the script in `design/` (`desk.css`, `desk.js`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from helpdesk.console.coming_in import ComingIn
from helpdesk.console.door import SIGN_IN, Door
from helpdesk.console.managing import Managing
from helpdesk.console.view import View
from helpdesk.oidc import CALLBACK
from helpdesk.sign_in import Visit

if TYPE_CHECKING:
    from helpdesk.service import Helpdesk


def routes(desk: Helpdesk, *, device: Callable[[Request], str]) -> list[BaseRoute]:
    """Every route of the console."""
    view = View(desk.config, desk.clock)
    door = Door(desk.config, desk.sign_in, view)
    coming = ComingIn(desk.config, desk.sign_in, desk.oidc, view, door, device)
    managing = Managing(desk.config, desk.agents, desk.audit, view, door)

    async def home(_: Request, visit: Visit) -> Response:
        """To what this agent may see."""
        if visit.agent.may("agents"):
            return RedirectResponse("/helpdesk/petugas", 303)
        return RedirectResponse("/helpdesk/audit" if visit.agent.may("audit") else "/helpdesk/saya", 303)

    agent = "/helpdesk/petugas/{agent}"
    return [
        door.see("/helpdesk", None, home),
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
