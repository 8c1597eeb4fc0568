"""What WhatsApp says, written once: the bytes of a webhook -> `Batch`, each item of it by itself.

Lives here: pure reading, no I/O, no framework, no state. Must not live here: receiving (`webhook.py`), whose chat it is (`people.py`), how
our messages look (`drawing.py`), or what an answer comes to (`dialogs/`). Facts: the messages webhook of Meta's Cloud API, v26.0.

Meta puts several items into one delivery: entries, changes, and in each messages and statuses. Every layer is opened by itself, so that an
item that cannot be read costs nobody else's.

Meta's own id of a message (the wamid) holds the phone number of its person in base64. So it goes no further than this channel: events bear
what `name` makes of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

import msgspec

from dialogs.campaigns import campaign
from dialogs.events import (
    ButtonPressed,
    CommandSent,
    ContactShared,
    Event,
    MediaKind,
    MediaSent,
    MessageEdited,
    Started,
    TextSent,
)
from dialogs.moves import PREFIX

OURS: Final = "akses:"  # how the ids of our buttons begin
SHARES: Final = "akses-number"  # the id of the one by which a person gives the number that they write from


class Who(msgspec.Struct, frozen=True):
    """A person as Meta names them: `user` is the business-scoped id (BSUID, "ID.1349..."), `number` the phone number in digits with its
    country code. One of the two may be "".
    """

    user: str = ""
    number: str = ""


class FromPerson(msgspec.Struct, frozen=True):
    """Something that a person did in their chat; `id` is what `name` makes of the `wamid`. `event` is None where there is nothing to answer
    (a reaction).
    """

    id: str
    who: Who
    event: Event | None
    wamid: str


class Renamed(msgspec.Struct, frozen=True):
    """A person whom Meta names otherwise from now on, because they have another number: the same chat goes on."""

    id: str
    before: Who
    now: Who


class Status(msgspec.Struct, frozen=True):
    """What became of a message of ours. `data` is what we sent along with it, `code` the error of one that failed, else 0."""

    status: str
    data: str = ""
    code: int = 0


Item = FromPerson | Renamed | Status


class Batch(msgspec.Struct, frozen=True):
    """The items of one delivery in their order; of `unread` things nothing can be made. Other numbers' items are left out."""

    items: tuple[Item, ...] = ()
    unread: int = 0


# ------------------------------------------------------------------------------------------------------------- the layers


class _Delivery(msgspec.Struct):
    entry: list[msgspec.Raw] = []


class _Entry(msgspec.Struct):
    changes: list[msgspec.Raw] = []


class _Metadata(msgspec.Struct):
    phone_number_id: str = ""


class _Value(msgspec.Struct):
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)
    contacts: list[msgspec.Raw] = []
    messages: list[msgspec.Raw] = []
    statuses: list[msgspec.Raw] = []


class _Change(msgspec.Struct):
    field: str = ""
    value: _Value = msgspec.field(default_factory=_Value)


class _Contact(msgspec.Struct):
    wa_id: str = ""
    user_id: str = ""


class _Message(msgspec.Struct):
    """What all messages have; what kind it is stands under the name that `type` gives."""

    id: str
    type: str = ""
    sender: str = msgspec.field(name="from", default="")
    from_user_id: str = ""
    group_id: str = ""
    context: msgspec.Raw = msgspec.Raw(b"null")


class _Context(msgspec.Struct):
    id: str = ""


class _Error(msgspec.Struct):
    code: int = 0


class _Status(msgspec.Struct):
    id: str
    status: str = ""
    biz_opaque_callback_data: str = ""
    errors: list[_Error] = []


# ------------------------------------------------------------------------------------------------ what a message may hold


class _Text(msgspec.Struct):
    body: str


class _Reply(msgspec.Struct):
    id: str
    title: str = ""


class _Interactive(msgspec.Struct):
    button_reply: _Reply | None = None
    list_reply: _Reply | None = None


class _Button(msgspec.Struct):
    payload: str = ""
    text: str = ""


