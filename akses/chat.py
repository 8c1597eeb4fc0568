"""The terminal chat: a client of the web chat's HTTP API, for people at a terminal and for programs.

Lives here: the session file, sending, reading the stream, drawing bubbles as text, and the lines of JSON. Must not live here: anything of
the dialog, or a way around the API (`bot/channels/web/api.py`). The words are the web chat's (`bot/channels/web/words/`, [terminal]).

With `--json` each item of the transcript is one line on stdout, from the beginning of the conversation and once for each change, and each
line on stdin is {"text": "..."}, {"press": "<action id>"} (of the newest screen) or {"wait": "<step>", "seconds"?: 60}; what the server
refuses comes as a line {"error": "..."}. Without a terminal and without --json, lines of text go in and bubbles come out. Both end at the
end of the input, after what was sent was answered.

The world of the embedded product can be simulated (`akses/simulator.py`): by /time, /backend and /repro, or in JSON {"time": "+15m"},
{"backend": "down"}, {"repro": true}, each answered by a line of the same name. docs/testing.md shows how.

Exit codes: 0 ended; 1 the server cannot be reached, or stopped answering; 2 a line of JSON was not understood; 3 a wait was in vain.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager, suppress
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Literal, get_args

import httpx2
import msgspec

from bot.channels.web.items import Button, mask
from bot.channels.web.words import WORDS, language_of
from dialogs.clock import WIB
from dialogs.events import RefusalCode
from dialogs.screens import Hint

OK, UNREACHABLE, NOT_UNDERSTOOD, WAITED = 0, 1, 2, 3

_PATIENCE_SECONDS: Final = 60.0
_HEARTBEATS_SECONDS: Final = 40.0
_LONGEST_PAUSE: Final = 5.0
_STDIN: Final = 0


class Bubble(msgspec.Struct, frozen=True):
    """What the terminal needs of an item (`bot/channels/web/items.py`)."""

    cursor: int
    seq: int
    id: str
    author: str = msgspec.field(name="from")
    text: str
    notice: str = ""
    token: str = ""
    step: str = ""
    actions: tuple[Button, ...] = ()
    hint: Hint | None = None
    progress: tuple[int, int] | None = None
    typed: bool = False
    name: str = ""


class Page(msgspec.Struct, frozen=True):
    items: list[msgspec.Raw]


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of JSON input: exactly one of all but `seconds`."""

    text: str | None = None
    press: str | None = None
    wait: str | None = None
    time: str | None = None
    backend: str | None = None
    repro: bool = False
    seconds: float = _PATIENCE_SECONDS


class Saved(msgspec.Struct, frozen=True):
    """The session file. A cookie is sent to the address that gave it, and to no other."""

    url: str
    cookie: str


