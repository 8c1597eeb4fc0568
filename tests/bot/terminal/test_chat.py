"""`akses chat` as a person and as a program use it: a process of its own, a real server."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import stat
import sys
import termios
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from dialogs.events import CommandSent, TextSent
from tests.bot.web.web_site import NIK, Opening, Site, free_port

MAIN = (
    "import asyncio, sys; from pathlib import Path; from akses.chat import chat; a = sys.argv; "
    "sys.exit(asyncio.run(chat(a[1], session_file=Path(a[2]), json_lines='--json' in a, new='--new' in a, language='id')))"
)


SECONDS = 30


class Terminal:
    """The running process, line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def write(self, *lines: object) -> None:
        assert self.process.stdin is not None
        for line in lines:
            self.process.stdin.write((line if isinstance(line, str) else json.dumps(line)).encode() + b"\n")
        await self.process.stdin.drain()

    async def item(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        async with asyncio.timeout(SECONDS):
            line: dict[str, Any] = json.loads(await self.process.stdout.readline())
        return line

    async def end(self, *lines: object) -> tuple[int, str, str]:
        """Write these, end the input, and give the exit code and what came out."""
        await self.write(*lines)
        assert self.process.stdin is not None
        self.process.stdin.close()
        async with asyncio.timeout(SECONDS):
            out, err = await self.process.communicate()
        return self.process.returncode or 0, out.decode(), err.decode()


Starting = Callable[..., Any]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Starting]:
    processes: list[asyncio.subprocess.Process] = []

    async def starting(url: str, *options: str) -> Terminal:
        pipe = asyncio.subprocess.PIPE
        command = (sys.executable, "-c", MAIN, url, str(tmp_path / "deep" / "session"), *options)
        processes.append(await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe))
        return Terminal(processes[-1])

    yield starting
    for process in processes:
        if process.returncode is None:
            process.kill()
        await process.wait()


