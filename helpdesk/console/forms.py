"""Whether a form was sent from our own page, and its fields exactly as typed.

Lives here: the Origin / Sec-Fetch-Site check, the size limit, the decoding. Must not live here: what the fields mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request

# A message of 4,096 characters, four bytes each, percent-encoded, takes 48 KB.
MAX_FORM_BYTES: Final = 64 * 1024
_MAX_FIELDS: Final = 32


def require_own_page(request: Request, public_url: str) -> None:
    """Raise HTTPException 403 for a form that another site sent.

    Our pages carry Referrer-Policy no-referrer, so a browser may write `Origin: null` even on our own forms: Sec-Fetch-Site decides where
    it is sent. Where it is not, a null Origin passes, because every form of ours also carries a secret that another site cannot know.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in {"same-origin", "none"}:
        raise HTTPException(403)
    origin = request.headers.get("origin")
    own = urlsplit(public_url)
    if origin not in {None, "null", f"{own.scheme}://{own.netloc}"} and site != "same-origin":
        raise HTTPException(403)


async def read_form(request: Request) -> Mapping[str, str]:
    """The fields of a urlencoded form; of a repeated name all values with commas. Raises HTTPException 413, 415 or 400."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise HTTPException(415)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            raise HTTPException(413)
    try:
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise HTTPException(400) from None
    found: dict[str, str] = {}
    for name, value in fields:
        found[name] = f"{found[name]},{value}" if name in found else value
    return found
