"""Launch data: what Telegram signed is read, and nothing else."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend import init_data
from backend.init_data import Bot, Launch, NotFromTelegram, read
from tests.fakes import telegram_launch as telegram

NOW = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
AT = NOW.timestamp()
BY_TOKEN = Bot(telegram.BOT, telegram.TOKEN)
BY_KEY = Bot(telegram.BOT, environment="test")
BOTH = pytest.mark.parametrize("bot", [BY_TOKEN, BY_KEY], ids=["token", "public key"])

# Public vectors of real clients (github.com/telegram-mini-apps/init-data-golang, README; docs.telegram-mini-apps.com, init data). The
# first is older than the field `signature`; the token of the second was published with it, the third has both signatures of Telegram.
_OLD_USER = '{"id":279058397,"first_name":"Vladislav","last_name":"Kibenko","username":"vdkfrost","language_code":"ru","is_premium":true}'
OLD = (
    f"query_id=AAHdF6IQAAAAAN0XohDhrOrc&user={quote(_OLD_USER, safe='')}&auth_date=1662771648"
    "&hash=c501b71e775f74ce10e377dea85a7ea24ecd640b223ea86dfe453e0eaed2e2b2"
)
_USER = json.dumps(
    {
        "id": 279058397,
        "first_name": "Vladislav + - ? /",
        "last_name": "Kibenko",
        "username": "vdkfrost",
        "language_code": "ru",
        "is_premium": True,
        "allows_write_to_pm": True,
        "photo_url": "https://t.me/i/userpic/320/4FPEE4tmP3ATHa57u6MqTDih13LTOiMoKoLDRG4PnSA.svg",
    },
    separators=(",", ":"),
).replace("/", "\\/")
_CHAT = f"user={quote(_USER, safe='')}&chat_instance=8134722200314281151&chat_type=private"
HASHED = (
    f"{_CHAT}&auth_date=1733509682&signature=TYJxVcisqbWjtodPepiJ6ghziUL94-KNpG8Pau-X7oNNLNBM72APCpi_RKiUlBvcqo5L-LAxIc3dnTzcZX_PDg"
    "&hash=a433d8f9847bd6addcc563bff7cc82c89e97ea0d90c11fe5729cae6796a36d73"
)
SIGNED = (
    f"{_CHAT}&auth_date=1733584787&hash=2174df5b000556d044f3f020384e879c8efcab55ddea2ced4eb752e93e7080d6"
    "&signature=zL-ucjNyREiHDE8aihFwpfR9aggP2xiAo3NSpfe-p7IbCisNlDKlo7Kb6G4D0Ao2mBrSgEk4maLSdv6MLIlADQ"
)
REAL_BOT = 7342037359
REAL_TOKEN = "7342037359:AAHI25ES9xCOMPokpYoz-p8XVrZUdygo2J4"


@pytest.fixture(autouse=True)
def our_key_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the place of the key of Telegram's test environment."""
    monkeypatch.setitem(init_data._PUBLIC_KEYS, "test", telegram.PUBLIC_KEY)


@pytest.mark.parametrize(
    ("data", "bot", "at"),
    [
        (OLD, Bot(5768337691, "5768337691:AAH5YkoiEuPk8-FZa32hStHTqXiLPtAEhx8"), 1662771648),
        (HASHED, Bot(REAL_BOT, REAL_TOKEN), 1733509682),
        (HASHED, Bot(REAL_BOT), 1733509682),
        (SIGNED, Bot(REAL_BOT), 1733584787),
    ],
    ids=["hash, before there was a signature", "hash over the signature", "the same by the public key", "public key"],
)
def test_what_real_clients_were_given_is_read(data: str, bot: Bot, at: int) -> None:
    moment = datetime.fromtimestamp(at, UTC)
    assert read(data, bot, moment).user == 279058397
    for other in (Bot(bot.id + 1, bot.token and f"{bot.token}x"), Bot(bot.id, environment="test")):
        with pytest.raises(NotFromTelegram):
            read(data, other, moment)


@BOTH
def test_what_telegram_signed_for_this_bot_names_its_user(bot: Bot) -> None:
    found = read(telegram.launch(at=AT, start_param="x", last_name=""), bot, NOW)
    assert (found.user, found.at) == (telegram.USER, NOW)


@BOTH
@pytest.mark.parametrize(("age", "fine"), [(-31, False), (-30, True), (0, True), (300, True), (301, False), (2_592_000, False)])
def test_it_is_good_for_five_minutes_and_half_a_minute_ahead(bot: Bot, age: int, fine: bool) -> None:
    data = telegram.launch(at=AT - age)
    if fine:
        assert read(data, bot, NOW).user == telegram.USER
    else:
        with pytest.raises(NotFromTelegram, match="auth_date"):
            read(data, bot, NOW)


