"""The key ring: what is sealed comes back only unaltered, in its own place and under a key that is still there."""

from __future__ import annotations

import base64
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akses.keyring import INDEX, KEY_BYTES, Keyring, KeyringInvalid, SealBroken

OLD, NEW, LOOKUP = (os.urandom(KEY_BYTES) for _ in range(3))
RING = Keyring({"k1": OLD, INDEX: LOOKUP})
ROTATED = Keyring({"k2": NEW, "k1": OLD, INDEX: LOOKUP})
AFTERWARDS = Keyring({"k2": NEW, INDEX: LOOKUP})


@given(st.binary(max_size=300), st.binary(max_size=60))
def test_what_is_sealed_opens_in_its_own_context_and_shows_nothing(plain: bytes, context: bytes) -> None:
    sealed = RING.seal(plain, context)
    assert RING.open(sealed, context) == plain
    assert len(sealed) == len(plain) + 32
    assert len(plain) < 4 or plain not in sealed


@given(st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=60))
def test_another_context_opens_nothing(plain: bytes, context: bytes, other: bytes) -> None:
    """A value cannot be moved to another person's row, or another column."""
    if context != other:
        with pytest.raises(SealBroken):
            RING.open(RING.seal(plain, context), other)


@given(st.binary(max_size=60), st.data())
def test_a_single_changed_bit_is_noticed(plain: bytes, data: st.DataObject) -> None:
    sealed = bytearray(RING.seal(plain, b"c"))
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SealBroken):
        RING.open(bytes(sealed), b"c")


@given(st.binary(max_size=80))
def test_what_we_never_sealed_does_not_open(stray: bytes) -> None:
    with pytest.raises(SealBroken):
        RING.open(stray, b"c")


def test_the_first_index_key_makes_look_ups_and_every_one_finds_them() -> None:
    before, both, after = (
        Keyring({"k1": OLD, **indexing}) for indexing in ({INDEX: OLD}, {"index2": NEW, INDEX: OLD}, {"index2": NEW})
    )
    assert both.indexes("nik", "1") == (after.index("nik", "1"), before.index("nik", "1"))
    assert both.index("nik", "1") == both.indexes("nik", "1")[0] != before.index("nik", "1")
    assert both.index("nik", "1").startswith(both.index_mark)
    assert len(both.index("nik", "1")) == len(both.index_mark) + 32
    assert (before.index_mark, after.index_mark) == (b"", both.index_mark)


def test_the_same_text_sealed_twice_differs_and_indexed_twice_is_equal() -> None:
    assert RING.seal(b"x", b"c") != RING.seal(b"x", b"c")
    assert (
        RING.index("nik", "3171234567890123")
        == ROTATED.index("nik", "3171234567890123")
        == AFTERWARDS.index("nik", "3171234567890123")
    )  # look-ups survive a rotation
    assert RING.index("nik", "1") != RING.index("phone", "1")
    assert RING.index("nik", "1") != Keyring({"k1": OLD, INDEX: NEW}).index("nik", "1")


def test_a_rotation_in_three_steps_loses_nothing() -> None:
    """The new key in front, everything sealed anew, the old one taken out."""
    before = RING.seal(b"x", b"c")
    assert ROTATED.open(before, b"c") == b"x"
    assert not before.startswith(ROTATED.newest)
    after = ROTATED.seal(ROTATED.open(before, b"c"), b"c")
    assert after.startswith(ROTATED.newest)
    assert AFTERWARDS.open(after, b"c") == b"x"
    with pytest.raises(SealBroken):
        AFTERWARDS.open(before, b"c")


def test_a_process_that_does_not_know_the_new_key_yet_can_be_brought_to_know_it_first() -> None:
    """Rolling out: the new key at the second place opens everywhere before anybody seals with it."""
    prepared = Keyring({"k1": OLD, "k2": NEW, INDEX: LOOKUP})
    assert prepared.open(ROTATED.seal(b"x", b"c"), b"c") == b"x"
    assert RING.open(prepared.seal(b"x", b"c"), b"c") == b"x"


def test_a_new_written_keyring_reads_back_and_is_never_the_same() -> None:
    written = Keyring.generate()
    assert Keyring.parse(written).open(Keyring.parse(f" {written} ,").seal(b"x", b"c"), b"c") == b"x"
    assert written != Keyring.generate()


KEY = base64.b64encode(bytes(range(KEY_BYTES))).decode()


@pytest.mark.parametrize(
    "written",
    [
        "",
        KEY,
        f"k1:{KEY}",  # no index
        f"index:{KEY}",  # nothing that seals
        f"k1:{KEY},k1:{KEY},index:{KEY}",  # twice the same name
        f"k1:{KEY[:-8]},index:{KEY}",  # too short
        f"k1:{KEY[:-1]}!,index:{KEY}",  # no base64
        f":{KEY},index:{KEY}",  # no name
        f"k1:{KEY} index:{KEY}",  # no comma
    ],
)
def test_a_keyring_that_is_not_well_written_is_refused_without_showing_a_key(written: str) -> None:
    with pytest.raises(KeyringInvalid) as refused:
        Keyring.parse(written)
    assert KEY[:8] not in str(refused.value)