class _Phone(msgspec.Struct):
    phone: str = ""
    wa_id: str = ""


class _Card(msgspec.Struct):
    phones: list[_Phone] = []
    origin: str = ""


class _EditedMessage(msgspec.Struct):
    text: _Text | None = None


class _Edit(msgspec.Struct):
    original_message_id: str
    message: _EditedMessage


class _System(msgspec.Struct):
    type: str = ""
    wa_id: str = ""
    user_id: str = ""
    previous_user_id: str = ""


T = TypeVar("T")

_USER: Final = re.compile(r"[A-Z]{2}\.[A-Za-z0-9.]{1,134}")
_NUMBER: Final = re.compile(r"\+?([0-9]{5,20})")
_COMMAND: Final = re.compile(r"/([A-Za-z0-9_]{1,32})(?:\s+(.*))?", re.DOTALL)
# A link opens the chat with something written down already: the token of a form that it takes along, or the code of a campaign. Somebody
# may write something before it.
_TOKEN: Final = re.compile(rf"{re.escape(PREFIX)}[A-Za-z0-9_-]{{43}}")
_MEDIA: Final[dict[str, MediaKind]] = {
    "image": "photo",
    "audio": "voice",
    "voice": "voice",
    "video": "video",
    "sticker": "sticker",
    "location": "location",
    "document": "document",
}
# The person's own marks on messages, and notes of WhatsApp itself: nothing that was said to us. What is unknown counts as said.
_NOTHING_SAID: Final = frozenset({"reaction", "revoke", "system"})
_CHANGED: Final = frozenset({"user_changed_number", "user_changed_user_id", "customer_changed_number"})


def read_webhook(body: bytes, phone_id: str, name: Callable[[str], str] = str) -> Batch:
    """What a delivery says to the number of this id; never raises. `name`: what a wamid is called outside of this channel."""
    items: list[Item] = []
    unread = 0
    delivery = _read(body, _Delivery)
    if delivery is None:
        return Batch(unread=1)
    for entry in (_read(raw, _Entry) for raw in delivery.entry):
        if entry is None:
            unread += 1
            continue
        for change in (_read(raw, _Change) for raw in entry.changes):
            if change is None:
                unread += 1
            elif change.field == "messages" and change.value.metadata.phone_number_id == phone_id:
                for item in _items(change.value, name):
                    if item is None:
                        unread += 1
                    else:
                        items.append(item)
    return Batch(tuple(items), unread)


def _items(value: _Value, name: Callable[[str], str]) -> Iterator[Item | None]:
    contacts = [contact for contact in (_read(raw, _Contact) for raw in value.contacts) if contact is not None]
    for raw in value.messages:
        message = _read(raw, _Message)
        if message is None or not message.id:
            yield None
        elif not message.group_id:
            yield _item(message, raw, contacts, name)
    for raw in value.statuses:
        status = _read(raw, _Status)
        if status is None or not status.id:
            yield None
        else:
            yield Status(status.status, status.biz_opaque_callback_data, status.errors[0].code if status.errors else 0)


def _item(message: _Message, raw: msgspec.Raw, contacts: Sequence[_Contact], name: Callable[[str], str]) -> Item | None:
    who = _who(message, contacts)
    if message.type == "system":
        system = _content(raw, "system", _System) or _System()
        if system.type in _CHANGED:
            before = Who(_user(system.previous_user_id) or who.user, who.number)
            now = Who(_user(system.user_id), _number(system.wa_id))
            return Renamed(name(message.id), before, now) if any_name(before) and any_name(now) else None
    if not any_name(who):
        return None
    return FromPerson(name(message.id), who, _said(message, raw, who, name), message.id)


def any_name(who: Who) -> bool:
    return bool(who.user or who.number)


def _who(message: _Message, contacts: Sequence[_Contact]) -> Who:
    """The message's own word first; an older form of the webhook names the BSUID in the sender's contact alone."""
    known = [each for each in contacts if each.wa_id == message.sender] or (contacts if len(contacts) == 1 else ())
    contact = known[0] if known else _Contact()
    return Who(_user(message.from_user_id) or _user(contact.user_id), _number(message.sender) or _number(contact.wa_id))


