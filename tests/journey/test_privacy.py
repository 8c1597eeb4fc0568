"""What is left of what somebody typed, once their registration is handed off: in the chat, in the files, in the log."""

from __future__ import annotations

import pytest

from tests.journey.people import PASSWORD, WebPerson, activates, link_in, logs_in, pages
from tests.product import Product

pytestmark = pytest.mark.journey


@pytest.fixture
def registered(product: Product) -> WebPerson:
    person = WebPerson(product.url)
    person.opens()
    person.does("press", "Setuju")
    person.does("press", "Individu Lokal")
    person.does("say", person.details.name)
    person.does("say", person.details.nik[:-1])  # one digit short, and then the whole
    for kind, what in person.details.steps[3:]:
        person.does(kind, what)
    person.sees("pending")
    return person


def plain(person: WebPerson) -> tuple[str, ...]:
    """Every form in which their numbers and address are typed or shown."""
    nik, phone = person.details.nik, person.details.phone
    grouped = " ".join(nik[at : at + 4] for at in range(0, 16, 4))
    digits = phone.replace("-", "")
    return nik[:-1], grouped, phone, digits, f"+62{digits[1:]}", person.details.email


def test_no_file_and_no_line_of_the_log_holds_it_in_plain(product: Product, registered: WebPerson) -> None:
    """But for the mails of the built-in inbox, which are a mailbox and not ours to hide."""
    with pages(product.url) as browser:
        link = link_in(product.mail(registered.details.email))
        assert activates(browser, link).status_code == 303
        registered.sees("active")
        assert logs_in(browser, registered.details.email)
    product.kill()
    secret = (*plain(registered), registered.details.name, PASSWORD, link.rpartition("/")[2])
    files = [path for path in product.data_dir.rglob("*") if path.is_file() and "inbox" not in path.parts]
    assert {path.name for path in files} >= {"accounts.db", "dialog.db", "transcript.db", "secrets.json"}
    held = {path.name: path.read_bytes() for path in (*files, product.log_file)}
    found = [f"{name}: {each}" for name, content in held.items() for each in secret if each.encode() in content]
    assert found == []
