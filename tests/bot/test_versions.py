"""Sessions of other versions of the code: older ones are finished by this code, newer ones are served by it meanwhile.

`sessions/<version>-<place>.msgpack` are sessions as that version packed them, `sessions/<version>.json` the order of its fields. Neither is
ever changed; `python -m tests.bot.test_sessions` adds those of a new VERSION.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from bot.sessions import pack, unpack
from dialogs import session as shapes
from dialogs.events import BackendAccepted
from dialogs.fields._field import Doubt
from dialogs.frozen import Frozen, replace
from dialogs.session import VERSION, Registration, Session
from dialogs.testing import Conversation
from dialogs.upcasters import SessionTooNew, upcast

FROZEN = Path(__file__).parent / "sessions"
ANSWERS = {"full_name": "Siti Rahmawati", "nik": "3171234501900001", "phone": "081234567890", "email": "siti@example.com"}
NAME = f"{VERSION[0]}.{VERSION[1]}"


def parts() -> dict[str, type[Frozen]]:
    """Every shape that a session is made of, by name."""
    found = {name: kind for name, kind in vars(shapes).items() if isinstance(kind, type) and issubclass(kind, Frozen)}
    return {name: kind for name, kind in found.items() if kind is not Frozen} | {"Doubt": Doubt}


def shape() -> dict[str, list[str]]:
    return {name: list(kind.__struct_fields__) for name, kind in parts().items()}


def freeze_shape() -> None:
    lines = (f'  "{name}": {json.dumps(fields)}' for name, fields in shape().items())
    (FROZEN / f"{NAME}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


def test_fields_are_only_ever_appended() -> None:
    """What is written by position would be misread by every other version if a field moved."""
    today = shape()
    for released in sorted(FROZEN.glob(f"{VERSION[0]}.*.json")):
        for name, fields in json.loads(released.read_text("utf-8")).items():
            assert today[name][: len(fields)] == fields, f"{name} of {released.stem}: append, or raise the major version"


def test_the_order_of_this_versions_fields_is_frozen() -> None:
    frozen = json.loads((FROZEN / f"{NAME}.json").read_text("utf-8"))
    assert frozen == shape(), "python -m tests.bot.test_sessions"


def finish(chat: Conversation) -> None:
    """Whatever stands open is answered until the account is active."""
    chat.says("/status")
    for _ in range(20):
        match chat.step:
            case "consent":
                chat.presses("agree")
            case "kind":
                chat.presses("kind.individu_lokal")
            case "doubt":
                chat.presses("confirm")
            case "cancel":
                chat.presses("go_on")
            case "summary":
                chat.presses("activate")
            case "human":
                chat.agent_returns()
            case "sending":
                draft = chat.session.draft
                assert draft is not None
                chat.happens(BackendAccepted(draft.handoff, "reg_9", "s***@example.com"))
            case "email_doubt":
                chat.presses("suggested")
            case "pending":
                chat.becomes("active")
            case "active":
                return
            case field:
                chat.says(ANSWERS[field])
    raise AssertionError(chat.transcript.text)


@pytest.mark.parametrize("frozen", sorted(FROZEN.glob("*.msgpack")), ids=lambda path: path.stem)
def test_a_registration_that_any_released_version_began_is_finished_by_this_one(frozen: Path) -> None:
    chat = Conversation.of(unpack(frozen.read_bytes()), datetime(2026, 11, 24, tzinfo=UTC))
    finish(chat)
    assert chat.session.registrations[-1].status == "active"


@pytest.mark.parametrize("frozen", sorted(FROZEN.glob("*.msgpack")), ids=lambda path: path.stem)
def test_no_answer_of_an_older_session_is_lost_when_this_version_writes_it(frozen: Path) -> None:
    before = unpack(frozen.read_bytes())
    after = unpack(pack(before))
    assert after == replace(before, version=VERSION)


def test_what_newer_code_appended_to_a_part_of_the_session_is_passed_over_and_the_rest_is_right() -> None:
    """Stated in `dialogs/session.py`: of a part (here a registration) older code keeps what it knows."""
    session = Session(id="x", registrations=(Registration("r1", "h1", "Siti", "s***@example.com"),))
    plain = msgspec.msgpack.decode(pack(session))
    plain[0] = [VERSION[0], VERSION[1] + 1]
    at = list(Session.__struct_fields__).index("registrations")
    plain[at][0] = [*plain[at][0], "of tomorrow", 7]
    newer = unpack(msgspec.msgpack.encode(plain))
    assert newer.registrations == session.registrations
    assert unpack(pack(newer)) == newer


# --- majors


def test_an_old_shape_is_lifted_one_major_version_after_the_other() -> None:
    lifted = upcast(
        [[1, 4], "id"],
        {1: lambda plain: [[2, 0], *plain[1:], "two"], 2: lambda plain: [[3, 0], *plain[1:], "three"]},
        today=3,
    )
    assert lifted == [[3, 0], "id", "two", "three"]


def test_a_shape_of_today_or_of_a_later_minor_version_stays_as_it_is() -> None:
    plain = [[VERSION[0], VERSION[1] + 9], "id"]
    assert upcast(plain) is plain


def test_a_shape_of_a_later_major_version_is_not_guessed_at() -> None:
    with pytest.raises(SessionTooNew):
        upcast([[VERSION[0] + 1, 0], "id"])
