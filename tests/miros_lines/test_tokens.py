"""Lines as Fernet tokens: any Fernet's tokens are opened, everything else is refused in time."""

from __future__ import annotations

import time

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from farscope.errors import Malformed, WrongKey
from farscope.miros_lines.tokens import MAX_TOKEN_BYTES, LineOpener, LineSealer
from farscope.wire.key_reload import CHECK_S, KeyReloader
from farscope.wire.keyring import Keyring, new_key_text
from farscope.wire.keys import new_key_file, rotate_key_file

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
    with pytest.raises(Malformed, match="not text"):
        OPENER.open(Fernet(NEW.encode()).encrypt(b"\xff\xfe"))


def test_lines_follow_the_key_file_as_batches_do(tmp_path, monkeypatch):
    now_s = [1000.0]
    monkeypatch.setattr(KeyReloader.__init__, "__defaults__", (lambda: now_s[0],))
    path = tmp_path / "key"
    new_key_file(path)
    sealer, opener = LineSealer(Keyring.load(path)), LineOpener(Keyring.load(path))
    opener.open(sealer.seal("before"))
    rotate_key_file(path)
    rotate_key_file(path, drop_old=True)
    now_s[0] += CHECK_S
    token = sealer.seal("after")
    assert LineOpener(Keyring.load(path)).open(token).text == "after"
    assert opener.open(token).text == "after"
