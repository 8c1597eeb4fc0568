"""What is masked shows its owner that it is theirs and nobody else what it is; the chat and the backend mask alike."""

from __future__ import annotations

import pytest

from backend.masking import mask_email
from dialogs.fields import FIELDS


@pytest.mark.parametrize("address", ["budi@example.com", "ani@example.com", "ai@example.com", "a@example.com"])
def test_an_address_is_masked_as_in_the_chat_and_a_short_one_whole(address: str) -> None:
    (email,) = (field for field in FIELDS if field.id == "email")
    assert mask_email(address) == email.mask(address)
    local = address.partition("@")[0]
    assert not mask_email(address).startswith(local)