class EndedError(Exception):
    """The chat ends with this exit code; the text is for the person."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class NotSimulatedError(Exception):
    """What was asked of the simulator cannot be; the text is for the person."""


Taken = Callable[[Bubble, bytes], None]


class ChatClient:
    """One conversation over HTTP. Every item is handed to `taken` once, in the order in which the server put it down or changed it."""

    def __init__(
        self, url: str, session_file: Path, language: str | None, taken: Taken, trying: Callable[[], None], key: str = ""
    ) -> None:
        self.words = WORDS[language_of(language)]
        self._url = url.rstrip("/")
        self._file = session_file
        self._language = language
        self._taken = taken
        self._trying = trying
        self._http = httpx2.AsyncClient(base_url=self._url, params={"lang": language_of(language)}, timeout=30)
        self._key = key
        self._cursor = 0
        self._news = asyncio.Event()
        self.screen: Bubble | None = None

    async def close(self) -> None:
        await self._http.aclose()

    def word(self, id_: str, **facts: object) -> str:
        template: str = self.words["terminal"][id_]
        return template.format_map(facts)

    async def open(self, *, new: bool) -> None:
        """Go on with the session of the file, or begin one, and take what has been said so far."""
        cookie = "" if new else self._saved_cookie()
        body = {"client": "terminal", **({"language": self._language} if self._language else {})}
        headers = {"Cookie": cookie} if cookie else {}
        try:
            response = await self._http.post("/chat/api/session", json=body, headers=headers)
        except (httpx2.TransportError, httpx2.InvalidURL) as fault:
            raise EndedError(UNREACHABLE, self.word("unreachable", url=self._url)) from fault
        if response.status_code != HTTPStatus.OK or "set-cookie" not in response.headers:
            raise EndedError(UNREACHABLE, self._why(response) or self.word("unreachable", url=self._url))
        cookie = response.headers["set-cookie"].partition(";")[0]
        self._save(cookie)
        # By hand: the jar would keep a Secure cookie from a server that is reached on this machine without TLS.
        self._http.cookies.clear()
        self._http.headers["Cookie"] = cookie
        self._take_page(await self._asking(lambda: self._http.get("/chat/api/items", params={"since": self._cursor})))

    def _saved_cookie(self) -> str:
        with suppress(OSError, msgspec.DecodeError):
            saved = msgspec.json.decode(self._file.read_bytes(), type=Saved)
            if saved.url == self._url:
                return saved.cookie
        return ""

    def _save(self, cookie: str) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(msgspec.json.encode(Saved(self._url, cookie)))
        fresh.replace(self._file)

    @staticmethod
    def _why(response: httpx2.Response) -> str:
        with suppress(ValueError, KeyError, TypeError):
            return str(response.json()["error"]["message"])
        return ""

    async def say(self, text: str) -> None:
        await self._send({"kind": "text", "text": text})

    async def press(self, action: Button) -> None:
        assert self.screen is not None
        pressed = {"token": self.screen.token, "action": action.id, "message": self.screen.id, "label": action.label[:128]}
        await self._send({"kind": "press", **pressed})

    async def _send(self, message: dict[str, Any]) -> None:
        """Send until the server has it, under one id, so that it is carried out once; a refusal is shown, not raised."""
        body = {**message, "id": secrets.token_hex(16), "since": self._cursor}
        self._take_page(await self._asking(lambda: self._http.post("/chat/api/messages", json=body)))

    async def _asking(self, ask: Callable[[], Any]) -> httpx2.Response:
        loop = asyncio.get_running_loop()
        until, pause = loop.time() + _PATIENCE_SECONDS, 0.25
        while True:
            response: httpx2.Response | None = None
            with suppress(httpx2.TransportError):
                response = await ask()
            if response is not None and response.status_code == HTTPStatus.UNAUTHORIZED:
                raise EndedError(UNREACHABLE, self.word("refused_session"))
            if response is not None and response.status_code < 500 and response.status_code != HTTPStatus.TOO_MANY_REQUESTS:
                return response
            asked = float(response.headers.get("Retry-After", 0)) if response is not None else 0.0
            wait = max(pause, asked)
            if loop.time() + wait > until:
                raise EndedError(UNREACHABLE, (response is not None and self._why(response)) or self.word("gave_up"))
            self._trying()
            await asyncio.sleep(wait)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _take_page(self, response: httpx2.Response) -> None:
        if response.is_success:
            self._take(msgspec.json.decode(response.content, type=Page).items)
        else:
            error = Bubble(cursor=self._cursor, seq=0, id="", author="error", text=self._why(response))
            self._taken(error, msgspec.json.encode({"error": error.text}))

    def _take(self, items: list[msgspec.Raw]) -> None:
        for raw in items:
            bubble = msgspec.json.decode(raw, type=Bubble)
            if bubble.cursor <= self._cursor:
                continue
            self._cursor = bubble.cursor
            if bubble.token and (self.screen is None or bubble.seq >= self.screen.seq):
                self.screen = bubble
            self._taken(bubble, bytes(raw))
        self._news.set()

    async def follow(self) -> None:
        """Take what comes by itself, for ever; a lost stream is taken up where it broke."""
        timeout = httpx2.Timeout(10, read=_HEARTBEATS_SECONDS)
        while True:
            with suppress(httpx2.TransportError):
                async with self._http.stream(
                    "GET", "/chat/api/events", params={"since": self._cursor}, timeout=timeout
                ) as stream:
                    if stream.status_code == HTTPStatus.OK:
                        async for event in httpx2.EventSource(stream):
                            if event.event == "message" and event.data:
                                self._take([msgspec.Raw(event.data.encode())])
            await asyncio.sleep(1)

    async def simulate(
        self, what: Literal["time", "backend", "repro"], wanted: Mapping[str, object] | None = None
    ) -> dict[str, Any]:
        """Have the product's world changed, or the conversation retold. Raises NotSimulatedError."""
        if not self._key:
            raise NotSimulatedError(self.word("no_simulator"))
        headers = {"Authorization": f"Bearer {self._key}"}
        try:
            if wanted is None:
                response = await self._http.get(f"/simulator/{what}", headers=headers)
            else:
                response = await self._http.post(f"/simulator/{what}", json=wanted, headers=headers)
        except httpx2.TransportError:
            raise NotSimulatedError(self.word("unreachable", url=self._url)) from None
        if not response.is_success:
            raise NotSimulatedError(self.word("no_simulator" if response.status_code in (401, 404) else "not_simulated"))
        try:
            told: dict[str, Any] = response.json()
        except ValueError:
            raise NotSimulatedError(self.word("no_simulator")) from None
        return told

    async def reach(self, step: str, seconds: float) -> None:
        """Wait until the newest screen is this step's."""
        try:
            async with asyncio.timeout(seconds):
                while self.screen is None or self.screen.step != step:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise EndedError(WAITED, self.word("waited", step=step, seconds=f"{seconds:g}")) from None


