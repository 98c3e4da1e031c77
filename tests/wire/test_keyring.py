"""Keys are read strictly, distinguished by fingerprints, and never shown."""

from __future__ import annotations

import base64
import copy
import pickle
import traceback
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from farscope.errors import BadKey, KeyringError, NoKey, PublicKey
from farscope.wire.keyring import MAX_KEYS, Key, Keyring, fingerprint, new_key_text

ROOT = Path(__file__).parents[2]
MIROS_KEY = base64.urlsafe_b64encode(
    bytes.fromhex("bb751cfaa022f62882bf77e405f45400aaccd601fcc39d7e9d553c33c03bdc98")
).decode()
"""The key of the miros example, spelt so that a search for keys in the repository stays empty."""


def test_a_new_key_has_32_bytes_in_44_characters_and_differs_each_time():
    texts = {new_key_text() for _ in range(100)}
    assert len(texts) == 100
    assert {(len(text), len(base64.urlsafe_b64decode(text))) for text in texts} == {(44, 32)}


def test_a_key_also_serves_fernet():
    key = Keyring.from_text(new_key_text()).sealing
    token = Fernet(key.reveal()).encrypt(b"START")
    assert Fernet(key.reveal().encode()).decrypt(token) == b"START"


def test_the_first_key_seals_and_the_order_is_kept():
    texts = [new_key_text() for _ in range(3)]
    keyring = Keyring.from_text(f"# a comment\n\n  {texts[0]}\r\n{texts[1]}\n# another\n{texts[2]}")
    assert [key.reveal() for key in keyring.keys] == texts
    assert keyring.sealing.reveal() == texts[0]
    assert keyring.fingerprints == tuple(map(fingerprint, texts))
    assert keyring.fingerprint == keyring.fingerprints[0]


def test_a_key_given_twice_is_one_key():
    text, other = new_key_text(), new_key_text()
    assert len(Keyring.from_text(f"{text}\n{other}\n{text}").keys) == 2


@given(st.binary(min_size=32, max_size=32))
def test_a_fingerprint_is_stable_and_holds_nothing_of_the_key(secret):
    key = Key(secret)
    assert key.fingerprint == Key(bytes(secret)).fingerprint
    assert len(bytes.fromhex(key.fingerprint)) == 8
    assert key.id not in secret


def test_the_fingerprint_of_a_known_key_never_changes():
    assert Key(bytes(32)).fingerprint == "370ae5413576c277"


@given(st.text(max_size=60))
def test_text_that_is_no_key_is_refused_without_being_shown(text):
    with pytest.raises(BadKey) as caught:
        Keyring.from_text(f"\n{text}!")
    assert text not in caught.value.message or len(text) < 12


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:-1],
        lambda text: text + "=",
        lambda text: text[:-2] + "==",
        lambda text: text[1:],
        lambda text: "+" + text[1:],
        lambda text: text[:20] + "\n" + text[20:],
        lambda text: f"key: {text}",
        lambda _text: "",
        lambda _text: "# only a comment",
    ],
)
def test_a_key_is_taken_in_one_form_only_and_its_text_shows_nowhere(spoil):
    text = new_key_text()
    with pytest.raises(BadKey) as caught:
        Keyring.from_text(spoil(text))
    shown = "".join(traceback.format_exception(caught.value)) + caught.value.hint
    assert text[2:18] not in shown
    assert text[24:40] not in shown


def test_too_many_keys_are_refused():
    texts = [new_key_text() for _ in range(MAX_KEYS + 1)]
    assert len(Keyring.from_text("\n".join(texts[1:])).keys) == MAX_KEYS
    with pytest.raises(BadKey, match=str(MAX_KEYS)):
        Keyring.from_text("\n".join(texts))


def last_bits_set(text: str) -> str:
    """The same key written otherwise: the two lowest bits of the last character belong to no byte."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text[:-2] + alphabet[alphabet.index(text[-2]) | 3] + "="


@pytest.mark.parametrize("written", [MIROS_KEY, last_bits_set(MIROS_KEY), f"# mine\n{MIROS_KEY}"])
def test_the_public_key_of_the_seed_is_refused_however_it_is_written(written):
    with pytest.raises(PublicKey, match="everybody has it"):
        Keyring.from_text(written)


def test_the_public_key_is_refused_below_other_keys_and_through_every_door(tmp_path):
    path = tmp_path / "key"
    path.touch(0o600)
    path.write_text(f"{new_key_text()}\n{MIROS_KEY}\n")
    for door in (
        lambda: Keyring.load(path),
        lambda: Keyring.of(path),
        lambda: Keyring.of(MIROS_KEY),
        lambda: Keyring.of(MIROS_KEY.encode()),
        lambda: fingerprint(MIROS_KEY),
    ):
        with pytest.raises(PublicKey):
            door()


def test_the_public_key_opens_the_seeds_messages_where_that_was_asked_for():
    assert Keyring.from_text(MIROS_KEY, allow_public=True).sealing.reveal() == MIROS_KEY


def test_the_public_key_is_not_spread_by_the_sources():
    spread = [
        path
        for path in (ROOT / "src").rglob("*")
        if path.is_file() and MIROS_KEY.encode() in path.read_bytes()
    ]
    assert not spread


def test_a_key_shows_in_no_repr_str_or_format():
    text = new_key_text()
    keyring = Keyring.from_text(text)
    for thing in (keyring, keyring.sealing, keyring.keys, {"key": keyring}):
        for shown in (repr(thing), str(thing), f"{thing}", f"{thing!a}"):
            assert keyring.fingerprint in shown
            assert text[:10] not in shown
            assert repr(keyring.sealing.secret)[2:10] not in shown


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_keys_cannot_be_pickled_or_copied(protocol):
    keyring = Keyring.from_text(new_key_text())
    for thing in (keyring, keyring.sealing):
        with pytest.raises(KeyringError, match="cannot be pickled"):
            pickle.dumps(thing, protocol)
        with pytest.raises(KeyringError):
            copy.deepcopy(thing)


def test_a_keyring_is_made_of_itself_of_text_of_bytes_or_of_a_path(tmp_path):
    text = new_key_text()
    keyring = Keyring.from_text(text)
    path = tmp_path / "key"
    path.touch(0o600)
    path.write_text(text)
    assert Keyring.of(keyring) is keyring
    for way in (text, text.encode(), path):
        assert Keyring.of(way).fingerprint == keyring.fingerprint


def test_a_path_given_as_text_is_refused_with_the_remedy(tmp_path):
    with pytest.raises(BadKey, match=r"pathlib\.Path"):
        Keyring.of(str(tmp_path / "key"))
    with pytest.raises(BadKey):
        Keyring.of(b"\xff\xfe")


def test_errors_of_a_file_name_the_file(tmp_path):
    path = tmp_path / "key"
    path.touch(0o600)
    for content, error in (("nonsense", BadKey), (MIROS_KEY, PublicKey)):
        path.write_text(content)
        with pytest.raises(error, match=str(path)):
            Keyring.load(path)
    with pytest.raises(NoKey, match="missing"):
        Keyring.load(tmp_path / "missing")


def test_a_key_of_another_length_is_refused():
    with pytest.raises(BadKey):
        Key(bytes(16))
    with pytest.raises(BadKey):
        Keyring([])