def lines(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


JOURNEY = (
    {"wait": "consent"},
    {"press": "agree"},
    {"text": "Budi Santoso"},
    {"text": "123"},
    {"text": NIK},
    {"text": "0812-3456-7890"},
    {"text": "budi@example.com"},
    {"wait": "done"},
)


async def test_a_program_goes_through_the_whole_form_and_ends_with_the_end_of_its_input(site: Site, start: Starting) -> None:
    code, out, err = await (await start(site.url, "--json")).end(*JOURNEY)
    assert (code, err) == (0, "")
    items = lines(out)
    assert [item["step"] for item in items if "step" in item] == ["consent", "name", "nik", "nik", "phone", "email", "done"]
    assert [item["text"] for item in items if item.get("masked")][:2] == ["••••••••", "3171********0001"]
    assert len({item["cursor"] for item in items}) == len(items)
    assert {conversation.channel for conversation, _, _ in site.turns.taken} == {"terminal"}


async def test_a_later_start_goes_on_with_the_same_conversation_and_replays_it(
    site: Site, start: Starting, tmp_path: Path
) -> None:
    await (await start(site.url, "--json")).end({"press": "agree"}, {"text": "Budi Santoso"})
    assert stat.S_IMODE((tmp_path / "deep" / "session").stat().st_mode) == 0o600
    code, out, _ = await (await start(site.url, "--json")).end({"text": NIK})
    assert code == 0
    assert [item["step"] for item in lines(out) if "step" in item] == ["consent", "name", "nik", "phone"]
    _, out, _ = await (await start(site.url, "--json", "--new")).end()
    assert [item["step"] for item in lines(out) if "step" in item] == ["consent"]


async def test_the_session_of_one_server_is_not_told_to_another(open_site: Opening, start: Starting) -> None:
    async with open_site() as first, open_site() as second:
        await (await start(first.url, "--json")).end({"press": "agree"})
        _, out, _ = await (await start(second.url, "--json")).end()
        assert [item["step"] for item in lines(out)] == ["consent"]


async def test_news_reaches_a_program_that_only_waits(site: Site, start: Starting) -> None:
    terminal = await start(site.url, "--json")
    assert (await terminal.item())["step"] == "consent"
    await site.news(site.turns.taken[0][0], "Selamat! Akun Anda sudah aktif")
    assert (await terminal.item())["text"] == "Selamat! Akun Anda sudah aktif"
    assert (await terminal.end())[0] == 0


async def test_a_message_sent_while_the_server_restarts_arrives_once(open_site: Opening, start: Starting) -> None:
    async with open_site() as before:
        terminal = await start(before.url, "--json")
        assert (await terminal.item())["step"] == "consent"
    await terminal.write({"press": "agree"}, {"text": "Budi Santoso"})
    async with open_site(turns=before.turns, transcript=before.transcript, port=int(before.url.rsplit(":", 1)[1])) as after:
        code, out, _ = await terminal.end({"wait": "nik"})
        assert code == 0
        assert [item["step"] for item in lines(out) if "step" in item] == ["name", "nik"]
        assert len([event for _, event, _ in after.turns.taken if isinstance(event, TextSent)]) == 1


async def test_while_the_store_is_down_it_tries_again_under_the_same_id(site: Site, start: Starting) -> None:
    terminal = await start(site.url, "--json")
    await terminal.item()
    site.turns.down = True
    await terminal.write({"text": "/status"})
    assert (await terminal.item())["text"] == "/status"
    site.turns.down = False
    await terminal.end()
    assert [event for _, event, _ in site.turns.taken[1:]] == [CommandSent("status")]


async def test_a_server_that_is_not_there_is_told_with_what_to_do(start: Starting) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    code, out, err = await (await start(url, "--json")).end()
    assert (code, out) == (1, "")
    assert url in err
    assert "./run" in err


@pytest.mark.parametrize(
    "line", ["halo", "{}", '{"text": 1}', '{"text": "a", "press": "b"}', '{"press": "no-such"}', '{"say": "a"}']
)
async def test_a_line_that_is_not_understood_ends_with_2_and_says_why(site: Site, start: Starting, line: str) -> None:
    code, _, err = await (await start(site.url, "--json")).end(line)
    assert code == 2
    assert err.strip()


async def test_a_wait_in_vain_ends_with_3_while_the_input_is_still_open(site: Site, start: Starting) -> None:
    terminal = await start(site.url, "--json")
    await terminal.write({"wait": "done", "seconds": 0.1})
    async with asyncio.timeout(SECONDS):
        assert await terminal.process.wait() == 3


async def test_what_the_server_refuses_comes_as_an_error_line_and_the_chat_goes_on(site: Site, start: Starting) -> None:
    code, out, _ = await (await start(site.url, "--json")).end({"text": "a" * 5000}, {"press": "agree"})
    assert code == 0
    assert "4096" in next(line["error"] for line in lines(out) if "error" in line)
    assert [line["step"] for line in lines(out) if "step" in line] == ["consent", "name"]


async def test_without_json_bubbles_are_text_with_numbered_buttons_and_a_number_presses(site: Site, start: Starting) -> None:
    code, out, _ = await (await start(site.url)).end("1", "Budi Santoso", NIK)
    assert code == 0
    for expected in (
        "1) Setuju",
        "Baca kebijakan: /privasi",
        "[2/4]",
        "Berapa nomor handphone Anda?",
        "1) Kembali",
        "2) Batal",
    ):
        assert expected in out
    assert NIK not in out


async def test_nothing_that_a_terminal_obeys_is_written_to_it(site: Site, start: Starting) -> None:
    terminal = await start(site.url)
    assert terminal.process.stdout is not None
    await terminal.process.stdout.readuntil(b"Setuju")
    await site.news(site.turns.taken[0][0], "\x1b[2J\u202e Halo")
    await terminal.process.stdout.readuntil(b" Halo")
    _, out, _ = await (await start(site.url)).end()
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "Halo" in out


class RealTerminal:
    """A person at a terminal: what is typed, and every byte that was ever drawn."""

    def __init__(self, near: int, far: int, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.seen = b""
        self._near, self._far = near, far
        self._got = asyncio.Event()
        asyncio.get_running_loop().add_reader(near, self._read)

    def _read(self) -> None:
        self.seen += os.read(self._near, 65536)
        self._got.set()

    def types(self, keys: str) -> None:
        os.write(self._near, keys.encode())

    async def sees(self, words: str, times: int = 1) -> None:
        while self.seen.count(words.encode()) < times:
            self._got.clear()
            await self._got.wait()

    async def ready(self) -> None:
        """The first prompt is up."""
        await self.sees(BRACKETED_PASTE)

    async def types_ahead(self, keys: str) -> None:
        """Type what nobody reads yet, until the terminal has taken all of it, and has drawn what it draws by itself."""
        self.types(keys)
        while waiting(self._far) < len(keys) or waiting(self._near):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def waiting(descriptor: int) -> int:
    """Bytes that can be read from it."""
    return int.from_bytes(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)), sys.byteorder)