def printable(text: str) -> str:
    """Without what a terminal would obey: escape sequences, direction marks."""
    return "".join(
        character if character.isprintable() or character == "\n" else "\N{REPLACEMENT CHARACTER}" for character in text
    )


def own(text: str) -> str:
    """What the person wrote, as it may stand on a screen: a number or an address only masked."""
    hidden = mask(text)
    return text if set(hidden) == {"•"} else hidden


def drawn(bubble: Bubble, client: ChatClient) -> str:
    """A bubble as text, with its buttons numbered."""
    if bubble.author == "user":
        return printable(f"\n{client.word('you')}: {own(bubble.text)}")
    lines = ["", f"{bubble.name}:"] if bubble.name else [""]
    if bubble.progress:
        lines.append("[{}/{}]".format(*bubble.progress))
    lines += filter(None, (bubble.notice, bubble.notice and "-", bubble.text))
    for number, action in enumerate(options(bubble), start=1):
        lines.append(client.word("option", number=number, label=action.label))
    lines += [client.word("address", label=action.label, url=action.url) for action in bubble.actions if action.url]
    return printable("\n".join(lines))


def options(screen: Bubble | None) -> list[Button]:
    return [action for action in screen.actions if not action.url] if screen else []


async def stdin_lines() -> AsyncIterator[bytes]:
    """Lines of the input as they come. A thread reads the descriptor itself: it may hang there when the program ends, and holds no lock."""
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[bytes]()

    def read() -> None:
        with suppress(RuntimeError, OSError):  # the loop is closed: nobody listens any more
            while chunk := os.read(_STDIN, 65536):
                loop.call_soon_threadsafe(queue.put_nowait, chunk)
            loop.call_soon_threadsafe(queue.put_nowait, b"")

    threading.Thread(target=read, daemon=True, name="stdin").start()
    rest = b""
    while chunk := await queue.get():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line
    if rest:
        yield rest


@contextmanager
def unechoed() -> Iterator[None]:
    """Between two prompts, too, what is typed is kept for the next one and not drawn: it may be a NIK. Ctrl-C works all the time."""
    import termios
    import tty

    kept = termios.tcgetattr(_STDIN)
    tty.setcbreak(_STDIN, termios.TCSANOW)
    try:
        yield
    finally:
        termios.tcsetattr(_STDIN, termios.TCSANOW, kept)


