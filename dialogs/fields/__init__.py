"""The questions of the form, in the order in which they are asked.

Lives here: that order. Must not live here: any rule; each field is a file of its own, its shape is `_field.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

from dialogs.fields._field import Field
from dialogs.fields.email import EMAIL
from dialogs.fields.full_name import FULL_NAME
from dialogs.fields.nik import NIK
from dialogs.fields.phone import PHONE

FIELDS: tuple[Field, ...] = (FULL_NAME, NIK, PHONE, EMAIL)
BY_ID: Mapping[str, Field] = {field.id: field for field in FIELDS}
