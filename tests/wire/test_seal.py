"""Sealed data opens unchanged with the right key; changed, exchanged or cut data does not."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farscope.errors import (
    BatchTooLarge,
    Invariant,
    Malformed,
    Tampered,
    UnsupportedSuite,
    UnsupportedVersion,
    WrongKey,
)
from farscope.wire import seal
from farscope.wire.envelope import (
    HEADER_BYTES,
    MAX_BATCH_BYTES,
    OVERHEAD_BYTES,
    Flags,
    peek_header,
)
from farscope.wire.keyring import Keyring, new_key_text
from farscope.wire.seal import Opener, Sealer

PROBE = bytes(range(16))
OTHER_PROBE = bytes(range(16, 32))
KEYRING = Keyring.from_text(new_key_text())
ERROR_OF_BYTE = {
    **dict.fromkeys(range(4), Malformed),  # magic
    **dict.fromkeys(range(4, 6), UnsupportedVersion),
    **dict.fromkeys(range(6, 8), UnsupportedSuite),
    **dict.fromkeys(range(16, 24), WrongKey),
}
"""What a flip in a byte of the header leads to; everywhere else the seal does not hold."""


def sealed(number=0, flags=Flags.NONE, body=b"body", *, probe=PROBE, keyring=KEYRING):
    return Sealer(keyring, probe).seal(number, flags, body)


@given(st.integers(0, 2**64 - 1), st.sampled_from([Flags(bits) for bits in range(8)]), st.binary())
def test_what_was_sealed_opens_unchanged(number, flags, body):
    data = sealed(number, flags, body)
    header, opened = Opener(KEYRING).open(data)
    assert (header.number, header.flags, header.probe, opened) == (number, flags, PROBE, body)
    assert header == peek_header(data)
    assert len(data) == len(body) + OVERHEAD_BYTES


def test_every_single_bit_flip_is_refused():
    data = sealed(3, Flags.ANNOUNCE, b"a small body")
    opener = Opener(KEYRING)
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        expected = ERROR_OF_BYTE.get(bit // 8, Tampered)
        with pytest.raises(expected):
            opener.open(bytes(flipped))


def test_every_truncation_is_refused():
    data = sealed()
    for size in range(len(data)):
        with pytest.raises((Malformed, Tampered)):
            Opener(KEYRING).open(data[:size])
    with pytest.raises(Tampered):
        Opener(KEYRING).open(data + b"\0")


@pytest.mark.parametrize(
    "other",
    [
        lambda: sealed(1),
        lambda: sealed(1 << 32),
        lambda: sealed(0, Flags.GOODBYE),
        lambda: sealed(probe=OTHER_PROBE),
        sealed,
    ],
    ids=["number", "high number", "flags", "probe", "nonce"],
)
def test_a_body_under_another_header_is_refused(other):
    mine, theirs = sealed(), other()
    with pytest.raises(Tampered):
        Opener(KEYRING).open(theirs[:HEADER_BYTES] + mine[HEADER_BYTES:])


def test_another_key_is_named_by_its_fingerprint():
    other = Keyring.from_text(new_key_text())
    with pytest.raises(WrongKey, match=other.fingerprint) as caught:
        Opener(KEYRING).open(sealed(keyring=other))
    assert caught.value.fingerprint == other.fingerprint


def test_a_key_id_put_over_a_batch_of_another_key_does_not_open_it():
    data = bytearray(sealed(keyring=Keyring.from_text(new_key_text())))
    data[16:24] = KEYRING.sealing.id
    with pytest.raises(Tampered):
        Opener(KEYRING).open(bytes(data))


def test_after_a_rotation_old_batches_open_and_new_ones_need_the_new_key():
    rotated = Keyring([*Keyring.from_text(new_key_text()).keys, *KEYRING.keys])
    assert Opener(rotated).open(sealed())[1] == b"body"
    assert Opener(rotated).open(sealed(keyring=rotated))[1] == b"body"
    with pytest.raises(WrongKey):
        Opener(KEYRING).open(sealed(keyring=rotated))


def test_a_retired_key_opens_nothing_any_more():
    retired = Keyring.from_text(new_key_text())
    with pytest.raises(WrongKey):
        Opener(KEYRING).open(sealed(keyring=retired))


def test_sealing_the_same_body_again_gives_other_bytes():
    sealer = Sealer(KEYRING, PROBE)
    batches = {sealer.seal(0, Flags.NONE, b"body") for _ in range(1000)}
    assert len({batch[48:60] for batch in batches}) == 1000
    assert len({batch[HEADER_BYTES:] for batch in batches}) == 1000


def test_nothing_of_the_body_or_the_key_is_in_the_sealed_bytes():
    body = b"a text that would be recognised"
    data = sealed(body=body)
    assert body not in data
    assert not any(KEYRING.sealing.secret[i : i + 4] in data for i in range(29))


def test_a_body_too_large_is_refused_by_the_sealer_and_the_largest_one_opens():
    largest = bytes(MAX_BATCH_BYTES - OVERHEAD_BYTES)
    assert Opener(KEYRING).open(sealed(body=largest))[1] == largest
    with pytest.raises(BatchTooLarge):
        sealed(body=largest + b"\0")


@pytest.mark.parametrize("number", [-1, 2**64])
def test_a_number_that_does_not_fit_is_a_bug_of_the_caller(number):
    with pytest.raises(Invariant):
        sealed(number)


def test_a_probe_id_of_another_length_is_a_bug_of_the_caller():
    with pytest.raises(Invariant):
        Sealer(KEYRING, b"short")


def test_an_opener_keeps_a_bounded_number_of_derived_keys(monkeypatch):
    monkeypatch.setattr(seal, "MAX_DERIVED_KEYS", 3)
    opener = Opener(KEYRING)
    batches = [sealed(probe=os.urandom(16)) for _ in range(8)]
    for batch in batches + batches[::-1]:
        assert opener.open(batch)[1] == b"body"
    assert len(opener._ciphers) == 3


def test_strangers_batches_leave_nothing_in_the_opener():
    opener = Opener(KEYRING)
    other = Keyring.from_text(new_key_text())
    for _ in range(10):
        with pytest.raises(WrongKey):
            opener.open(sealed(probe=os.urandom(16), keyring=other))
    assert not opener._ciphers
