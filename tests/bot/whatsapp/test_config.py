"""WhatsApp does not start half set up, and never with an open door; links into its chat."""

from __future__ import annotations

import pytest

from bot.channels.whatsapp.running import WhatsApp, WhatsAppConfig, WhatsAppConfigInvalid
from bot.channels.whatsapp.webhook import Webhook, challenge
from tests.bot.telegram.scripted import until
from tests.fakes.whatsapp import FakeMeta


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"token": "a b"}, "WHATSAPP_TOKEN"),
        ({"phone_id": "+62 21"}, "WHATSAPP_PHONE_ID"),
        ({"app_secrets": ()}, "WHATSAPP_APP_SECRET"),
        ({"verify_token": ""}, "WHATSAPP_VERIFY_TOKEN"),
        ({"api_base": "graph.facebook.com"}, "WHATSAPP_API_BASE"),
    ],
)
def test_half_a_configuration_is_named_and_not_told(given: dict[str, object], named: str) -> None:
    whole: dict[str, object] = {"token": "EAAtoken", "phone_id": "106540352242922", "app_secrets": ("s",), "verify_token": "v"}
    WhatsAppConfig(**whole)  # type: ignore[arg-type]
    with pytest.raises(WhatsAppConfigInvalid, match=named) as caught:
        WhatsAppConfig(**{**whole, **given})  # type: ignore[arg-type]
    assert "a b" not in str(caught.value)
    assert "EAAtoken" not in repr(WhatsAppConfig(**whole))  # type: ignore[arg-type]


def test_the_endpoint_itself_cannot_be_built_open() -> None:
    for secrets in ((), ("",)):
        with pytest.raises(ValueError, match="secret"):
            Webhook(None, None, "1", secrets)  # type: ignore[arg-type]


def test_either_of_two_secrets_lets_in_while_they_are_changed() -> None:
    meta = FakeMeta()
    body = b"{}"
    webhook = Webhook(None, None, meta.phone_id, ("new", meta.app_secret))  # type: ignore[arg-type]
    for secret, genuine in (("new", True), (meta.app_secret, True), ("old", False)):
        assert webhook._genuine([(b"x-hub-signature-256", meta.sign(body, secret).encode())], body) is genuine
    twice = [(b"x-hub-signature-256", meta.sign(body).encode())] * 2
    assert not webhook._genuine(twice, body)


def test_a_challenge_with_odd_letters_is_no_accident() -> None:
    assert challenge({"hub.mode": "subscribe", "hub.verify_token": "s\u00e9", "hub.challenge": "1"}, "s\u00e9") == "1"


async def test_the_link_into_the_chat_bears_the_number_that_meta_tells(meta: FakeMeta, whatsapp: WhatsApp) -> None:
    await until(lambda: whatsapp.link("x") != "")
    assert whatsapp.link("lanjut-a_b") == "https://wa.me/622150000000?text=lanjut-a_b"
