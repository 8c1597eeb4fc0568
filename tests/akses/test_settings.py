"""The settings are checked together, all faults are told at once, and no secret is ever repeated."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import stat
from pathlib import Path

import pytest

from akses import settings as module
from akses.keyring import Keyring
from akses.settings import NEEDED, Settings, SettingsInvalid, load

SECRET = "Zm9vYmFyYmF6cXV4"
KEYS = Keyring.generate()
PRODUCTION = {
    "DATABASE_URL": "postgresql://akses:pw-of-db@db/akses",
    "REDIS_URL": "redis://:pw-of-redis@redis:6379/0",
    "SMTP_URL": "smtp://akses:pw-of-mail@mail:587",
    "ENCRYPTION_KEYS": KEYS,
    "BACKEND_API_KEY": "key-of-the-bot",
    "BACKEND_URL": "https://backend.example.com",
    "STATUS_WEBHOOK_SECRET": f"whsec_{SECRET}",
    "STATUS_WEBHOOK_URL": "https://bot.example.com/status/webhook",
    "OPERATOR_NAME": "Sekuritas Contoh",
    "PUBLIC_URL": "https://akses.example.com",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment with nothing of ours in it but a place for data."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    return monkeypatch


def given(environment: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        environment.setenv(name, value)


def faults(role: str = "run") -> list[str]:
    with pytest.raises(SettingsInvalid) as refused:
        load(role)
    return str(refused.value).splitlines()


def test_with_nothing_set_the_product_runs_on_this_machine_alone(environment: pytest.MonkeyPatch) -> None:
    settings = load()
    assert settings.embedded
    assert settings.host == "127.0.0.1"
    assert Keyring.parse(settings.encryption_keys)
    assert settings.webhook_secrets[0].startswith("whsec_")
    assert "bukan KSEI" in settings.operator_name


def test_an_empty_variable_counts_as_unset(environment: pytest.MonkeyPatch) -> None:
    given(environment, PORT="", DATABASE_URL="", LOG_LEVEL="")
    assert (load().port, load().embedded, load().log_level) == (8080, True, "INFO")


@pytest.mark.parametrize("role", ["web", "worker", "bot", "run", "migrate"])
def test_production_with_everything_set_starts_in_every_role(environment: pytest.MonkeyPatch, role: str) -> None:
    given(environment, **PRODUCTION)
    settings = load(role)
    assert not settings.embedded
    assert settings.operator_name == "Sekuritas Contoh"


@pytest.mark.parametrize("role", ["web", "worker", "bot"])
def test_production_refuses_to_start_without_what_it_needs_and_names_it_all_at_once(
    environment: pytest.MonkeyPatch, role: str
) -> None:
    store = "REDIS_URL" if role == "bot" else "DATABASE_URL"
    given(environment, **{store: PRODUCTION[store]})
    told = faults(role)
    assert [line.partition(":")[0] for line in told] == [name for name in NEEDED[role] if name != store]


@pytest.mark.parametrize("role", ["web", "worker", "bot"])
@pytest.mark.parametrize(
    "missing", ["ENCRYPTION_KEYS", "BACKEND_API_KEY", "STATUS_WEBHOOK_SECRET", "OPERATOR_NAME", "PUBLIC_URL"]
)
def test_no_single_secret_is_made_up_in_production(environment: pytest.MonkeyPatch, role: str, missing: str) -> None:
    given(environment, **PRODUCTION)
    environment.delenv(missing)
    assert [line.partition(":")[0] for line in faults(role)] == [missing]
    assert not Path(os.environ["DATA_DIR"]).exists()


@pytest.mark.parametrize("missing", ["BACKEND_URL", "BACKEND_API_KEY", "STATUS_WEBHOOK_SECRET", "OPERATOR_NAME", "PUBLIC_URL"])
def test_in_somebodys_bot_only_the_keys_of_its_own_file_are_made_up(environment: pytest.MonkeyPatch, missing: str) -> None:
    given(environment, **PRODUCTION | {"REDIS_URL": "", "DATABASE_URL": "", "ENCRYPTION_KEYS": ""})
    first = load("guest")
    assert first.encryption_keys == load("guest").encryption_keys != ""
    assert first.api_keys == tuple(PRODUCTION["BACKEND_API_KEY"].split(","))
    environment.delenv(missing)
    assert [line.partition(":")[0] for line in faults("guest")] == [missing]
    given(environment, REDIS_URL=PRODUCTION["REDIS_URL"], **{missing: PRODUCTION[missing]})
    assert [line.partition(":")[0] for line in faults("guest")] == ["ENCRYPTION_KEYS"], "Redis is shared, and so are its keys"


@pytest.mark.parametrize("role", ["web", "worker", "bot"])
def test_a_process_of_production_refuses_to_be_a_demonstration(environment: pytest.MonkeyPatch, role: str) -> None:
    assert "akses run" in " ".join(faults(role))


def test_all_faults_are_told_at_once_and_none_repeats_a_secret(environment: pytest.MonkeyPatch) -> None:
    given(
        environment,
        **PRODUCTION,
        TELEGRAM_BOT_TOKEN="123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc",
        TELEGRAM_MODE="webhook",
    )
    given(
        environment, ENCRYPTION_KEYS=f"k1:{SECRET},index:{SECRET}", PUBLIC_URL=f"ftp://{SECRET}@files.example.com", SMTP_URL=""
    )
    told = faults("web")
    assert {line.partition(":")[0] for line in told} == {
        "ENCRYPTION_KEYS",
        "PUBLIC_URL",
        "SMTP_URL",
        "TELEGRAM_WEBHOOK_SECRET",
    }
    for secret in (SECRET, "AAEhBOweik6ad9r", "pw-of-db", "pw-of-redis", "pw-of-mail"):
        assert secret not in " ".join(told)


def test_values_of_the_wrong_kind_are_told_at_once_by_name_without_repeating_them(environment: pytest.MonkeyPatch) -> None:
    given(environment, PORT=SECRET, LOG_LEVEL=SECRET, TELEGRAM_MODE=SECRET, LOG_FORMAT=SECRET)
    told = faults()
    assert {line.partition(":")[0] for line in told} == {"PORT", "LOG_LEVEL", "TELEGRAM_MODE", "LOG_FORMAT"}
    assert SECRET not in " ".join(told)


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_a_port_is_a_port(environment: pytest.MonkeyPatch, port: str) -> None:
    given(environment, PORT=port)
    assert [line.partition(":")[0] for line in faults()] == ["PORT"]


def test_the_settings_as_text_show_no_secret(environment: pytest.MonkeyPatch) -> None:
    """A log line or a debugger that shows the whole object."""
    given(
        environment,
        **PRODUCTION,
        TELEGRAM_BOT_TOKEN="123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc",
        TELEGRAM_WEBHOOK_SECRET="secret-of-the-hook",
        WHATSAPP_TOKEN="EAAGm0PX4ZCpsBAKZCqLr2c9ZBt3nYx7Qw5ZD",
    )
    text = repr(load("web"))
    passwords = ("pw-of-db", "pw-of-redis", "pw-of-mail")
    for secret in (SECRET, "AAEhBOweik6ad9r", "secret-of-the-hook", "EAAGm0", "key-of-the-bot", KEYS, *passwords):
        assert secret not in text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://akses:pw-of-db@db/akses"),
        ("DATABASE_URL", "postgresql://akses:pw-of-db@db:port/akses"),
        ("REDIS_URL", "http://:pw-of-redis@redis"),
        ("SMTP_URL", "akses:pw-of-mail@mail"),
        ("SMTP_URL", "smtp://"),
        ("BACKEND_URL", "backend.example.com:8080"),
        ("BACKEND_URL", "http://backend.example.com:99999"),
        ("STATUS_WEBHOOK_URL", "bot.example.com/status/webhook"),
    ],
)
def test_an_address_that_is_none_is_told_without_its_password(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    given(environment, **{**PRODUCTION, name: value})
    (told,) = faults("run")
    assert told.startswith(f"{name}: is not written as ")
    assert "pw-of-" not in told


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PUBLIC_URL", "https://"),
        ("PUBLIC_URL", "https://[akses.example.com"),
        ("PUBLIC_URL", "https://akses.example.com/daftar"),
        ("PUBLIC_URL", "https://akses.example.com?tema=gelap"),
        ("MAIL_FROM", "Tim AKSes"),
        ("MAIL_FROM", "Tim AKSes <akses>"),
        ("BACKEND_API_KEY", ","),
        ("STATUS_WEBHOOK_SECRET", ","),
        ("STATUS_WEBHOOK_SECRET", "hello"),
        ("STATUS_WEBHOOK_SECRET", f"whsec_{SECRET},whsec_"),
    ],
)
def test_what_would_break_later_is_told_at_the_start(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    """Links of mails that lead nowhere, a sender that no mail server takes, keys that are none."""
    given(environment, **{**PRODUCTION, name: value})
    (told,) = faults("run")
    assert told.startswith(f"{name}: ")
    assert SECRET not in told


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PUBLIC_URL", "https://akses.example.com/"),
        ("PUBLIC_URL", "http://127.0.0.1:8080"),
        ("PUBLIC_URL", "http://[::1]:8080"),
        ("MAIL_FROM", "Tim AKSes <akses@example.co.id>"),
        ("DATABASE_URL", "postgresql:///akses?host=/var/run/postgresql"),
        ("STATUS_WEBHOOK_SECRET", SECRET),
    ],
)
def test_other_ways_to_write_a_setting_are_taken(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    given(environment, **{**PRODUCTION, name: value})
    assert getattr(load("run"), name.lower()) == value


def test_keys_of_the_bot_may_be_several_while_they_are_rotated(environment: pytest.MonkeyPatch) -> None:
    given(environment, **{**PRODUCTION, "BACKEND_API_KEY": "new, old"})
    assert load("web").api_keys == ("new", "old")


def test_secrets_that_cannot_be_read_are_never_made_anew(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """New keys would make the data unreadable for ever."""
    file = tmp_path / "data" / module.SECRETS_FILE
    load()
    file.write_text(file.read_text()[:-20])
    damaged = file.read_bytes()
    assert "is damaged" in " ".join(faults())
    assert file.read_bytes() == damaged


# --- the secrets that the embedded product makes for itself


def test_secrets_are_made_once_for_this_user_alone(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        first = load()
    finally:
        os.umask(previous)
    folder, file = tmp_path / "data", tmp_path / "data" / module.SECRETS_FILE
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = load()
    for name in ("encryption_keys", "backend_api_key", "status_webhook_secret"):
        assert getattr(first, name) == getattr(again, name) != ""


def test_a_secret_from_the_environment_goes_before_the_one_that_was_made(environment: pytest.MonkeyPatch) -> None:
    made = load()
    given(environment, BACKEND_API_KEY="mine")
    assert load().backend_api_key == "mine"
    environment.delenv("BACKEND_API_KEY")
    assert load().backend_api_key == made.backend_api_key


def _dies_before_the_rename() -> None:
    """A process that is killed when the new file is complete and not yet in its place."""
    Path.replace = lambda self, _: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign, assignment, return-value]
    load()


def _dies_in_the_middle_of_writing() -> None:
    os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
    load()


@pytest.mark.parametrize("dies", [_dies_before_the_rename, _dies_in_the_middle_of_writing])
@pytest.mark.parametrize("already", [False, True])
def test_secrets_survive_a_kill_between_writing_and_renaming(
    environment: pytest.MonkeyPatch, tmp_path: Path, dies: object, *, already: bool
) -> None:
    """What was there stays as it was, and the next start is none the wiser; a half-written file is never read."""
    file = tmp_path / "data" / module.SECRETS_FILE
    kept = None
    if already:
        kept = load().encryption_keys
        file.write_text(f'{{"encryption_keys": "{kept}"}}')  # of an older version that knew fewer secrets
    child = multiprocessing.get_context("fork").Process(target=dies)
    with contextlib.suppress(DeprecationWarning):
        child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    assert file.exists() is already
    settings = load()
    assert kept is None or settings.encryption_keys == kept
    assert load().backend_api_key == settings.backend_api_key != ""
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_codes_by_sms_need_a_gateway_in_production_and_none_on_this_machine(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PHONE_OTP", "activation")
    assert load("run").phone_otp == "activation"
    for name, value in PRODUCTION.items():
        environment.setenv(name, value)
    for role in ("run", "web", "worker"):
        with pytest.raises(SettingsInvalid, match="SMS_URL: PHONE_OTP needs a gateway"):
            load(role)
    assert load("bot").sms_url == ""
    environment.setenv("SMS_URL", "https://user:secret@gateway.example/sms")
    settings = load("web")
    assert settings.sms_url.endswith("/sms")
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    "value", ["https://broker.example; script-src *", "*", "broker.example", "https://a.example/path", "https://u@a.example"]
)
def test_what_may_frame_the_chat_is_an_origin_and_cannot_become_another_rule(
    environment: pytest.MonkeyPatch, value: str
) -> None:
    environment.setenv("FRAME_ANCESTORS", value)
    with pytest.raises(SettingsInvalid, match="FRAME_ANCESTORS"):
        load("run")


def test_several_origins_may_frame_the_chat(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("FRAME_ANCESTORS", "https://a.example/, https://b.example:8443 http://localhost:3000")
    assert load("run").framing_origins == ("https://a.example", "https://b.example:8443", "http://localhost:3000")


def test_the_page_inside_telegram_needs_a_known_bot_and_https_and_can_be_switched_off(environment: pytest.MonkeyPatch) -> None:
    token = "4242:AAE-an-invented-token"
    given(environment, TELEGRAM_BOT_TOKEN=token)
    assert load().telegram_bot is None, "Telegram opens no page by plain http"
    given(environment, PUBLIC_URL="https://akses.example.com")
    bot = load().telegram_bot
    assert bot is not None
    assert (bot.id, bot.token, bot.environment) == (4242, token, "production")
    assert token not in repr(load())
    environment.delenv("TELEGRAM_BOT_TOKEN")
    assert load().telegram_bot is None
    given(environment, TELEGRAM_BOT_ID="4242", TELEGRAM_API_BASE="https://api.telegram.org/bot{token}/test")
    bot = load().telegram_bot
    assert bot is not None
    assert (bot.id, bot.token, bot.environment) == (4242, "", "test"), (
        "a process without the token checks by Telegram's public key"
    )
    given(environment, TELEGRAM_APP="off")
    assert load().telegram_bot is None


def test_a_bot_and_its_number_must_be_the_same_bot(environment: pytest.MonkeyPatch) -> None:
    given(environment, TELEGRAM_BOT_TOKEN="4242:AAE-an-invented-token", TELEGRAM_BOT_ID="5")
    assert [fault.partition(":")[0] for fault in faults()] == ["TELEGRAM_BOT_ID"]
    given(environment, TELEGRAM_BOT_ID="four")
    assert [fault.partition(":")[0] for fault in faults()] == ["TELEGRAM_BOT_ID"]


CHATWOOT = {
    "CHATWOOT_URL": "https://chat.example.com",
    "CHATWOOT_ACCOUNT": "1",
    "CHATWOOT_INBOX": "2",
    "CHATWOOT_TOKEN": "token-of-the-bot",
    "CHATWOOT_API_TOKEN": "token-of-an-admin",
}


def test_chatwoot_is_set_whole_or_not_at_all(environment: pytest.MonkeyPatch) -> None:
    given(environment, CHATWOOT_SECRET="newer, older")
    assert [fault.partition(":")[0] for fault in faults()] == list(CHATWOOT)
    given(environment, **CHATWOOT)
    assert load().chatwoot_secrets == ("newer", "older")
    assert "token-of" not in repr(load())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"CHATWOOT_URL": "chat.example.com"}, "CHATWOOT_URL: is not written as https://"),
        ({"CHATWOOT_URL": "https://chat.example.com/app/accounts/1"}, "CHATWOOT_URL: is Chatwoot's own address alone"),
        ({"CHATWOOT_URL": "https://admin:pw@chat.example.com"}, "CHATWOOT_URL: holds a name or password"),
        ({"CHATWOOT_TOKEN": "token-of-an-admin"}, "CHATWOOT_TOKEN: is the agent bot's own"),
        ({"CHATWOOT_INBOX": "two"}, "CHATWOOT_INBOX: "),
    ],
)
def test_what_is_wrong_with_chatwoots_settings_is_told(
    environment: pytest.MonkeyPatch, wrong: dict[str, str], said: str
) -> None:
    given(environment, **CHATWOOT | wrong)
    [fault] = faults()
    assert fault.startswith(said)
    assert "pw" not in fault


def test_a_bot_without_the_helpdesk_has_no_chatwoot(environment: pytest.MonkeyPatch) -> None:
    given(environment, **{**PRODUCTION, **CHATWOOT})
    load("bot")
    environment.delenv("DATABASE_URL")
    assert [fault.partition(":")[0] for fault in faults("bot")] == ["CHATWOOT_URL"]


def test_the_helpdesks_group_is_a_groups_id_and_needs_the_bot(environment: pytest.MonkeyPatch) -> None:
    assert load().desk_group == 0
    given(environment, HELPDESK_GROUP="@helpdesk")
    assert [fault.partition(":")[0] for fault in faults()] == ["HELPDESK_GROUP", "TELEGRAM_BOT_TOKEN"]
    given(environment, HELPDESK_GROUP="-1001234567890", TELEGRAM_BOT_TOKEN="123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc")
    assert load().desk_group == -1001234567890


@pytest.mark.parametrize("role", ["run", "bot", "doctor"])
def test_whatsapp_is_off_without_a_token_and_with_one_needs_all_that_lets_messages_be_told_from_forged_ones(
    environment: pytest.MonkeyPatch, role: str
) -> None:
    given(environment, **PRODUCTION, WHATSAPP_APP_SECRET="one, two")
    assert load(role).whatsapp_secrets == ("one", "two")
    given(environment, WHATSAPP_TOKEN="EAAtoken", WHATSAPP_APP_SECRET="")
    told = faults(role)
    assert [line.partition(":")[0] for line in told] == ["WHATSAPP_PHONE_ID", "WHATSAPP_APP_SECRET", "WHATSAPP_VERIFY_TOKEN"]
    assert "EAAtoken" not in " ".join(told)
    given(environment, WHATSAPP_PHONE_ID="106540352242922", WHATSAPP_APP_SECRET="s", WHATSAPP_VERIFY_TOKEN="v")
    assert load(role).whatsapp_token == "EAAtoken"
