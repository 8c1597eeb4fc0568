"""Signing in through an organisation's identity provider: OpenID Connect, authorization code with PKCE, by Authlib.

Lives here: what is asked, and what of the answer is believed. Must not live here: which agent that is (`sign_in.py`), cookies (`console/`).
What was asked waits in the browser's own cookie, sealed: nothing is kept here, so any process can take the answer.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs

import httpx2
import structlog
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from helpdesk.config import OidcConfig
from helpdesk.ports import Clock, Seals

log = structlog.get_logger(__name__)

WELL_KNOWN: Final = "/.well-known/openid-configuration"
CALLBACK: Final = "/helpdesk/masuk/oidc/kembali"
_CONTEXT: Final = b"desk oidc"
_PATIENCE_SECONDS: Final = 10.0
# How long somebody may take at the provider, and by how much its clock may differ.
_ASKED_FOR_SECONDS: Final = 600
_LEEWAY_SECONDS: Final = 60
# Only signatures by a key pair: never "none", and never one that our own secret could make.
_ALGORITHMS: Final = ["RS256", "ES256", "PS256"]


class ProviderRefused(Exception):
    """The provider does not answer, or its answer is not what was asked for. The text is a code."""


@dataclass(frozen=True, slots=True)
class Person:
    """Whom the provider vouches for. `login` is their e-mail address, "" where the provider has not verified it: a name that people give
    themselves there must not open somebody else's place here.
    """

    issuer: str
    subject: str
    login: str


class Oidc:
    def __init__(self, config: OidcConfig, public_url: str, seals: Seals, clock: Clock) -> None:
        self._config = config
        self._callback = f"{public_url}{CALLBACK}"
        self._seals = seals
        self._now = clock

    def _client(self) -> Any:
        return AsyncOAuth2Client(
            self._config.client_id,
            self._config.client_secret,
            scope="openid email profile",
            redirect_uri=self._callback,
            code_challenge_method="S256",
            timeout=_PATIENCE_SECONDS,
            trust_env=False,
        )

    async def ask(self) -> tuple[str, str]:
        """Where to send the browser, and what it is to keep until it is back. Raises ProviderRefused."""
        async with self._client() as client:
            found = await self._discovered(client)
            asked = {name: secrets.token_urlsafe(32) for name in ("state", "nonce", "verifier")}
            address, _ = client.create_authorization_url(
                found["authorization_endpoint"],
                state=asked["state"],
                nonce=asked["nonce"],
                code_challenge=create_s256_code_challenge(asked["verifier"]),
                code_challenge_method="S256",
            )
        kept = json.dumps({**asked, "at": int(self._now().timestamp())}).encode()
        return address, base64.urlsafe_b64encode(self._seals.seal(kept, _CONTEXT)).decode()

    async def answer(self, query: str, kept: str) -> Person:
        """Whom the answer vouches for; `kept` is what the browser kept. Raises ProviderRefused."""
        asked = self._asked(kept)
        told = {name: values[0] for name, values in parse_qs(query).items()}
        if not secrets.compare_digest(told.get("state", "").encode(), str(asked["state"]).encode()):
            raise ProviderRefused("state")
        # RFC 9207: where the provider says who it is, it must be the one that was asked.
        if told.get("iss", self._config.issuer) != self._config.issuer or "error" in told or not told.get("code"):
            raise ProviderRefused("answer")
        async with self._client() as client:
            found = await self._discovered(client)
            try:
                token = await client.fetch_token(
                    found["token_endpoint"],
                    grant_type="authorization_code",
                    code=told["code"],
                    code_verifier=asked["verifier"],
                )
            except (OAuthError, httpx2.HTTPError, ValueError) as error:
                log.warning("oidc.no_token", error=type(error).__name__)
                raise ProviderRefused("token") from None
            keys = await self._fetched(client, found["jwks_uri"])
        return self._vouched(token, keys, str(asked["nonce"]))

    def _asked(self, kept: str) -> dict[str, Any]:
        try:
            asked: dict[str, Any] = json.loads(self._seals.open(base64.urlsafe_b64decode(kept), _CONTEXT))
        except (binascii.Error, ValueError):
            raise ProviderRefused("not asked") from None
        except Exception:  # noqa: BLE001 - each keyring has errors of its own; here they all mean the same
            raise ProviderRefused("not asked") from None
        if self._now().timestamp() - asked["at"] > _ASKED_FOR_SECONDS:
            raise ProviderRefused("too late")
        return asked

    async def _discovered(self, client: Any) -> dict[str, Any]:
        found = await self._fetched(client, f"{self._config.issuer}{WELL_KNOWN}")
        # Whoever says of itself that it is another issuer is not the one that the operator named.
        if found.get("issuer") != self._config.issuer:
            raise ProviderRefused("issuer")
        if not all(isinstance(found.get(name), str) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")):
            raise ProviderRefused("discovery")
        return found

    @staticmethod
    async def _fetched(client: Any, address: str) -> dict[str, Any]:
        try:
            response = await client.request("GET", address, withhold_token=True)
            response.raise_for_status()
            found = response.json()
        except (httpx2.HTTPError, ValueError) as error:
            log.warning("oidc.unreachable", error=type(error).__name__)
            raise ProviderRefused("unreachable") from None
        if not isinstance(found, dict):
            raise ProviderRefused("discovery")
        return found

    def _vouched(self, token: dict[str, Any], keys: dict[str, Any], nonce: str) -> Person:
        issuer = self._config.issuer
        try:
            decoded = jwt.decode(str(token["id_token"]), KeySet.import_key_set(keys), algorithms=_ALGORITHMS)  # type: ignore[arg-type]
            claims = CodeIDToken(
                decoded.claims,
                decoded.header,
                {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": self._config.client_id}},
                {"nonce": nonce, "client_id": self._config.client_id, "access_token": token.get("access_token")},
            )
            claims.validate(now=int(self._now().timestamp()), leeway=_LEEWAY_SECONDS)
        except (KeyError, JoseError, OAuthError, ValueError) as error:
            log.warning("oidc.not_vouched", error=type(error).__name__)
            raise ProviderRefused("id_token") from None
        verified = claims.get("email") if claims.get("email_verified") is True else None
        return Person(issuer, str(claims["sub"]), str(verified or ""))
