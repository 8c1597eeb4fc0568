"""People who use the product from outside, over HTTP: at the web chat as its page does, and at the pages as a browser without JavaScript.

Lives here: what somebody does and sees. Must not live here: starting the product (`tests/product.py`), Telegram's people
(`tests/fakes/telegram_people.py`), or what a test expects.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import httpx2

from tests.product import PATIENCE

PASSWORD = "Kunang-kunang 7 terbang"


@dataclass(frozen=True)
class Details:
    """What somebody answers; none of it is an example that the questions give."""

    name: str = "Ratna Kusuma Dewi"
    nik: str = "3174096708920003"
    phone: str = "0813-9876-5432"
    email: str = "ratna.dewi@example.org"

    @property
    def steps(self) -> tuple[tuple[str, str], ...]:
        """The whole chat after its greeting: (is a button pressed or something said, what)."""
        return (
            ("press", "Setuju"),
            ("press", "Individu Lokal"),
            ("say", self.name),
            ("say", self.nik),
            ("say", self.phone),
            ("say", self.email),
            ("press", "Aktivasi"),
        )


def somebody(number: int) -> Details:
    """An invented person of their own for each number under 10."""
    return Details(
        f"Orang {'ABCDEFGHIJ'[number]}", f"31712345019{number + 1:05}", f"0812-3456-7{number:03}", f"orang{number}@example.com"
    )


@dataclass
class WebPerson:
    """Somebody at the web chat. Like the page, it keeps the session's cookie and sends a message again, under the id it had."""

    url: str
    details: Details = field(default_factory=Details)
    cookie: str = ""
    cursor: int = 0
    bubbles: dict[int, dict[str, Any]] = field(default_factory=dict)

    def client(self, **options: Any) -> httpx2.Client:
        return httpx2.Client(base_url=self.url, trust_env=False, timeout=PATIENCE, headers={"Cookie": self.cookie}, **options)

    def opens(self) -> None:
        """Open the chat, or come back to it."""
        with self.client() as client:
            answer = client.post("/chat/api/session", json={"client": "web", "language": "id"}).raise_for_status()
        self.cookie = answer.headers["set-cookie"].partition(";")[0]
        self.looks()

    def composes(self, kind: str, what: str) -> dict[str, Any]:
        """A message that is not sent yet: ("say", words) or ("press", label)."""
        id_ = secrets.token_hex(16)
        if kind == "say":
            return {"kind": "text", "id": id_, "text": what}
        action = next((each for each in self.screen["actions"] if each["label"] == what), None)
        assert action is not None, f"there is no button {what!r} on {self.screen}"
        pressed = {"token": self.screen["token"], "action": action["id"], "message": self.screen["id"], "label": what}
        return {"kind": "press", "id": id_, **pressed}

    def sends(self, message: dict[str, Any]) -> None:
        with self.client() as client:
            answer = client.post("/chat/api/messages", json={**message, "since": self.cursor})
        assert answer.status_code == 202, answer.text
        self._take(answer.json()["items"])

    def does(self, kind: str, what: str) -> None:
        self.sends(self.composes(kind, what))

    def registers(self) -> None:
        """From the open chat to the pressed Aktivasi."""
        for kind, what in self.details.steps:
            self.does(kind, what)

    def looks(self, wait: int = 0) -> None:
        """Read on, waiting so many seconds for news."""
        with self.client() as client:
            answer = client.get("/chat/api/items", params={"since": self.cursor, "wait": wait})
        self._take(answer.raise_for_status().json()["items"])

    def sees(self, step: str) -> dict[str, Any]:
        """Wait until the newest screen is this step's."""
        self._until(lambda: self.screen["step"] == step, f"the step {step!r}")
        return self.screen

    def hears(self, words: str) -> None:
        """Wait until somebody says this."""
        self._until(lambda: any(words in line for line in self.read), repr(words))

    @property
    def screen(self) -> dict[str, Any]:
        return next(each for _, each in sorted(self.bubbles.items(), reverse=True) if each.get("token"))

    @property
    def read(self) -> list[str]:
        """The whole chat from top to bottom as it stands now: who, and what."""
        return [
            f"{each['from']}: {' | '.join(filter(None, (each.get('notice'), each['text'])))}"
            for _, each in sorted(self.bubbles.items())
        ]

    def _take(self, items: list[dict[str, Any]]) -> None:
        for item in items:
            self.cursor = max(self.cursor, item["cursor"])
            self.bubbles[item["seq"]] = item

    def _until(self, happened: Callable[[], bool], what: str) -> None:
        until = time.monotonic() + PATIENCE
        while not happened():
            assert time.monotonic() < until, f"{what} did not come; the chat:\n" + "\n".join(self.read)
            self.looks(wait=5)


class _Forms(HTMLParser):
    """The forms of a page with what their fields hold."""

    def __init__(self) -> None:
        super().__init__()
        self.actions: dict[str, dict[str, str]] = {}
        self._fields: dict[str, str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._fields = self.actions.setdefault(given["action"], {})
        elif tag == "input" and self._fields is not None and "name" in given:
            self._fields[given["name"]] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._fields = None


def form_of(page: httpx2.Response, action: str) -> dict[str, str]:
    """The fields of the form that is sent to this path; a tick-box counts as ticked."""
    forms = _Forms()
    forms.feed(page.text)
    assert action in forms.actions, f"no form is sent to {action}; there are {sorted(forms.actions)}"
    return forms.actions[action]


def link_in(mail: dict[str, Any]) -> str:
    """The path of the one activation link of a mail."""
    (link,) = {each for each in mail["links"] if "/aktivasi/" in each}
    return str(httpx2.URL(link).path)


def pages(url: str) -> httpx2.Client:
    """A browser without JavaScript: cookies, the person's language, and no redirect unseen."""
    return httpx2.Client(base_url=url, trust_env=False, timeout=PATIENCE, headers={"Accept-Language": "id"})


def activates(browser: httpx2.Client, link: str, password: str = PASSWORD) -> httpx2.Response:
    """Open the link, fill in its form and send it."""
    form = form_of(browser.get(link).raise_for_status(), link)
    return browser.post(link, data={**form, "password": password, "again": password})


def logs_in(browser: httpx2.Client, email: str, password: str = PASSWORD) -> httpx2.Response:
    """The account page, reached by the log-in form."""
    form = form_of(browser.get("/masuk").raise_for_status(), "/masuk")
    answer = browser.post("/masuk", data={**form, "email": email, "password": password})
    assert answer.headers.get("location") == "/akun", answer.text
    return browser.get("/akun").raise_for_status()