async def typed_lines(client: ChatClient) -> AsyncIterator[str]:
    """Lines typed at a terminal; what comes meanwhile is written above the line being typed."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.patch_stdout import patch_stdout

    prompt: PromptSession[str] = PromptSession("> ", erase_when_done=True)
    with unechoed(), patch_stdout():
        while True:
            try:
                line = await prompt.prompt_async()
            except (EOFError, KeyboardInterrupt):
                return
            if line.strip():
                write(printable(f"\n{client.word('you')}: {own(line)}"))
                yield line


def write(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds_of(written: str) -> int | None:
    """+15m, 2d, 1h30m: the seconds; None for what is no time."""
    found = re.fullmatch(r"\+?((?:\d{1,6}[smhd])+)", written)
    return sum(int(count) * _UNITS[unit] for count, unit in re.findall(r"(\d+)([smhd])", found[1])) if found else None


def failure_of(written: str) -> dict[str, object] | None:
    """down, slow, slow 5, reject limit, reject limit 120, ok: what the simulator is sent; None for anything else."""
    match written.split():
        case ["ok" | "down" | "slow" as mode]:
            return {"mode": mode}
        case ["slow", seconds] if seconds.isdecimal():
            return {"mode": "slow", "seconds": int(seconds)}
        case ["reject"]:
            return {"mode": "reject"}
        case ["reject", code, *seconds] if (
            code in get_args(RefusalCode) and all(map(str.isdecimal, seconds)) and len(seconds) < 2
        ):
            return {"mode": "reject", "code": code} | ({"seconds": int(seconds[0])} if seconds else {})
        case _:
            return None


async def simulated(client: ChatClient, what: str, wanted: str) -> dict[str, Any]:
    """One of time, backend and repro, as it was written. Raises NotSimulatedError."""
    if what == "repro":
        return {"repro": (await client.simulate("repro"))["transcript"]}
    if what == "time":
        seconds = seconds_of(wanted) if wanted else 0
        if seconds is None:
            raise NotSimulatedError(client.word("time_how"))
        return {"time": (await client.simulate("time", {"seconds": seconds}))["now"]}
    failure = failure_of(wanted or "ok")
    if failure is None:
        raise NotSimulatedError(client.word("backend_how"))
    return {"backend": (await client.simulate("backend", failure))["mode"]}


async def simulates(client: ChatClient, line: str) -> bool:
    """Whether this line is for the simulator; if so, it has been carried out and its answer written."""
    command, _, wanted = line.strip().partition(" ")
    if command == "/help":
        write(client.word("help"))
        return False  # the conversation has a help of its own, which follows
    if command not in ("/time", "/backend", "/repro"):
        return False
    try:
        told = await simulated(client, command[1:], wanted.strip())
    except NotSimulatedError as fault:
        write(str(fault))
    else:
        match told:
            case {"time": now}:
                write(client.word("time_is", now=datetime.fromisoformat(now).astimezone(WIB).strftime("%Y-%m-%d %H:%M:%S WIB")))
            case {"backend": mode}:
                write(client.word("backend_is", mode=mode))
            case {"repro": transcript}:
                write(transcript or client.word("no_repro"))
    return True


async def answer(client: ChatClient, line: str) -> None:
    """A number chooses a button of the newest screen; anything else is said."""
    if await simulates(client, line):
        return
    choices = options(client.screen)
    picked = line.strip()
    if picked.isascii() and picked.isdecimal() and len(picked) <= 2 and 1 <= int(picked) <= len(choices):
        await client.press(choices[int(picked) - 1])
    elif picked:
        await client.say(line)


async def obey(client: ChatClient, number: int, written: bytes) -> None:
    """One line of JSON."""
    try:
        line = msgspec.json.decode(written, type=Line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise EndedError(NOT_UNDERSTOOD, client.word("not_understood", number=number)) from None
    match line:
        case _ if (
            sum(
                1
                for each in (line.text, line.press, line.wait, line.time, line.backend, line.repro or None)
                if each is not None
            )
            != 1
        ):
            raise EndedError(NOT_UNDERSTOOD, client.word("not_understood", number=number))
        case Line(text=str(text)):
            await client.say(text)
        case Line(press=str(press)):
            action = next((each for each in options(client.screen) if each.id == press), None)
            if action is None:
                raise EndedError(NOT_UNDERSTOOD, client.word("no_such_button", action=press))
            await client.press(action)
        case Line(wait=str(step)):
            await client.reach(step, line.seconds)
        case _:
            what = "time" if line.time is not None else "backend" if line.backend is not None else "repro"
            try:
                told = await simulated(client, what, line.time or line.backend or "")
            except NotSimulatedError as fault:
                raise EndedError(NOT_UNDERSTOOD, str(fault)) from None
            write(msgspec.json.encode(told).decode())


async def chat(base_url: str, *, session_file: Path, json_lines: bool, new: bool, language: str | None, key: str = "") -> int:
    """Talk until the input ends; `key` opens the simulator. Returns the exit code (see the top of this file)."""
    interactive = not json_lines and sys.stdin.isatty()
    at_start = True
    shown = 0

    def taken(bubble: Bubble, raw: bytes) -> None:
        nonlocal shown
        if json_lines:
            write(raw.decode())
            return
        # A change of an earlier bubble cannot be drawn over it; what was just typed stands there already.
        changed, known = 0 < bubble.seq <= shown, bubble.author == "user" and not at_start
        shown = max(shown, bubble.seq)
        if not changed and not known:
            write(drawn(bubble, client))

    def trying() -> None:
        if interactive:
            write(client.word("trying"))

    client = ChatClient(base_url, session_file, language, taken, trying, key)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(client.close)
        try:
            if interactive:
                write(client.word("how"))
            await client.open(new=new)
            at_start = False
            following = asyncio.create_task(client.follow())
            stack.callback(following.cancel)
            if json_lines:
                number = 0
                async for written in stdin_lines():
                    number += 1
                    if written.strip():
                        await obey(client, number, written)
            elif interactive:
                async for line in typed_lines(client):
                    await answer(client, line)
            else:
                async for written in stdin_lines():
                    await answer(client, written.decode(errors="replace"))
        except EndedError as end:
            sys.stderr.write(f"{end}\n")
            return end.code
        return OK
