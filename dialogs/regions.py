"""What the first four digits of a NIK name: a province, and a regency or city in it.

Lives here: looking up the codes of the Ministry of Home Affairs (Kemendagri). Must not live here: what an unknown code means
for an answer (`dialogs/fields/nik.py`). The table is `dialogs/data/regions.csv`: the 38 provinces and 514 regencies and cities
of Kepmendagri 300.2.2-2138/2025, and as `former` the codes that older NIK keep after a province was split (Kalimantan Utara out
of 64, four provinces out of 91 and 92); a former code without a name is one of which only the province is sure.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from dialogs.clock import Zone

# Keppres 41/1987, by today's provinces: Bali to Timor, Kalimantan's south, east and north, and Sulawesi; Maluku and Papua. All else is WIB.
_WITA: Final = frozenset({"51", "52", "53", "63", "64", "65", "71", "72", "73", "74", "75", "76"})
_WIT: Final = frozenset({"81", "82", "91", "92", "93", "94", "95", "96"})


@cache
def table() -> Mapping[str, tuple[str, str]]:
    """Code (two digits: province, four: regency) to (name, "current" | "former"). Read once, at the first NIK."""
    _, *lines = files("dialogs").joinpath("data", "regions.csv").read_text(encoding="utf-8").splitlines()
    entries: dict[str, tuple[str, str]] = {}
    for line in lines:
        code, name, status = line.split(",")
        entries[code] = (name, status)
    return MappingProxyType(entries)


def known(code: str) -> bool:
    """Whether this two- or four-digit code is, or once was, given to a region."""
    return code in table()


def zone(code: str) -> Zone:
    """The zone of the province that a code begins with; WIB, where most people live, for an unknown one."""
    province = code[:2]
    return "WITA" if province in _WITA else "WIT" if province in _WIT else "WIB"


def name(code: str) -> str | None:
    """The region's name in normal case ("Jawa Barat", "Kabupaten Bogor", "Kota Jakarta Pusat"); None where it is not known."""
    entry = table().get(code)
    return (entry[0] or None) if entry else None
