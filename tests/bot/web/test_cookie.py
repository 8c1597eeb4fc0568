"""The visitor's cookie: ours, whichever index key was the first when it was minted, and nobody else's."""

from __future__ import annotations

from akses.keyring import INDEX, KEY_BYTES, Keyring
from bot.channels.web.sessions import Sessions

KEY, OLD, NEW = (bytes([number]) * KEY_BYTES for number in (1, 2, 3))


def sessions(**indexing: bytes) -> Sessions:
    return Sessions(Keyring({"k1": KEY, **indexing}), https=True)


def test_a_cookie_from_before_the_index_key_was_rotated_leads_to_the_same_conversation_until_that_key_is_gone() -> None:
    before, both, after = sessions(index=OLD), sessions(index2=NEW, index=OLD), sessions(index2=NEW)
    old, new = before.mint("web"), both.mint("web")
    cookie = before.cookie
    assert before.conversation({cookie: old}) == both.conversation({cookie: old}) is not None
    assert both.conversation({cookie: new}) == after.conversation({cookie: new}) is not None
    assert after.conversation({cookie: old}) is None


def test_a_cookie_that_we_did_not_mint_is_nobodys() -> None:
    ours, other = sessions(**{INDEX: OLD}), sessions(**{INDEX: NEW})
    minted = ours.mint("web")
    assert other.conversation({ours.cookie: minted}) is None
    assert ours.conversation({ours.cookie: minted[:-1] + ("A" if minted[-1] != "A" else "B")}) is None
    assert ours.conversation({}) is None
