"""What a browser calls itself, made short enough for its owner to know it again and too coarse to follow anybody by."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request

# The first that is found counts: others call themselves Chrome and Safari too.
_BROWSERS: Final = (
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS: Final = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def device(request: Request) -> str:
    """Browser and system, as in "Chrome, Android"; "" when neither is known."""
    said = request.headers.get("user-agent", "")
    known = [next((name for sign, name in table if sign in said), "") for table in (_BROWSERS, _SYSTEMS)]
    return ", ".join(filter(None, known))
