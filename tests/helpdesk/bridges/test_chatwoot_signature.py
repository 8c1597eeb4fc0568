"""Only Chatwoot rings: whatever is wrong with a webhook's signature, it is refused."""

from __future__ import annotations

import pytest

from helpdesk.bridges.chatwoot.signature import Forged, Stale, check, sign

NOW = 1_790_000_000.0
BODY = b'{"event":"message_created","content":"Bu Rina: **siap**"}'
AT = str(int(NOW))


def headers(signature: str = "", at: str = AT) -> dict[str, str]:
    return {"x-chatwoot-timestamp": at, "x-chatwoot-signature": signature or sign("rahasia", at, BODY)}


def test_what_chatwoot_signed_is_known() -> None:
    """The text that Chatwoot itself makes (lib/webhooks/trigger.rb), computed apart from the code under test:
    printf '1790000000.{"event":"message_created","content":"Bu Rina: **siap**"}' | openssl dgst -sha256 -hmac rahasia
    """
    signature = "sha256=fd3aaabedbc868ea8ec20d29c17b8cfbd3d18f47aced1fb28ffe9c52067badc7"
    check(["rahasia"], headers(signature), BODY, NOW)


def test_during_a_rotation_both_secrets_verify() -> None:
    check(["baru", "rahasia"], headers(), BODY, NOW)
    check(["rahasia", "baru"], headers(), BODY, NOW)


@pytest.mark.parametrize(
    ("given", "body", "secrets"),
    [
        pytest.param(headers(sign("lain", AT, BODY)), BODY, ["rahasia"], id="another secret"),
        pytest.param(headers(), BODY + b" ", ["rahasia"], id="another body"),
        pytest.param({**headers(), "x-chatwoot-timestamp": str(int(NOW) + 1)}, BODY, ["rahasia"], id="another time"),
        pytest.param({"x-chatwoot-timestamp": AT}, BODY, ["rahasia"], id="no signature"),
        pytest.param({"x-chatwoot-signature": headers()["x-chatwoot-signature"]}, BODY, ["rahasia"], id="no time"),
        pytest.param(headers(headers()["x-chatwoot-signature"].removeprefix("sha256=")), BODY, ["rahasia"], id="no sha256="),
        pytest.param(headers(headers()["x-chatwoot-signature"][:-1]), BODY, ["rahasia"], id="cut short"),
        pytest.param(headers(at="1e9"), BODY, ["rahasia"], id="a time that is no number"),
        pytest.param(headers(at="-1790000000"), BODY, ["rahasia"], id="a time before time"),
        pytest.param(headers("sha256=é"), BODY, ["rahasia"], id="not even hexadecimal"),
        pytest.param(headers(), BODY, [], id="no secret at all"),
    ],
)
def test_what_somebody_else_made_is_forged(given: dict[str, str], body: bytes, secrets: list[str]) -> None:
    with pytest.raises(Forged):
        check(secrets, given, body, NOW)


@pytest.mark.parametrize("apart", [301, -301, 86_400])
def test_what_was_signed_at_another_time_is_stale_however_right_it_is(apart: int) -> None:
    with pytest.raises(Stale):
        check(["rahasia"], headers(), BODY, NOW + apart)


@pytest.mark.parametrize("apart", [0, 299, -299])
def test_clocks_may_differ_by_minutes(apart: int) -> None:
    check(["rahasia"], headers(), BODY, NOW + apart)
