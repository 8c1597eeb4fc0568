"""What the helpdesk is told by the composition root, and nothing that it can find out by itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OidcConfig:
    """An identity provider that signs agents in: its issuer (https://..., without the well-known path) and our name and secret there."""

    issuer: str
    client_id: str
    client_secret: str


@dataclass(frozen=True, slots=True)
class DeskConfig:
    """`public_url` has no trailing slash; `demo` is the embedded product, which lets its owner in by a link on the terminal."""

    public_url: str
    operator_name: str
    demo: bool
    oidc: OidcConfig | None = None

    @property
    def https(self) -> bool:
        return self.public_url.startswith("https://")
