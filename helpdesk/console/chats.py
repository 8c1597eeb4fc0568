"""The queue, one's own, all; a conversation and what is done to it; live.

Lives here: reading forms, drawing pages, answering a deed. Must not live here: rights over a conversation and what a deed is
(`helpdesk/acting.py`), what may be seen (`reading.py`, `panel.py`).

One page is all there is: the live script asks for the same page again when something has changed, and puts its parts in the place of the
old ones. A deed answers a browser with the page it came from, and a script with JSON:
    200 {"ok": true, "next": <address>}   409 {"error": {"code": "owned", "message"}, "owner", "agent", "version"}
    422, 429 {"error": {"code", "message"}}
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, get_args
from urllib.parse import urlencode

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse

from bot.turns import StoreUnavailable
from dialogs.fields import FIELDS
from dialogs.session import Session
from helpdesk.acting import LABELS, REASONS, NotAllowed, Owned, Unfit, stands
from helpdesk.agents import actor
from helpdesk.canned import CannedRefused, filled, listed, unknown_in
from helpdesk.console.door import Door, Form, wants_json
from helpdesk.console.view import View
from helpdesk.feed import PAGE, Changed
from helpdesk.masking import known_of
from helpdesk.reading import Chat, Filters
from helpdesk.reading import View as List
from helpdesk.roles import TO_REVEAL
from helpdesk.sign_in import Visit
from helpdesk.texts import text
from helpdesk.texts import unfit as unfit_words

if TYPE_CHECKING:
    from helpdesk.service import Helpdesk

log = structlog.get_logger(__name__)

HOME: Final = "/helpdesk"
LISTS: Final = get_args(List)
CHANNELS: Final = ("telegram", "web", "whatsapp", "terminal")
TICKET_REASONS: Final = ("asked", "tries", "taken")
OWNERS: Final = ("queued", "human", "closed")
# A stream says something at least so often, so that proxies keep it, and looks whether its session still holds.
_HEARTBEAT_SECONDS: Final = 15.0
# Streams of one agent at a time: a few tabs, a phone.
_STREAMS: Final = 8
# What changes together is told together.
_TOGETHER_SECONDS: Final = 0.15

Deed = Callable[[Request, Visit, Form, Chat], Awaitable[None]]


class Chats:
    def __init__(self, desk: Helpdesk, view: View, door: Door) -> None:
        self._agents = desk.people.agents
        self._sign_in = desk.people.sign_in
        self._audit = desk.people.audit
        self._database = desk.people.database
        self._now = desk.people.clock
        self._reading = desk.reading
        self._panels = desk.panels
        self._acting = desk.acting
        self._canned = desk.canned
        self._feed = desk.feed
        self._view = view
        self._door = door
        self._streams: dict[str, int] = {}
        self._closing = asyncio.Event()

    def close(self) -> None:
        """End all streams; the browsers connect again by themselves."""
        self._closing.set()

    # --- pages

    async def home(self, request: Request, visit: Visit) -> Response:
        if not visit.agent.may("look"):
            place = "petugas" if visit.agent.may("agents") else "audit" if visit.agent.may("audit") else "saya"
            return RedirectResponse(f"{HOME}/{place}", 303)
        return await self._page(request, visit, None)

    async def show(self, request: Request, visit: Visit) -> Response:
        return await self._page(request, visit, await self._chat(request))

    async def _chat(self, request: Request) -> Chat:
        chat = await self._reading.chat(request.path_params["chat"])
        if chat is None:
            raise HTTPException(404)
        return chat

    async def _page(
        self,
        request: Request,
        visit: Visit,
        chat: Chat | None,
        *,
        status: int = 200,
        problem: str = "",
        typed: Form | None = None,
        revealed: tuple[str, str, str] = ("", "", ""),
    ) -> Response:
        list_, filters = _list(request), _filters(request)
        listed = await self._reading.page(list_, visit.agent.id, filters, _number(request))
        facts: dict[str, Any] = {"chat": chat}
        if chat is not None:
            session, known = await self._session(chat)
            now = stands(session)
            facts |= {
                "now": now,
                "mine": now.owner == "human" and now.agent == visit.agent.id,
                "reachable": known,
                "panel": await self._panels.of(session),
                "talk": await self._reading.talk(chat.id, known_of(session)),
                "replies": await self._canned.of(visit.agent),
                "colleagues": [each for each in await self._agents.working() if each.id != visit.agent.id],
            }
        return self._view.page(
            request,
            "chats",
            visit,
            status=status,
            list=list_,
            lists=LISTS,
            filters=filters,
            query=_query(list_, filters, listed.number),
            listed=listed,
            pages={number: _query(list_, filters, number) for number in (listed.number - 1, listed.number + 1)},
            counts=await self._reading.counts(visit.agent.id),
            newest=await self._feed.newest(),
            key=secrets.token_urlsafe(16),
            form_token=self._door.cookies.session_form_token(visit.token),
            problem=problem,
            typed=typed or {},
            revealed=revealed,
            channels=CHANNELS,
            reasons=TICKET_REASONS,
            owners=OWNERS,
            steps=(
                "consent",
                "kind",
                *(field.id for field in FIELDS),
                "summary",
                "sending",
                "pending",
                "mail_failed",
                "active",
            ),
            labels=LABELS,
            reveal_reasons=REASONS,
            to_reveal=TO_REVEAL,
            reveals_handed=self._acting.reveals_handed,
            fields=[field.id for field in FIELDS],
            **facts,
        )

    async def _session(self, chat: Chat) -> tuple[Session | None, bool]:
        """The dialog's session, and whether the dialog could be asked: a page without it still shows what was said."""
        try:
            return await self._panels.look(chat.conversation), True
        except StoreUnavailable:
            return None, False

    # --- deeds

    def deed(self, act: Deed) -> Callable[[Request, Visit, Form], Awaitable[Response]]:
        """A route for one deed on a conversation."""

        async def done(request: Request, visit: Visit, form: Form) -> Response:
            chat = await self._chat(request)
            try:
                await act(request, visit, form, chat)
            except NotAllowed:
                raise HTTPException(403) from None
            except Owned as owned:
                return await self._owned(request, visit, form, chat, owned)
            except Unfit as unfit:
                return await self._unfit(request, visit, form, chat, unfit)
            address = f"{HOME}/c/{chat.id}?{_query(_list(request), _filters(request), _number(request))}"
            return JSONResponse({"ok": True, "next": address}) if wants_json(request) else RedirectResponse(address, 303)

        return done

    async def _owned(self, request: Request, visit: Visit, form: Form, chat: Chat, owned: Owned) -> Response:
        language = self._view.language(request, visit)
        whose = "you" if owned.agent == visit.agent.id and owned.agent else owned.owner
        words = text(language, f"owned.{whose}", name=owned.name)
        log.info("helpdesk.owned", owner=owned.owner)
        if wants_json(request):
            told = {"error": {"code": "owned", "message": words}}
            return JSONResponse(told | {"owner": owned.owner, "agent": owned.name, "version": owned.version}, 409)
        return await self._page(request, visit, chat, status=409, problem=words, typed=form)

    async def _unfit(self, request: Request, visit: Visit, form: Form, chat: Chat, unfit: Unfit) -> Response:
        language = self._view.language(request, visit)
        words = unfit.words or unfit_words(language, unfit.code, unfit.retry_after)
        status = 429 if unfit.retry_after else 422
        if wants_json(request):
            response: Response = JSONResponse({"error": {"code": unfit.code, "message": words}}, status)
        else:
            response = await self._page(request, visit, chat, status=status, problem=words, typed=form)
        if unfit.retry_after:
            response.headers["Retry-After"] = str(unfit.retry_after)
        return response

    async def take(self, _: Request, visit: Visit, form: Form, chat: Chat) -> None:
        await self._acting.take(chat, visit.agent, _version(form), form.get("key", ""))

    async def release(self, _: Request, visit: Visit, form: Form, chat: Chat) -> None:
        await self._acting.release(chat, visit.agent, _version(form), form.get("key", ""))

    async def hand_back(self, _: Request, visit: Visit, form: Form, chat: Chat) -> None:
        await self._acting.hand_back(chat, visit.agent, _version(form), form.get("key", ""))

    async def transfer(self, _: Request, visit: Visit, form: Form, chat: Chat) -> None:
        await self._acting.transfer(chat, visit.agent, _version(form), form.get("key", ""), form.get("to", ""))

    async def close_ticket(self, _: Request, visit: Visit, form: Form, chat: Chat) -> None:
        await self._acting.close(chat, visit.agent, _version(form), form.get("key", ""), form.get("label", ""))

    async def say(self, request: Request, visit: Visit, form: Form, chat: Chat) -> None:
        written = form.get("text", "")
        if not written.strip() and form.get("reply"):
            # Without the script a canned reply is sent as it stands.
            replies = {reply.id: reply for reply in await self._canned.of(visit.agent)}
            reply = replies.get(form["reply"])
            written = reply.text(chat.language) if reply else ""
        if "{{" in written:
            if unknown := unknown_in(written):
                language = self._view.language(request, visit)
                raise Unfit("variable", text(language, "canned.refused.variable", unknown=unknown, known=listed()))
            written = await self._filled(written, visit, chat)
        await self._acting.say(chat, visit.agent, _version(form), form.get("key", ""), written)

    async def _filled(self, written: str, visit: Visit, chat: Chat) -> str:
        session = await self._panels.look(chat.conversation)
        panel = await self._panels.of(session)
        word = panel.handed[0].word if panel.handed else None
        again = word.resend_available_at if word else None
        wait = max(0, int((again - self._now()).total_seconds())) if again else 0
        language = session.language if session else "id"
        return filled(written, language, session, visit.agent, chat.ticket.number if chat.ticket else 0, wait)

    async def say_again(self, _: Request, visit: Visit, form: Form, chat: Chat) -> None:
        await self._acting.say_again(chat, visit.agent, _version(form), form.get("key", ""), form.get("entry", ""))

    async def note(self, _: Request, visit: Visit, form: Form, chat: Chat) -> None:
        await self._acting.note(chat, visit.agent, form.get("key", ""), form.get("text", ""))

    async def propose(self, _: Request, visit: Visit, form: Form, chat: Chat) -> None:
        await self._acting.propose(
            chat, visit.agent, _version(form), form.get("key", ""), form.get("field", ""), form.get("value", "")
        )

    async def resend(self, _: Request, visit: Visit, form: Form, chat: Chat) -> None:
        await self._acting.resend(chat, visit.agent, form.get("key", ""), form.get("registration", ""))

    async def reveal(self, request: Request, visit: Visit, form: Form) -> Response:
        """The one answer with a value in the clear: not stored by anybody, and gone with the next look."""
        chat = await self._chat(request)
        field, registration = form.get("field", ""), form.get("registration", "")
        try:
            value = await self._acting.reveal(chat, visit.agent, field, form.get("reason", ""), registration)
        except NotAllowed:
            raise HTTPException(403) from None
        except Owned as owned:
            return await self._owned(request, visit, form, chat, owned)
        except Unfit as unfit:
            return await self._unfit(request, visit, form, chat, unfit)
        if wants_json(request):
            return JSONResponse({"ok": True, "field": field, "value": value})
        return await self._page(request, visit, chat, revealed=(registration, field, value))

    # --- the list as a file

    async def export(self, request: Request, visit: Visit) -> Response:
        written = await self._reading.exported(_filters(request))
        async with self._database.writing() as conn:
            lines = written.count("\n") - 1
            await self._audit.record(conn, self._now(), actor(visit.agent), "desk.exported", visit.agent.id, lines=lines)
        headers = {"Content-Disposition": 'attachment; filename="helpdesk.csv"'}
        # The mark tells spreadsheets that it is UTF-8.
        return Response(f"\ufeff{written}", media_type="text/csv; charset=utf-8", headers=headers)

    # --- canned replies

    async def replies(self, request: Request, visit: Visit) -> Response:
        if not (visit.agent.may("act") or visit.agent.may("canned")):
            raise HTTPException(403)
        return await self._replies(request, visit)

    async def _replies(
        self, request: Request, visit: Visit, *, status: int = 200, refused: str = "", given: Form | None = None
    ) -> Response:
        return self._view.page(
            request,
            "canned",
            visit,
            status=status,
            replies=await self._canned.of(visit.agent),
            variables=listed(),
            refused=refused,
            unknown=unknown_in("\n".join((given or {}).values())),
            given=given or {},
            form_token=self._door.cookies.session_form_token(visit.token),
        )

    async def keep_reply(self, request: Request, visit: Visit, form: Form) -> Response:
        shared = form.get("shared") == "ya"
        self._door.require(visit, "canned" if shared else "act")
        try:
            await self._canned.keep(
                visit.agent,
                form.get("title", ""),
                form.get("text_id", ""),
                form.get("text_en", ""),
                shared=shared,
                reply=form.get("reply", ""),
            )
        except CannedRefused as refused:
            return await self._replies(request, visit, status=422, refused=refused.code, given=form)
        return RedirectResponse(f"{HOME}/balasan", 303)

    async def remove_reply(self, request: Request, visit: Visit, form: Form) -> Response:
        shared = form.get("shared") == "ya"
        self._door.require(visit, "canned" if shared else "act")
        try:
            await self._canned.remove(visit.agent, form.get("reply", ""), shared=shared)
        except CannedRefused as refused:
            return await self._replies(request, visit, status=422, refused=refused.code)
        return RedirectResponse(f"{HOME}/balasan", 303)

    # --- live

    async def events(self, request: Request, visit: Visit) -> Response:
        """What changed, as ids; after `Last-Event-ID`, or ?since= the first time. A stream says nothing about anybody."""
        written = request.headers.get("last-event-id") or request.query_params.get("since") or "0"
        if not (written.isascii() and written.isdecimal() and len(written) < 19):
            raise HTTPException(400)
        if self._streams.get(visit.agent.id, 0) >= _STREAMS:
            raise HTTPException(429)
        headers = {"X-Accel-Buffering": "no"}
        return StreamingResponse(self._stream(visit, int(written)), media_type="text/event-stream", headers=headers)

    async def _stream(self, visit: Visit, last: int) -> AsyncIterator[bytes]:
        self._streams[visit.agent.id] = self._streams.get(visit.agent.id, 0) + 1
        try:
            async with self._feed.listening() as queue:
                yield b"retry: 1000\n\n"
                missed = await self._feed.since(last)
                if len(missed) == PAGE:
                    # Whoever was away for long looks at everything anew.
                    last = await self._feed.newest()
                    yield b"id: %d\nevent: anew\ndata: {}\n\n" % last
                    missed = ()
                for change in missed:
                    last = change.id
                    yield _told(change)
                yield b"event: ready\ndata: {}\n\n"
                while not self._closing.is_set():
                    changed = await self._next(queue)
                    # Whoever was shut out, or idle for too long, hears no more.
                    if not await self._sign_in.holds(visit.token):
                        yield b"event: over\ndata: {}\n\n"
                        return
                    if not changed:
                        yield b": \n\n"
                    for change in changed:
                        if change.id > last:
                            last = change.id
                            yield _told(change)
        finally:
            self._streams[visit.agent.id] -= 1

    async def _next(self, queue: asyncio.Queue[Changed]) -> list[Changed]:
        """What comes within a heartbeat, with what comes right behind it."""
        getting = asyncio.ensure_future(queue.get())
        closing = asyncio.ensure_future(self._closing.wait())
        try:
            await asyncio.wait({getting, closing}, timeout=_HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if not getting.done():
                return []
            found = [getting.result()]
        finally:
            getting.cancel()
            closing.cancel()
        await asyncio.sleep(_TOGETHER_SECONDS)
        while not queue.empty():
            found.append(queue.get_nowait())
        return found


def _told(change: Changed) -> bytes:
    return b'id: %d\ndata: {"what":"%s","chat":"%s"}\n\n' % (change.id, change.what.encode(), change.conversation.encode())


def _version(form: Form) -> int:
    written = form.get("version", "")
    if not (written.isascii() and written.isdecimal() and len(written) < 10):
        raise HTTPException(400)
    return int(written)


def _list(request: Request) -> List:
    wanted = request.query_params.get("daftar", "queue")
    return next((name for name in LISTS if name == wanted), "queue")


def _filters(request: Request) -> Filters:
    said = {name: request.query_params.get(name, "")[:120] for name in ("channel", "step", "reason", "agent", "owner")}
    return Filters(query=request.query_params.get("q", "")[:120], **said)


def _number(request: Request) -> int:
    """Which page of the list, from 1."""
    written = request.query_params.get("hal", "")
    return max(1, int(written)) if written.isascii() and written.isdecimal() and len(written) < 6 else 1


def _query(list_: str, filters: Filters, page: int) -> str:
    said = {"q": filters.query, "channel": filters.channel, "step": filters.step, "reason": filters.reason}
    said |= {"agent": filters.agent, "owner": filters.owner, "hal": str(page) if page > 1 else ""}
    return urlencode({"daftar": list_} | {name: value for name, value in said.items() if value})
