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


def name(code: str) -> str | None:
    """The region's name in normal case ("Jawa Barat", "Kabupaten Bogor", "Kota Jakarta Pusat"); None where it is not known."""
    entry = table().get(code)
    return (entry[0] or None) if entry else None
