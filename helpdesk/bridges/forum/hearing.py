"""In: what people do in the group, and how they are told what came of it.

Lives here: reading the group's updates and answering them. Must not live here: what a deed comes to (`deeds.py`), receiving updates
(`bot/channels/telegram/`). Nothing here raises, and nobody waits for the Bot API: what is told is sent beside.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine
from typing import Any, Final, Literal

import msgspec
import structlog
from sqlalchemy.exc import SQLAlchemyError

from bot.turns import StoreUnavailable
from dialogs.texts import Language
from helpdesk.acting import NotAllowed, Owned, Unfit
from helpdesk.agents import Agent
from helpdesk.bridges.accounts import Account
from helpdesk.bridges.book import Book
from helpdesk.bridges.deeds import Deeds, Done
from helpdesk.bridges.forum import drawing
from helpdesk.bridges.forum.bridge import NAME, Forum
from helpdesk.bridges.forum.group import Group, Refused
from helpdesk.bridges.port import Deed, NoTicket, PlaceBusy, Stranger, TicketOver
from helpdesk.bridges.views import Views
from helpdesk.texts import named, text, unfit

log = structlog.get_logger(__name__)

# Between the tries of a deed while a store is away, in seconds; after the last its person is asked to try again.
_PAUSES: Final = (0.2, 1.0)
_DEED_SECONDS: Final = 8.0
# An answer that finds no room in the group is sent as soon as there is, within this time.
_PATIENCE_SECONDS: Final = 60.0
_ALERT_MAX: Final = 200
_REMEMBERED: Final = 1000
# What a message may be other than text and still somebody's; everything else is Telegram's own note.
_MEDIA: Final = (
    "photo", "voice", "video", "video_note", "animation", "sticker", "location", "document", "audio", "contact", "poll",
)  # fmt: skip

_ABSENT: Final = msgspec.Raw()


class _User(msgspec.Struct, gc=False):
    id: int
    is_bot: bool = False
    language_code: str = ""


class _Chat(msgspec.Struct, gc=False):
    id: int


class _Replied(msgspec.Struct, gc=False):
    message_id: int
    sender: _User | None = msgspec.field(name="from", default=None)


class _Message(msgspec.Struct, gc=False):
    message_id: int
    chat: _Chat
    sender: _User | None = msgspec.field(name="from", default=None)
    sender_chat: _Chat | None = None
    message_thread_id: int = 0
    is_topic_message: bool = False
    edit_date: int = 0
    text: str | None = None
    reply_to_message: _Replied | None = None
    migrate_to_chat_id: int = 0
    forum_topic_closed: msgspec.Raw = _ABSENT
    photo: msgspec.Raw = _ABSENT
    voice: msgspec.Raw = _ABSENT
    video: msgspec.Raw = _ABSENT
    video_note: msgspec.Raw = _ABSENT
    animation: msgspec.Raw = _ABSENT
    sticker: msgspec.Raw = _ABSENT
    location: msgspec.Raw = _ABSENT
    document: msgspec.Raw = _ABSENT
    audio: msgspec.Raw = _ABSENT
    contact: msgspec.Raw = _ABSENT
    poll: msgspec.Raw = _ABSENT


class _Query(msgspec.Struct, gc=False):
    id: str
    sender: _User = msgspec.field(name="from")
    message: _Message | None = None
    data: str = ""


class _Update(msgspec.Struct, gc=False):
    update_id: int
    message: _Message | None = None
    edited_message: _Message | None = None
    callback_query: _Query | None = None


_decode = msgspec.json.Decoder(_Update).decode


class Hearing:
    """`language` is that of what everybody in the group reads; what is for one agent alone is in theirs."""

    def __init__(
        self, group: Group, forum: Forum, deeds: Deeds, book: Book, views: Views, *, language: Language = "id"
    ) -> None:
        self._group = group
        self._forum = forum
        self._deeds = deeds
        self._book = book
        self._views = views
        self._language = language
        self._telling: set[asyncio.Task[None]] = set()
        self._told: OrderedDict[str, None] = OrderedDict()

    async def heard(self, body: bytes) -> None:
        """One update of the group, as Telegram wrote it. When this returns it is done, or its person is being told that it is not."""
        try:
            update = _decode(body)
        except msgspec.MsgspecError:
            return
        try:
            if update.message is not None:
                await self._wrote(update.message)
            elif update.edited_message is not None:
                await self._changed(update.edited_message)
            elif update.callback_query is not None and update.callback_query.message is not None:
                await self._pressed(update.callback_query, update.callback_query.message)
        except Exception as error:  # noqa: BLE001 - a defect here shall cost no investor their chat
            log.error("forum.update_failed", error=type(error).__name__, update=update.update_id)

    async def close(self, grace: float = 2.0) -> None:
        """Let what is being told be told, at most `grace` seconds."""
        if self._telling:
            _, late = await asyncio.wait(self._telling, timeout=grace)
            for task in late:
                task.cancel()

    # --- messages

    async def _wrote(self, message: _Message) -> None:
        if message.migrate_to_chat_id:
            await self._group.follow(message.migrate_to_chat_id)
            return
        if not message.is_topic_message or not message.message_thread_id:
            return  # General, where people talk among themselves
        thread = str(message.message_thread_id)
        if message.sender_chat is not None:
            await self._spoke_for_the_group(thread, message)
            return
        if message.sender is None or message.sender.is_bot:
            return
        if bytes(message.forum_topic_closed):
            self._forum.shut(thread)
            return
        if message.text is not None:
            await self._said(thread, message, message.sender, message.text)
        elif any(bytes(getattr(message, kind)) for kind in _MEDIA):
            await self._deed(thread, message, Deed("note", _key(message), thread, str(message.sender.id)), "text_only")

    async def _said(self, thread: str, message: _Message, sender: _User, written: str) -> None:
        noted = written.startswith("//")
        if written.startswith("/") and not noted:
            await self._deed(thread, message, Deed("note", _key(message), thread, str(sender.id)), "command")
            return
        what: Literal["note", "say"] = "note" if noted else "say"
        answered = message.reply_to_message.message_id if message.reply_to_message else 0
        answers = str(answered) if answered and answered != message.message_thread_id else ""
        await self._deed(
            thread,
            message,
            Deed(
                what,
                _key(message),
                thread,
                str(sender.id),
                message=str(message.message_id),
                answers=answers,
                text=written.removeprefix("//"),
            ),
        )

    async def _changed(self, message: _Message) -> None:
        """An agent has changed what they wrote."""
        sender = message.sender
        if not message.is_topic_message or sender is None or sender.is_bot or message.text is None:
            return
        thread, noted = str(message.message_thread_id), message.text.startswith("//")
        what: Literal["note", "correct"] = "note" if noted else "correct"
        key = f"{_key(message)} {message.edit_date}"
        written = message.text.removeprefix("//")
        deed = Deed(what, key, thread, str(sender.id), message=str(message.message_id), text=written)
        await self._deed(thread, message, deed)

    async def _deed(self, thread: str, message: _Message, deed: Deed, instead: str = "") -> None:
        """Do it and say what kept it from being done; where there is something to say `instead`, that is all that is done."""
        try:
            if instead:
                if await self._book.ticket_at(thread) is None:
                    raise NoTicket  # noqa: TRY301 (as the deed itself would)
                await self._deeds.who(deed)
                words = text(self._language, f"bridge.{instead}")
            else:
                await self._done(deed, new=_ours(message))
                return
        except NoTicket:
            if not _ours(message):
                return
            words = text(self._language, "bridge.no_ticket")
        except Stranger as stranger:
            if not stranger.first:
                return
            words = self._stranger(self._language, deed.account)
        except (SQLAlchemyError, OSError, StoreUnavailable) as error:
            log.warning("forum.store_away", error=type(error).__name__)
            words = text(self._language, "bridge.trouble")
        except Exception as error:  # noqa: BLE001 - those that have words get them, the rest is told as trouble
            words = self._why(self._language, error)
            if deed.what != "note":
                words = f"{words} {text(self._language, 'bridge.not_sent')}"
        self._tell(self._reply(thread, message.message_id, words))

    async def _done(self, deed: Deed, *, new: bool = True) -> Done:
        """Do it, also where a store is away for a moment, or where the topic is so `new` that it has not been written down yet."""
        for pause in (*_PAUSES, None):
            try:
                async with asyncio.timeout(_DEED_SECONDS):
                    return await self._deeds.do(deed)
            except (SQLAlchemyError, OSError, StoreUnavailable, NoTicket) as error:
                if pause is None or (isinstance(error, NoTicket) and not new):
                    raise
                await asyncio.sleep(pause)
        raise AssertionError

    async def _spoke_for_the_group(self, thread: str, message: _Message) -> None:
        """An admin who remains anonymous: who they are, nobody can know; they are told so once in each topic."""
        if thread in self._told or await self._book.ticket_at(thread) is None:
            return
        self._told[thread] = None
        if len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)
        self._tell(self._reply(thread, message.message_id, text(self._language, "bridge.anonymous")))

    # --- buttons

    async def _pressed(self, query: _Query, message: _Message) -> None:
        ours, _, data = query.data.partition(":")
        verb, _, rest = data.partition(":")
        version, *facts = rest.split(":")
        if ours != drawing.OURS or not version.isdecimal() or not message.message_thread_id:
            self._tell(self._answer(query.id, ""))
            return
        thread, account = str(message.message_thread_id), str(query.sender.id)
        agent: Agent | None = None
        try:
            # Whoever may not do it is told so before anything else happens.
            agent = await self._deeds.who(Deed("take", query.id, thread, account))
            words = await self._carried_out(verb, int(version), facts, query, message, agent)
        except Stranger:
            language: Language = "en" if query.sender.language_code.startswith("en") else "id"
            words = self._stranger(language, account)
        except NoTicket:
            words = text(self._language, "bridge.no_ticket")
        except (SQLAlchemyError, OSError, StoreUnavailable):
            words = text(agent.language if agent else self._language, "bridge.trouble")
        except Exception as error:  # noqa: BLE001 - as with messages
            words = self._why(agent.language if agent else self._language, error, agent)
        self._tell(self._answer(query.id, words))

    async def _carried_out(
        self, verb: str, version: int, facts: list[str], query: _Query, message: _Message, agent: Agent
    ) -> str:
        """What to tell whoever pressed."""
        thread, account = str(message.message_thread_id), str(query.sender.id)
        key = f"press {query.id}"
        match verb, facts:
            case ("take" | "return" as what, []):
                await self._done(Deed(what, key, thread, account, version=version))
                return text(agent.language, f"bridge.done_{what}")
            case "close", []:
                self._tell(self._keyboard(message.message_id, drawing.labels(self._language, version)))
            case "close", [label]:
                await self._done(Deed("close", key, thread, account, label=label, version=version))
                return text(agent.language, "bridge.done_close")
            case "see", [field]:
                self._tell(self._keyboard(message.message_id, drawing.reasons(self._language, version, field)))
            case "see", [field, reason]:
                deed = Deed("reveal", key, thread, account, field=field, reason=reason, version=version)
                self._tell(self._back(thread, message.message_id))
                return await self._revealed(deed, query, agent)
            case "back", []:
                self._tell(self._back(thread, message.message_id))
            case _:
                pass
        return ""

    async def _revealed(self, deed: Deed, query: _Query, agent: Agent) -> str:
        """Show a value to its agent alone, or say where they can see it.

        First comes a message that holds nothing: a server that does not know messages for one person shows that to all, and is known by
        it. The value itself goes by a call that such a server does not have.
        """
        receiver = {"receiver_user_id": query.sender.id, "callback_query_id": query.id}
        params = drawing.message(deed.place, text(agent.language, "bridge.seeing"))
        try:
            made = await self._group.call("sendMessage", {**params, "ephemeral_message_parameters": receiver})
        except Refused as refused:
            log.info("forum.not_ephemeral", code=refused.code)
            return text(agent.language, "bridge.see_there")
        number = made.get("ephemeral_message_id") if isinstance(made, dict) else None
        if not number:
            if isinstance(made, dict) and made.get("message_id"):
                self._tell(self._removed(made["message_id"]))
            return text(agent.language, "bridge.see_there")
        try:
            value = (await self._done(deed)).value
            words = text(agent.language, "bridge.seen", field=named(agent.language, "field", deed.field), value=value)
        except Exception as error:  # noqa: BLE001 - whatever it is stands in the one message that only they see
            words = self._why(agent.language, error)
        shown = {"receiver_user_id": query.sender.id, "ephemeral_message_id": number, "text": words}
        try:
            await self._group.call("editEphemeralMessageText", shown)
        except Refused as refused:
            log.info("forum.not_ephemeral", code=refused.code)
            return text(agent.language, "bridge.see_there")
        return ""

    # --- words

    @staticmethod
    def _stranger(language: Language, account: str) -> str:
        return text(language, "bridge.stranger", account=str(Account(NAME, account)))

    @staticmethod
    def _why(language: Language, error: Exception, agent: Agent | None = None) -> str:
        match error:
            case Owned() if agent is not None and error.agent == agent.id:
                return text(language, "owned.you")
            case Owned():
                return text(language, f"owned.{error.owner}", name=error.name)
            case NotAllowed():
                return text(language, "bridge.not_allowed")
            case TicketOver() if error.number:
                return text(language, "bridge.over_newer", number=error.number)
            case TicketOver():
                return text(language, "bridge.over")
            case Unfit():
                return error.words or unfit(language, error.code, error.retry_after)
            case _:
                log.error("forum.deed_failed", error=type(error).__name__)
                return text(language, "bridge.trouble")

    # --- what is told, beside

    def _tell(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._at_ease(work))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    @staticmethod
    async def _at_ease(work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except (Refused, PlaceBusy, SQLAlchemyError, OSError, StoreUnavailable) as error:
            log.info("forum.not_told", error=type(error).__name__, code=getattr(error, "code", 0))

    async def _reply(self, thread: str, message: int, words: str) -> None:
        params = drawing.message(thread, words, answers=str(message))
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                try:
                    await self._group.send("sendMessage", params, urgent=True)
                except PlaceBusy as busy:
                    await asyncio.sleep(busy.retry_after)
                else:
                    return

    async def _answer(self, query: str, words: str) -> None:
        alert = {"text": words[:_ALERT_MAX], "show_alert": True} if words else {}
        await self._group.answer({"callback_query_id": query, **alert})

    async def _keyboard(self, message: int, keyboard: drawing.Keyboard) -> None:
        await self._group.edit("editMessageReplyMarkup", {"message_id": message, "reply_markup": keyboard})

    async def _back(self, thread: str, message: int) -> None:
        """The panel's own buttons again."""
        ticket = await self._book.ticket_at(thread)
        if ticket is not None:
            view = await self._views.of(ticket, await self._views.session(ticket.id))
            await self._keyboard(message, drawing.buttons(self._language, view))

    async def _removed(self, message: int) -> None:
        await self._group.call("deleteMessage", {"message_id": message})


def _ours(message: _Message) -> bool:
    """Whether it answers a bot, or stands in a topic that a bot has made: Telegram has such a message answer the topic's first."""
    replied = message.reply_to_message
    return replied is not None and replied.sender is not None and replied.sender.is_bot


def _key(message: _Message) -> str:
    return f"{message.chat.id} {message.message_id}"
