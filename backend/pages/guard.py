"""Whether a form was sent from our own page, and its fields exactly as typed.

Lives here: the Origin / Sec-Fetch-Site check, the size limit, the decoding, counting who tries out links. Must not live here: what the
fields mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request

from backend.client_ip import site as household
from backend.errors import Later
from backend.throttle import Counting

# Two passwords of 128 code points, four bytes each, percent-encoded, take 3 KB.
MAX_FORM_BYTES: Final = 16 * 1024
_MAX_FIELDS: Final = 16
# Links that lead nowhere, from one household: people paste half a link a few times, only a guesser goes on.
_MISSES: Final = "20 per 10 minutes"


def require_own_page(request: Request, public_url: str) -> None:
    """Raise HTTPException 403 for a form that another site sent.

    Our pages carry Referrer-Policy no-referrer, so a browser writes `Origin: null` even on our own forms: Sec-Fetch-Site decides where it
    is sent. Where it is not (browsers before 2023, plain http on a name), a null Origin passes, because every form of ours also carries a
    secret that another site cannot know: the link's token, or the form's own. (/masuk/lupa has none: anybody may ask there for anybody.)
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in {"same-origin", "none"}:
        raise HTTPException(403)
    origin = request.headers.get("origin")
    own = urlsplit(public_url)
    if origin not in {None, "null", f"{own.scheme}://{own.netloc}"} and site != "same-origin":
        raise HTTPException(403)


async def read_form(request: Request) -> Mapping[str, str]:
    """The fields of a urlencoded form; of a repeated name the first counts. Raises HTTPException 413, 415 or 400."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise HTTPException(415)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            raise HTTPException(413)
    try:
        # Strict: a password with a replaced byte would be another password than the one that was typed.
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise HTTPException(400) from None
    return dict(reversed(fields))


async def count_miss(throttle: Counting, ip: str) -> None:
    """Note that somebody came with a link that is none. Raises Later for a household that tries out links."""
    if wait := await throttle.wait(_MISSES, "links", household(ip)):
        raise Later(wait)
