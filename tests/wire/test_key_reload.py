"""Keys follow their file: how often it is checked, and what happens while it is unusable."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from farscope.errors import WrongKey
from farscope.wire import key_reload as keywatch
from farscope.wire.envelope import Flags, peek_header
from farscope.wire.key_reload import CHECK_S, RETRY_S, KeyReloader
from farscope.wire.keyfile import AUTOMATIC_MARK
from farscope.wire.keyring import Keyring, new_key_text
from farscope.wire.keys import new_key_file, resolve_keyring, rotate_key_file
from farscope.wire.seal import Opener, Sealer

PROBE = bytes(16)


class Hours:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def hours(monkeypatch) -> Hours:
    """The clock of every watch that is made in the test."""
    clock = Hours()
    monkeypatch.setattr(KeyReloader.__init__, "__defaults__", (clock,))
    return clock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    keywatch._logged.clear()
    new_key_file(tmp_path / "key")
    return tmp_path / "key"


def test_a_file_that_stays_is_never_read_again(path, hours, monkeypatch):
    watch = KeyReloader(Keyring.load(path))
    monkeypatch.setattr(Keyring, "load", None)
    for _ in range(3):
        hours.now_s += CHECK_S
        assert not watch.check_if_due()
        assert not watch.check_now()


def test_a_rotation_is_seen_with_the_first_look_and_then_at_every_interval(path, hours):
    watch = KeyReloader(Keyring.load(path))
    for rotated in (rotate_key_file(path), rotate_key_file(path)):
        assert watch.check_if_due()
        assert watch.keyring.fingerprints == Keyring.load(path).fingerprints
        assert len(watch.keyring.keys) >= len(rotated.keys)
        rotate_key_file(path)
        assert not watch.check_if_due()
        hours.now_s += CHECK_S


def test_keys_that_come_from_no_file_stay_as_they_are(hours):
    watch = KeyReloader(Keyring.from_text(new_key_text()))
    hours.now_s += CHECK_S
    assert not watch.check_if_due()
    assert not watch.check_now()


def test_a_file_written_in_place_is_followed_like_one_that_is_replaced(path, hours):
    watch = KeyReloader(Keyring.load(path))
    path.write_text(f"{new_key_text()}\n{path.read_text()}")
    assert watch.check_if_due()
    assert watch.keyring.fingerprints == Keyring.load(path).fingerprints


def test_a_relative_path_is_followed_also_from_another_folder(path, hours, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    watch = KeyReloader(Keyring.load(path.name))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    rotate_key_file(path)
    assert watch.check_if_due()


def make_a_link_that_others_can_replace(path):
    path.parent.chmod(0o777)
    path.symlink_to(path.rename(path.with_name("real")))


SPOILT = {
    "open to others": lambda path: path.chmod(0o644),
    "gone": lambda path: path.unlink(),
    "no keys": lambda path: path.write_text("nonsense\n"),
    "a link": make_a_link_that_others_can_replace,
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_the_old_keys_stay_and_it_is_told_once_when_the_file_is(path, hours, caplog, spoil):
    keyring = Keyring.load(path)
    watches = [KeyReloader(keyring) for _ in range(3)]
    spoil(path)
    for _ in range(4):
        hours.now_s += CHECK_S
        for watch in watches:
            assert not watch.check_if_due()
            assert watch.keyring is keyring
    (record,) = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert str(path) in record.getMessage()
    assert "stays in use" in record.getMessage()


def test_a_file_in_order_again_is_followed_and_its_next_trouble_told_again(path, hours, caplog):
    watch = KeyReloader(Keyring.load(path))
    for _ in range(2):
        path.chmod(0o640)
        for _ in range(2):
            hours.now_s += CHECK_S
            assert not watch.check_if_due()
        path.chmod(0o600)
        rotate_key_file(path)
        hours.now_s += CHECK_S
        assert watch.check_if_due()
    assert [each.levelno for each in caplog.records].count(logging.WARNING) == 2


def test_what_is_no_good_for_one_look_only_is_not_told(path, hours, caplog):
    watch = KeyReloader(Keyring.load(path))
    text = path.read_text()
    path.write_text(text[:20])
    assert not watch.check_if_due()
    path.write_text(f"{new_key_text()}\n{text}")
    hours.now_s += CHECK_S
    assert watch.check_if_due()
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


def test_a_file_that_is_no_good_is_not_read_for_every_foreign_key(path, hours, monkeypatch):
    watch = KeyReloader(Keyring.load(path))
    path.write_text("nonsense\n")
    reads = []
    load = Keyring.load
    monkeypatch.setattr(Keyring, "load", lambda path: reads.append(path) or load(path))
    for _ in range(100):
        assert not watch.check_now()
    assert len(reads) == 1
    hours.now_s += RETRY_S
    assert not watch.check_now()
    assert len(reads) == 2


def test_a_shared_log_never_follows_to_keys_made_automatically(path, hours, monkeypatch, caplog):
    monkeypatch.setattr("farscope.wire.keys.default_key_path", lambda: path)
    shared, own = KeyReloader(resolve_keyring(shared=True)), KeyReloader(resolve_keyring(shared=False))
    path.write_text(f"{AUTOMATIC_MARK}\n{new_key_text()}\n")
    assert own.check_if_due()
    for _ in range(2):
        hours.now_s += CHECK_S
        assert not shared.check_if_due()
    assert "made automatically" in caplog.text


def test_a_sealer_takes_the_new_key_and_an_opener_meets_it_without_being_told(path, hours):
    sealer, opener = Sealer(Keyring.load(path), PROBE), Opener(Keyring.load(path))
    opener.open(sealer.seal(0, Flags.NONE, b"before"))
    rotated = rotate_key_file(path)
    hours.now_s += CHECK_S
    sealed = sealer.seal(1, Flags.NONE, b"after")
    assert peek_header(sealed).key_id == rotated.sealing.id
    assert opener.open(sealed)[1] == b"after"


def test_an_opener_reads_its_file_before_it_calls_a_key_a_wrong_one(path, hours):
    opener = Opener(Keyring.load(path))
    foreign = Sealer(Keyring.from_text(new_key_text()), PROBE).seal(0, Flags.NONE, b"foreign")
    for number in range(3):
        with pytest.raises(WrongKey):
            opener.open(foreign)
        sealed = Sealer(rotate_key_file(path), PROBE).seal(number, Flags.NONE, b"ours")
        assert opener.open(sealed)[1] == b"ours"


def test_a_dropped_key_stops_opening_with_the_next_look(path, hours):
    sealed = Sealer(Keyring.load(path), PROBE).seal(0, Flags.NONE, b"old")
    rotate_key_file(path)
    opener = Opener(Keyring.load(path))
    opener.open(sealed)
    rotate_key_file(path, drop_old=True)
    hours.now_s += CHECK_S
    with pytest.raises(WrongKey):
        opener.open(sealed)