BRACKETED_PASTE = "\x1b[?2004h"  # what a prompt asks of the terminal first (xterm's control sequences)


@asynccontextmanager
async def real_terminal(url: str, session: Path) -> AsyncIterator[RealTerminal]:
    """The chat at a terminal of 100 columns; what it drew is told when something did not come."""
    near, far = pty.openpty()
    termios.tcsetwinsize(far, (40, 100))
    environment = {**os.environ, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"}
    command = (sys.executable, "-c", MAIN, url, str(session))
    process = await asyncio.create_subprocess_exec(*command, stdin=far, stdout=far, stderr=far, env=environment)
    terminal = RealTerminal(near, far, process)
    try:
        async with asyncio.timeout(60):
            await terminal.ready()
            yield terminal
    except TimeoutError:
        pytest.fail(terminal.seen.decode(errors="replace"))
    finally:
        asyncio.get_running_loop().remove_reader(near)
        if process.returncode is None:
            process.kill()
            await process.wait()
        os.close(far)
        os.close(near)


async def test_at_a_real_terminal_news_arrive_while_typing_and_the_nik_is_not_left_on_the_screen(
    site: Site, tmp_path: Path
) -> None:
    async with real_terminal(site.url, tmp_path / "session") as person:
        await person.sees("Setuju")
        person.types("1\r")
        await person.sees("nama lengkap")
        person.types("Budi Santoso\r")
        await person.sees("Berapa NIK")
        person.types("3171")
        await site.news(site.turns.taken[0][0], "Kabar di tengah")
        await person.sees("Kabar di tengah")
        person.types(f"{NIK[4:]}\r")
        await person.sees("3171********0001")
        await person.sees("nomor handphone")
        person.types("\x04")
        assert await person.process.wait() == 0


async def awaits_an_answer(person: RealTerminal, site: Site) -> None:
    """The name was sent, and the server is silent."""
    person.types("1\r")
    await person.sees("nama lengkap")
    site.turns.open.clear()
    person.types("Budi Santoso\r")
    await person.sees("Anda: ", 2)


async def test_what_is_typed_while_an_answer_is_awaited_is_not_shown_and_not_lost(site: Site, tmp_path: Path) -> None:
    async with real_terminal(site.url, tmp_path / "session") as person:
        await awaits_an_answer(person, site)
        await person.types_ahead(f"{NIK}\r")
        assert NIK.encode() not in person.seen
        site.turns.open.set()
        await person.sees("3171********0001")
        await person.sees("nomor handphone")


async def test_the_end_that_is_typed_while_an_answer_is_awaited_ends_the_chat(site: Site, tmp_path: Path) -> None:
    async with real_terminal(site.url, tmp_path / "session") as person:
        await awaits_an_answer(person, site)
        await person.types_ahead("\x04")
        site.turns.open.set()
        assert await person.process.wait() == 0
