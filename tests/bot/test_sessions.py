"""Sessions and effects as bytes: read back as they were, bound to their place, and readable across versions of the code."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from akses.keyring import Keyring, SealBroken
from bot.sessions import CLAIMS, Memory, Sessions, pack, unpack
from dialogs.effects import Redraw, Relay, Say, Show, SubmitRegistration
from dialogs.frozen import replace
from dialogs.machine import current_screen, step
from dialogs.registration import step_id
from dialogs.session import VERSION, Session
from dialogs.testing import PROFILE, Conversation
from dialogs.upcasters import SessionTooNew

# One file a released version and place in the dialog: what that version packed, never to be changed. A new one is made by
# `python -m tests.bot.test_sessions` when VERSION changes, and joins the others.
FROZEN = Path(__file__).parent / "sessions"


def journey() -> dict[str, Session]:
    """A session for each place of the dialog that a person can be left at by a deploy."""
    chat = Conversation()
    chat.starts()
    found = {"consent": chat.session}
    for name, act in (
        ("kind", lambda: chat.presses("agree")),
        ("full_name", lambda: chat.presses("kind.individu_lokal")),
        ("nik", lambda: chat.says("Siti Rahmawati")),
        ("doubt", lambda: chat.says("9971234501900001")),
        ("phone", lambda: chat.presses("confirm")),
        ("cancel", lambda: chat.says("batal")),
        ("email", lambda: chat.says("081234567890")),
        ("summary", lambda: chat.says("siti@example.com")),
        ("sending", lambda: chat.presses("activate", message="m9")),
        ("pending", chat.accepted),
        ("email_doubt", lambda: (chat.becomes("mailed"), chat.presses("new_email"), chat.says("siti@gmial.com"))),
        ("active", lambda: (chat.says("kembali"), chat.says("kembali"), chat.becomes("active"))),
        ("human", chat.agent_takes_over),
    ):
        act()
        found[name] = chat.session
    return found


@pytest.fixture
def sessions() -> Sessions:
    return Sessions(Keyring.parse(Keyring.generate()))


@pytest.mark.parametrize("place", journey())
def test_a_session_is_read_back_as_it_was_written(place: str, sessions: Sessions) -> None:
    memory = Memory(journey()[place]).with_event("e1", journey()[place])
    assert sessions.read("web:a", 3, sessions.write("web:a", 3, memory)) == memory


def test_an_open_form_is_small(sessions: Sessions) -> None:
    """At most 700 bytes in Redis with its key and its overhead (some 180 bytes) and its timer (some 130)."""
    memory = Memory(journey()["summary"])
    for event in range(10):
        memory = memory.with_event(f"telegram:{event}", memory.session)
    assert len(sessions.write("telegram:1234567890", 10, memory)) <= 390


@pytest.mark.parametrize(("conversation", "revision"), [("web:b", 3), ("web:a", 4)])
def test_a_value_cannot_be_put_in_anothers_stead(conversation: str, revision: int, sessions: Sessions) -> None:
    sealed = sessions.write("web:a", 3, Memory(journey()["summary"]))
    with pytest.raises(SealBroken):
        sessions.read(conversation, revision, sealed)


def test_effects_are_read_back_as_they_were(sessions: Sessions) -> None:
    chat = Conversation()
    chat.starts()
    screen = current_screen(journey()["summary"], chat.now, PROFILE)
    when = datetime(2026, 11, 23, tzinfo=UTC)
    submission = SubmitRegistration(
        "h-1", "individu_lokal", "Siti", "3171234501900001", "+62812", "s@example.com", "id", "web", "1", when
    )
    for effect in (Say("halo"), Show(screen), Redraw("m1", screen), submission):
        assert sessions.read_effect("web:a", "k", sessions.write_effect("web:a", "k", effect)) == effect


def test_the_newest_events_are_known_again_and_the_oldest_forgotten() -> None:
    memory = Memory(Session(id="x", channel="web"))
    for event in range(CLAIMS + 1):
        memory = memory.with_event(f"e{event}", replace(memory.session, serial=event + 1))
    assert not memory.knows("e0")
    assert all(memory.knows(f"e{event}") for event in range(1, CLAIMS + 1))
    assert memory.answered(f"e{CLAIMS}")
    assert not memory.answered("e5")
    assert not memory.knows("other")


def test_an_event_that_shows_nothing_leaves_the_screen_in_force_to_the_one_that_it_answers() -> None:
    memory = Memory(Session(id="x", channel="web"))
    for event in range(CLAIMS):
        memory = memory.with_event(f"e{event}", replace(memory.session, serial=event + 1))
    for event in range(3):
        memory = memory.with_event(f"news{event}", memory.session)
    assert memory.answered(f"e{CLAIMS - 1}")
    assert all(memory.knows(event) for event in ("news0", "news1", "news2", "e3"))
    assert not memory.knows("e2")


# --- versions


def test_this_version_has_its_frozen_fixtures() -> None:
    assert {path.stem for path in FROZEN.glob(f"{VERSION[0]}.{VERSION[1]}-*.msgpack")} == {
        f"{VERSION[0]}.{VERSION[1]}-{place}" for place in journey()
    }


@pytest.mark.parametrize("frozen", sorted(FROZEN.glob("*.msgpack")), ids=lambda path: path.stem)
def test_a_session_of_every_released_version_goes_on_where_it_was(frozen: Path) -> None:
    session = unpack(frozen.read_bytes())
    assert step_id(session) == frozen.stem.partition("-")[2]
    from dialogs.events import CommandSent

    turn = step(session, CommandSent("bantuan"), datetime(2026, 11, 24, tzinfo=UTC), PROFILE)
    assert any(isinstance(effect, Show | Relay) for effect in turn.effects)


def test_a_session_of_a_later_minor_version_is_read_by_this_code() -> None:
    """A rolling deploy: newer code appends a field, and older code still serves the conversation."""
    session = journey()["summary"]
    plain = msgspec.msgpack.decode(pack(session))
    plain[0] = [VERSION[0], VERSION[1] + 1]
    newer = msgspec.msgpack.encode([*plain, "a field of tomorrow"])
    assert unpack(newer) == replace(session, version=(VERSION[0], VERSION[1] + 1))


def test_what_newer_code_appended_is_given_back_by_older_code_that_serves_the_conversation_meanwhile() -> None:
    keyring = Keyring.parse(Keyring.generate())
    sessions, session = Sessions(keyring), journey()["summary"]
    newer = Memory(replace(session, version=(VERSION[0], VERSION[1] + 1)), rest=("a field of tomorrow", 7))
    here = sessions.read("web:a", 1, sessions.write("web:a", 1, newer))
    after = here.with_event("e2", replace(here.session, serial=here.session.serial + 1))
    again = sessions.read("web:a", 2, sessions.write("web:a", 2, after))
    assert again.rest == ("a field of tomorrow", 7)
    assert (again.session.version, again.session.serial) == (here.session.version, session.serial + 1)


def test_a_session_that_older_code_made_is_of_this_version_once_it_is_written_again(sessions: Sessions) -> None:
    older = Memory(replace(journey()["summary"], version=(VERSION[0] - 1, 5)))
    assert sessions.read("web:a", 1, sessions.write("web:a", 1, older)).session.version == VERSION


def test_a_session_of_a_later_major_version_is_refused_and_not_misread(sessions: Sessions) -> None:
    later = Memory(replace(journey()["summary"], version=(VERSION[0] + 1, 0)))
    with pytest.raises(SessionTooNew):
        sessions.read("web:a", 1, sessions.write("web:a", 1, later))


def test_a_field_that_was_not_packed_yet_gets_its_default() -> None:
    session = journey()["summary"]
    plain = msgspec.msgpack.decode(pack(session))
    assert unpack(msgspec.msgpack.encode(plain[:-1])) == replace(session, early=())


def test_a_value_that_only_later_code_knows_is_refused_and_not_misread() -> None:
    plain = msgspec.msgpack.decode(pack(journey()["summary"]))
    plain[list(Session.__struct_fields__).index("overlay")] = "of tomorrow"
    with pytest.raises(msgspec.ValidationError):
        unpack(msgspec.msgpack.encode(plain))
    plain[0] = [VERSION[0], VERSION[1] + 1]
    with pytest.raises(SessionTooNew):
        unpack(msgspec.msgpack.encode(plain))


if __name__ == "__main__":
    from tests.bot.test_versions import freeze_shape

    freeze_shape()
    for place, kept in journey().items():
        path = FROZEN / f"{VERSION[0]}.{VERSION[1]}-{place}.msgpack"
        if not path.exists():
            path.write_bytes(pack(kept))