def _user(written: str) -> str:
    return written if _USER.fullmatch(written) else ""


def _number(written: str) -> str:
    found = _NUMBER.fullmatch(written)
    return found[1] if found else ""


def _said(message: _Message, raw: msgspec.Raw, who: Who, name: Callable[[str], str]) -> Event | None:
    """What cannot be read of a person's message is a message nevertheless: nobody shall meet silence."""
    id_ = name(message.id)
    context = _read(message.context, _Context)
    answers = name(context.id) if context and context.id else ""
    event: Event | None = None
    match message.type:
        case kind if kind in _NOTHING_SAID:
            return None
        case "text":
            if text := _content(raw, "text", _Text):
                event = written(text.body, id_, answers)
        case "interactive":
            if interactive := _content(raw, "interactive", _Interactive):
                reply = interactive.button_reply or interactive.list_reply
                if reply and reply.id == SHARES:
                    # Where Meta hides the number, the press says no more than its words.
                    event = ContactShared(who.number, own=True, message=id_) if who.number else TextSent(reply.title, id_)
                elif reply:
                    event = _pressed(reply.id)
        case "button":
            if button := _content(raw, "button", _Button):
                event = _pressed(button.payload) if button.payload.startswith(OURS) else written(button.text, id_, answers)
        case "contacts":
            if cards := _content(raw, "contacts", list[_Card]):
                event = _shared(cards, who, id_)
        case "edit":
            edit = _content(raw, "edit", _Edit)
            if not edit or edit.message.text is None:
                return None
            return MessageEdited(name(edit.original_message_id), edit.message.text.body)
        case "request_welcome":
            return Started()
        case kind if kind in _MEDIA:
            return MediaSent(_MEDIA[kind], id_, answers)
        case _:
            pass
    return event or MediaSent("other", id_, answers)


def written(text: str, message: str, answers: str = "") -> Event:
    """What a text comes to: a command, a link that was opened, or the text itself."""
    if text.startswith("/") and (command := _COMMAND.fullmatch(text.rstrip())):
        name, argument = command[1].lower(), command[2] or ""
        return Started(argument) if name == "start" else CommandSent(name, argument)
    last = text.split()[-1:]
    if last and (_TOKEN.fullmatch(last[0]) or campaign(last[0])):
        return Started(last[0])
    return TextSent(text, message, answers)


def _pressed(id_: str) -> ButtonPressed:
    """An id that is not ours (of an older version, of a template) is a press on a screen that is gone: stale.

    It bears no message: nothing can be changed there in one that has been sent.
    """
    token, colon, action = id_.removeprefix(OURS).partition(":")
    return ButtonPressed(token if colon else "", action)


def _shared(cards: Sequence[_Card], who: Who, message: str) -> Event | None:
    """The sender's own number if it is among what was sent. Where Meta hides the sender's number, its own word for an answered request
    of ours says that the card is theirs.
    """
    phones = [phone for card in cards for phone in card.phones]
    if not phones:
        return MediaSent("contact", message)
    for phone in phones:
        if who.number and who.number in (phone.wa_id, re.sub(r"\D", "", phone.phone)):
            return ContactShared(who.number, own=True, message=message)
    own = not who.number and len(cards) == 1 and cards[0].origin == "contact_request"
    return ContactShared(phones[0].wa_id or phones[0].phone, own=own, message=message)


def _read(raw: bytes | msgspec.Raw, type_: type[T]) -> T | None:
    try:
        return msgspec.json.decode(raw, type=type_)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _content(raw: msgspec.Raw, name: str, type_: Any) -> Any:
    """What stands in a message under this name; None where it is not there or is something else."""
    fields = _read(raw, dict[str, msgspec.Raw])
    return _read(fields[name], type_) if fields and name in fields else None
