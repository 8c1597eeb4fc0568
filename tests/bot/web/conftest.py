"""Fixtures of the web chat's tests; what they are made of is in web_site.py."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import pytest

from akses.keyring import Keyring
from tests.bot.web import web_site
from tests.bot.web.web_site import Opening, Site


@pytest.fixture
def keyring() -> Keyring:
    return Keyring.parse(Keyring.generate())


@pytest.fixture
def open_site(keyring: Keyring) -> Opening:
    return partial(web_site.open_site, keyring)


@pytest.fixture
async def site(open_site: Opening) -> AsyncIterator[Site]:
    async with open_site() as running:
        yield running
