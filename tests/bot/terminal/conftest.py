"""The terminal chat runs as its own process, against the web chat of the web tests."""

from __future__ import annotations

from tests.bot.web.conftest import keyring, open_site, site

__all__ = ["keyring", "open_site", "site"]
