"""Mail comes in by SMTP and is kept on disk."""

from __future__ import annotations

import asyncio
import stat
import sys
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import httpx2
import pytest

from akses.inbox.catcher import MAX_MAIL_BYTES, open_catcher
from akses.inbox.store import MailStore

MakeMail = Callable[..., EmailMessage]


async def test_a_mail_is_caught_with_all_that_the_journey_needs(inbox, web: httpx2.AsyncClient, mail: MakeMail) -> None:
    await inbox.send(mail())
    [caught] = (await web.get("/inbox/api/messages")).json()
    assert caught["from"] == "AKSes KSEI <akses@ksei.co.id>"
    assert caught["to"] == ["siti@example.com"]
    assert caught["subject"] == "Aktivasi akun AKSes Anda"
    assert caught["date"] == "2026-11-22T01:00:00Z"
    assert caught["message_id"] == "<act-1@akses.example>"
    assert caught["text"].startswith("Yth. Siti,\n")
    assert caught["links"] == ["http://127.0.0.1:1/aktivasi/akt_abc"]
    assert caught["id"]


async def test_the_newest_mail_is_first_and_one_address_can_be_asked_for(
    inbox, web: httpx2.AsyncClient, mail: MakeMail
) -> None:
    """By the envelope, because that is where the mail went; capitals make no difference."""
    for number, address in enumerate(("a@example.com", "b@example.com", "a@example.com")):
        await inbox.send(mail(subject=f"Surat {number}"), to=address)
    everything = (await web.get("/inbox/api/messages")).json()
    assert [caught["subject"] for caught in everything] == ["Surat 2", "Surat 1", "Surat 0"]
    wanted = (await web.get("/inbox/api/messages", params={"to": "A@Example.com"})).json()
    assert [caught["subject"] for caught in wanted] == ["Surat 2", "Surat 0"]
    assert (await web.get("/inbox/api/messages", params={"to": "a@example"})).json() == []


async def test_a_mail_cannot_name_its_own_envelope(inbox, web: httpx2.AsyncClient, mail: MakeMail) -> None:
    message = mail()
    message["X-Inbox-Recipients"] = '["direktur@example.com"]'
    await inbox.send(message, to="siti@example.com")
    [caught] = (await web.get("/inbox/api/messages")).json()
    assert caught["to"] == ["siti@example.com"]


async def test_mails_survive_a_restart_in_a_folder_that_only_the_owner_can_read(inbox, mail: MakeMail, tmp_path: Path) -> None:
    await inbox.send(mail())
    folder = tmp_path / "inbox"
    for part in (folder, folder / "new", folder / "cur", folder / "tmp"):
        assert stat.S_IMODE(part.stat().st_mode) == 0o700
    [before], [after] = inbox.store.mails(), MailStore(folder).mails()
    assert after == before


async def test_a_folder_left_half_made_is_completed(tmp_path: Path, mail: MakeMail) -> None:
    (tmp_path / "inbox" / "new").mkdir(parents=True, mode=0o755)
    store = MailStore(tmp_path / "inbox")
    store.keep(mail().as_bytes(), ["siti@example.com"])
    assert len(store.mails()) == 1
    assert stat.S_IMODE((tmp_path / "inbox").stat().st_mode) == 0o700


async def test_only_the_newest_are_kept(tmp_path: Path, mail: MakeMail) -> None:
    store = MailStore(tmp_path / "inbox", kept=5)
    for number in range(12):
        store.keep(mail(subject=f"Surat {number}").as_bytes(), ["siti@example.com"])
    assert [caught.subject for caught in store.mails()] == [f"Surat {number}" for number in (11, 10, 9, 8, 7)]
    assert len(list((tmp_path / "inbox" / "new").iterdir())) == 5


async def test_the_same_message_id_twice_is_two_mails_of_one_group(inbox, web: httpx2.AsyncClient, mail: MakeMail) -> None:
    await inbox.send(mail())
    await inbox.send(mail())
    await inbox.send(mail(message_id="<act-2@akses.example>", subject="Lain"))
    assert len((await web.get("/inbox/api/messages")).json()) == 3
    page = (await web.get("/inbox")).text
    assert page.count('class="mail"') == 2
    assert page.count("diterima 2x") == 1
    newest = next(caught for caught in inbox.store.mails() if caught.message_id == "<act-1@akses.example>")
    detail = (await web.get(f"/inbox/{newest.id}")).text
    assert "diterima 2 kali" in detail
    other = next(caught for caught in inbox.store.mails() if caught.message_id == newest.message_id and caught.id != newest.id)
    assert f'href="/inbox/{other.id}"' in detail


async def test_fifty_mails_at_once_are_all_kept(inbox, mail: MakeMail) -> None:
    await asyncio.gather(*(inbox.send(mail(message_id=f"<m-{n}@akses.example>")) for n in range(50)))
    assert len({caught.message_id for caught in inbox.store.mails()}) == 50


CHILD = """
import asyncio, sys
from pathlib import Path
from akses.inbox.catcher import open_catcher
from akses.inbox.store import MailStore
async def main():
    async with open_catcher(MailStore(Path(sys.argv[1]))) as port:
        print(port, flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


async def test_what_was_accepted_is_there_after_a_kill_9(tmp_path: Path, mail: MakeMail) -> None:
    folder = tmp_path / "inbox"
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", CHILD, str(folder), stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None
    port = int(await child.stdout.readline())
    accepted: set[str] = set()
    smtp = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False)
    await smtp.connect()
    try:
        for number in range(1000):
            if number == 25:
                child.kill()  # while mail keeps on coming
            await smtp.send_message(mail(message_id=f"<m-{number}@akses.example>"))
            accepted.add(f"<m-{number}@akses.example>")
    except (aiosmtplib.SMTPException, OSError):
        pass
    finally:
        smtp.close()
        await child.wait()
    assert len(accepted) >= 25
    assert accepted <= {caught.message_id for caught in MailStore(folder).mails()}


async def test_a_mail_that_is_too_big_or_cannot_be_stored_is_refused_and_not_lost_silently(
    inbox, mail: MakeMail, tmp_path: Path
) -> None:
    with pytest.raises(aiosmtplib.SMTPResponseException) as refusal:
        await inbox.send(b"Subject: besar\r\n\r\n" + b"x" * 900 + b"\r\n" * (MAX_MAIL_BYTES // 2))
    assert refusal.value.code == 552
    (tmp_path / "inbox" / "tmp").rmdir()
    with pytest.raises(aiosmtplib.SMTPResponseException) as refusal:
        await inbox.send(mail())
    assert refusal.value.code == 451
    (tmp_path / "inbox" / "tmp").mkdir(mode=0o700)
    await inbox.send(mail())
    assert len(inbox.store.mails()) == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
async def test_mail_is_taken_from_this_machine_only(tmp_path: Path, host: str) -> None:
    with pytest.raises(ValueError, match="this machine"):
        async with open_catcher(MailStore(tmp_path / "inbox"), host=host):
            pass
