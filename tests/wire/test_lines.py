"""Lines as Fernet tokens: what any Fernet makes is opened, everything else is refused in time."""

from __future__ import annotations

import time

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from farscope.errors import Malformed, WrongKey
from farscope.wire.keyring import Keyring, new_key_text
from farscope.wire.lines import MAX_TOKEN_BYTES, LineOpener, LineSealer

OLD, NEW = new_key_text(), new_key_text()
RING = Keyring.from_text(f"{NEW}\n{OLD}\n")
OPENER = LineOpener(RING)


@given(st.text(max_size=200))
def test_a_line_comes_back_as_it_was_and_any_fernet_can_read_it(text):
    token = LineSealer(RING).seal(text)
    assert Fernet(NEW.encode()).decrypt(token).decode() == text.encode("utf-8", "backslashreplace").decode()
    opened = OPENER.open(token)
    assert opened.text == text
    assert abs(opened.sealed_s - time.time()) < 60


def test_lines_of_all_keys_are_opened_and_the_first_one_seals():
    assert OPENER.open(Fernet(OLD.encode()).encrypt(b"START")).text == "START"
    with pytest.raises(WrongKey, match="key that is not in the keyring"):
        LineOpener(Keyring.from_text(OLD)).open(LineSealer(RING).seal("START"))


def test_a_changed_line_is_refused():
    token = bytearray(LineSealer(RING).seal("START"))
    token[40] ^= 1
    with pytest.raises((WrongKey, Malformed)):
        OPENER.open(bytes(token))


@given(st.binary(max_size=300))
def test_bytes_that_are_no_token_are_malformed(data):
    with pytest.raises(Malformed):
        OPENER.open(data)


def test_too_long_a_token_and_one_without_text_are_malformed():
    with pytest.raises(Malformed, match="over the limit"):
        OPENER.open(b"g" * (MAX_TOKEN_BYTES + 1))
    with pytest.raises(Malformed, match="no text"):
        OPENER.open(Fernet(NEW.encode()).encrypt(b"\xff\xfe"))