GOOD = telegram.fields(at=AT)
OTHER_USER = GOOD["user"].replace(str(telegram.USER), "5")
DONE = telegram.signed(GOOD)
STARTED = telegram.signed({**GOOD, "start_param": "x"})


def without(given: dict[str, str], field: str) -> dict[str, str]:
    return {name: value for name, value in given.items() if name != field}


@BOTH
@pytest.mark.parametrize(
    "data",
    [
        "",
        "hash=",
        "user",
        "%zz=%zz&user=",
        telegram.written({**DONE, "user": OTHER_USER}),
        telegram.written({**DONE, "auth_date": str(int(AT) + 1)}),
        telegram.written({**DONE, "added": "1"}),
        telegram.written({**DONE, "blank": ""}),
        telegram.written(without(DONE, "query_id")),
        f"{telegram.written(DONE)}&user={quote(OTHER_USER, safe='')}",
        f"user={quote(OTHER_USER, safe='')}&{telegram.written(DONE)}",
        f"{telegram.written(DONE)}&hash={DONE['hash']}",
        telegram.written(telegram.signed(GOOD, f"{telegram.BOT + 1}:AAE-of-another-bot")),
        telegram.written(telegram.signed(without(GOOD, "user"))),
        telegram.written(telegram.signed({**GOOD, "user": "{}"})),
        telegram.written(telegram.signed({**GOOD, "user": '{"id":"77001"}'})),
        telegram.written(telegram.signed({**GOOD, "user": '{"id":true}'})),
        telegram.written(telegram.signed({**GOOD, "user": '{"id":-1}'})),
        telegram.written(telegram.signed({**GOOD, "user": "77001"})),
        telegram.written(telegram.signed({**GOOD, "auth_date": ""})),
        telegram.written(telegram.signed({**GOOD, "auth_date": "now"})),
        telegram.written(telegram.signed({**GOOD, "auth_date": f"{int(AT)}.0"})),
        # The same lines to sign, cut differently: those of the public key, those of the token.
        telegram.written({**without(STARTED, "start_param"), "query_id": f"{STARTED['query_id']}\nstart_param=x"}),
        telegram.written({**without(STARTED, "start_param"), "signature": f"{STARTED['signature']}\nstart_param=x"}),
        telegram.written(telegram.signed({**GOOD, "Upper": "x"})),
        "&".join(f"x{number}=1" for number in range(40)),
    ],
)
def test_what_is_not_exactly_what_telegram_signed_is_refused(bot: Bot, data: str) -> None:
    with pytest.raises(NotFromTelegram):
        read(data, bot, NOW)


def test_each_way_needs_its_own_signature_and_no_other() -> None:
    without_hash = telegram.written(without(DONE, "hash"))
    without_signature = telegram.written(telegram.hashed(GOOD))
    assert read(without_hash, BY_KEY, NOW).user == read(without_signature, BY_TOKEN, NOW).user == telegram.USER
    for data, bot in ((without_hash, BY_TOKEN), (without_signature, BY_KEY)):
        with pytest.raises(NotFromTelegram):
            read(data, bot, NOW)
    other = ("A" if DONE["signature"].startswith("_") else "_") + DONE["signature"][1:]
    for broken in ("", "!" * 86, DONE["signature"][:-4], other):
        with pytest.raises(NotFromTelegram):
            read(telegram.written({**DONE, "signature": broken}), BY_KEY, NOW)


def test_the_same_data_has_one_fingerprint_however_it_is_written() -> None:
    plain = read(telegram.written(DONE), BY_TOKEN, NOW)
    turned = dict(reversed(DONE.items()))
    assert read(telegram.written(turned), BY_TOKEN, NOW) == plain
    changed = telegram.written({**DONE, "hash": "0" * 64})
    assert read(changed, BY_KEY, NOW).fingerprint == plain.fingerprint, (
        "of the signature that was not looked at nothing depends"
    )
    assert read(telegram.launch(at=AT), BY_TOKEN, NOW).fingerprint != plain.fingerprint


@given(st.text() | st.dictionaries(st.sampled_from(sorted(DONE)), st.text(max_size=8)).map(telegram.written))
def test_no_text_is_read_that_telegram_did_not_sign_and_none_breaks_the_reader(text: str) -> None:
    for bot in (BY_TOKEN, BY_KEY):
        with pytest.raises(NotFromTelegram):
            read(text, bot, NOW)


def test_a_launch_shows_no_secret_of_the_bot() -> None:
    assert telegram.TOKEN not in repr(BY_TOKEN)
    assert isinstance(read(telegram.launch(at=AT), BY_TOKEN, NOW + timedelta(seconds=1)), Launch)
