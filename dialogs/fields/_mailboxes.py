"""What is known of mail domains and mailboxes: common providers, their usual misspellings, mailboxes of an office.

Lives here: the lists, and looking things up in them. Must not live here: what is done about a hit (`email.py`): it is always a
question to the person, never a silent correction.
"""

from __future__ import annotations

from functools import lru_cache

# Long enough that one slip away from them hardly is another real domain.
PROVIDERS: tuple[str, ...] = (
    "gmail.com", "googlemail.com", "yahoo.com", "yahoo.co.id", "ymail.com", "rocketmail.com", "hotmail.com", "outlook.com",
    "outlook.co.id", "icloud.com", "protonmail.com", "proton.me",
)  # fmt: skip
# Real domains one letter away from those: never asked about.
_REAL = frozenset({"mail.com", "email.com", "yahoo.co.in"})
# Misspellings that are further away than one slip of a finger, or as near to two providers.
_SLIPS: dict[str, str] = {
    "gmail.co.id": "gmail.com", "gmail.id": "gmail.com", "gmail.com.id": "gmail.com", "gmail.net": "gmail.com",
    "gmaill.co": "gmail.com", "gmai.co": "gmail.com", "gmailcom.com": "gmail.com", "yahoo.id": "yahoo.co.id",
    "ymail.co.id": "ymail.com", "rocketmail.co.id": "rocketmail.com", "hotmail.id": "hotmail.com",
    "hotmail.co.id": "hotmail.com", "outlook.id": "outlook.com", "icloud.co.id": "icloud.com", "iclod.co": "icloud.com",
    "aol.co": "aol.com",
}  # fmt: skip
# Endings that are no top-level domain, and the one that was meant.
_ENDINGS: dict[str, str] = {
    ".con": ".com", ".cmo": ".com", ".ocm": ".com", ".vom": ".com", ".xom": ".com", ".comm": ".com", ".coom": ".com",
    ".cpm": ".com", ".clm": ".com",
    ".c0m": ".com", ".ccom": ".com", ".comn": ".com", ".cim": ".com", ".coid": ".co.id", ".co.idd": ".co.id",
    ".co.ud": ".co.id", ".co.di": ".co.id", ".cp.id": ".co.id", ".vo.id": ".co.id", ".id.co": ".co.id", ".ney": ".net",
    ".nett": ".net", ".orgg": ".org", ".ogr": ".org",
}  # fmt: skip
_ROLES = frozenset((
    "sekretariat", "sekretaris", "secretary", "secretariat", "corsec", "corpsec", "corporatesecretary",
    "sekretarisperusahaan", "info", "informasi", "information", "admin", "administrator", "administrasi", "cs",
    "customerservice", "customercare", "care", "support", "halo", "hello", "hi", "contact", "contactus", "kontak", "office",
    "kantor", "umum", "marketing", "sales", "penjualan", "hr", "hrd", "sdm", "finance", "keuangan", "accounting",
    "akunting", "pajak", "tax", "legal", "humas", "publicrelations", "pr", "media", "press", "noreply", "donotreply",
    "webmaster", "postmaster", "hostmaster", "abuse", "helpdesk", "service", "layanan", "pengaduan", "investorrelations",
    "investorrelation", "ir", "direksi", "direktur", "komisaris", "bod", "board", "team", "tim", "it", "itsupport",
    "security", "mail", "email",
))  # fmt: skip
# RFC 6761, RFC 7686, RFC 8375: such names never receive mail.
_RESERVED = frozenset(
    {
        "invalid",
        "local",
        "localhost",
        "onion",
        "test",
        "arpa",
        "localdomain",
        "internal",
        "lan",
    }
)


def completed(domain: str) -> str:
    """The provider that was meant by a domain without its dot ("gmail", "gmailcom"), or ""."""
    bare = domain.lower().strip(".")
    return next((p for p in PROVIDERS if bare in (p.partition(".")[0], p.replace(".", ""))), "")


@lru_cache(maxsize=2048)
def meant(domain: str) -> str:
    """The domain that was very likely meant by this lower-case one, or "" where nothing is wrong with it.

    A few domains are nearly everybody's, and a comparison with all providers takes longer than anything else about an address.
    """
    if domain in PROVIDERS or domain in _REAL:
        return ""
    if slip := _SLIPS.get(domain):
        return slip
    if near := next((provider for provider in PROVIDERS if _one_slip(domain, provider)), ""):
        return near
    for ending, right in _ENDINGS.items():
        if domain.endswith(ending):
            fixed = domain.removesuffix(ending) + right
            return meant(fixed) or fixed
    return ""


def is_role(local: str) -> bool:
    """Whether this mailbox is an office's rather than a person's: info, corporate.secretary, no-reply+x."""
    bare = local.partition("+")[0].lower()
    return bare.replace(".", "").replace("-", "").replace("_", "") in _ROLES


def reserved(domain: str) -> bool:
    """Whether the domain lies under a name that the standards keep out of the mail system."""
    return domain.lower().rstrip(".").rpartition(".")[2] in _RESERVED


def _one_slip(typed: str, right: str) -> bool:
    """Whether one letter added, left out, replaced or swapped with its neighbour makes the one of the other."""
    if abs(len(typed) - len(right)) > 1:
        return False
    start = 0
    while start < min(len(typed), len(right)) and typed[start] == right[start]:
        start += 1
    left, other = typed[start:], right[start:]
    return (
        left[1:] == other[1:] or left[1:] == other or left == other[1:] or (left[:2] == other[1::-1] and left[2:] == other[2:])
    )
