"""What agents read in Chatwoot: the note that tells a ticket, the lines of its talk, what became of it. Pure; everything is masked already.

Chatwoot shows Markdown: what people wrote goes as they wrote it, for an agent answers what they see.
"""

from __future__ import annotations

from dialogs.effects import Fate
from dialogs.texts import Language
from helpdesk.bridges.port import Closed, Entry, Owner, TicketView
from helpdesk.texts import happened, named, text


class Words:
    def __init__(self, language: Language) -> None:
        self.language = language

    def __call__(self, id_: str, /, **facts: str | int) -> str:
        """A text of `helpdesk/texts/<language>/chatwoot.toml`."""
        return text(self.language, f"chatwoot.{id_}", **facts)

    def of_any(self, id_: str, /, **facts: str | int) -> str:
        """What every bridge says alike."""
        return text(self.language, f"bridge.{id_}", **facts)

    # --- the ticket

    def nobody(self, number: int) -> str:
        """What the contact of this ticket is called while their name is not known."""
        return self("nobody", number=number)

    def opened(self, ticket: TicketView, *, again: bool) -> str:
        named_ = {
            prefix: named(self.language, prefix, getattr(ticket, prefix))
            for prefix in ("channel", "reason", "step", "language")
        }
        lines = [self("again")] if again else []
        lines.append(self("opened", number=ticket.number, name=ticket.name or self.nobody(ticket.number), **named_))
        lines += [
            self("field", field=text(self.language, f"field.{name}"), value=value) for name, value in self._fields(ticket)
        ]
        lines.append(self("how", address=ticket.address))
        return "\n".join(lines)

    def _fields(self, ticket: TicketView) -> list[tuple[str, str]]:
        words = {"asked": self("open_question"), "open": self("no_answer_yet")}
        return [(row.id, row.value or words.get(row.state, words["open"])) for row in ticket.fields]

    # --- its talk

    def entry(self, entry: Entry) -> str:
        match entry.author, entry.kind:
            case "person", "edit":
                return self("edit", text=entry.text)
            case "person", "password":
                return self("password")
            case "person", "media":
                return self("media", kind=named(self.language, "media", entry.detail))
            case "person", "press":
                return self("press", detail=entry.detail)
            case "person", "contact":
                return self("contact", text=entry.text)
            case "person", _:
                return entry.text or text(self.language, "talk.gone")
            case "agent", _:
                return self("agent", name=entry.agent_name, text=entry.text)
            case _:
                return happened(self.language, entry.kind, name=entry.agent_name, detail=entry.detail)

    def owner(self, owner: Owner) -> str:
        return happened(self.language, owner.what, name=owner.agent_name)

    def closed(self, closed: Closed) -> str:
        return happened(self.language, closed.what, name=closed.agent_name, detail=closed.label)

    def fate(self, fate: Fate) -> str:
        return text(self.language, f"fate.{fate}")

    # --- to those who did something there

    def stranger(self, name: str, *, confirmed: bool) -> str:
        return self("stranger" if confirmed else "unconfirmed", name=name)

    def is_ours(self, error: str) -> bool:
        """Whether a message was marked failed by us, because it was not said (`unsent`)."""
        return bool(error) and error.startswith(self("unsent", why="").rstrip())

    def owned(self, owner: str, name: str) -> str:
        return text(self.language, f"owned.{owner}", name=name)

    def unfit(self, code: str) -> str:
        return text(self.language, f"unfit.{code}")

    def over(self, newer: int) -> str:
        return self.of_any("over_newer", number=newer) if newer else self.of_any("over")
