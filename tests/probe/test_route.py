"""A program chooses where its steps go; options it did not choose are not required."""

from __future__ import annotations

import logging
import pwd

import pytest

from farscope import Event, Factory, broadcast
from farscope.errors import BadUrl, LogRefused, NoKey, UsageError
from farscope.logs.url import open_log
from farscope.probe.route import route
from farscope.probe.spool.directory import default_spool_root
from farscope.wire.keys import new_key_file

AWAY = "amqp://guest@127.0.0.1:1/"
"""Nobody listens there."""


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without a name and a home folder, as containers have them."""

    def unnamed(number: int) -> pwd.struct_passwd:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unnamed)


@pytest.mark.usefixtures("homeless")
def test_without_a_home_an_address_and_a_key_are_enough(tmp_path, caplog):
    new_key_file(tmp_path / "key")
    lamp = Factory("lamp", threaded=False)
    lamp.create("off").catch("PRESS", lambda chart, _: chart.trans("off"))
    lamp.nest("off", parent=None)
    with broadcast(lamp, url=AWAY, key=tmp_path / "key") as probe:
        lamp.start_at("off")
        lamp.dispatch(Event("PRESS"))
        assert probe.stats.emitted == 2
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "no spool" in warned[0]
    assert "set XDG_STATE_HOME" in warned[0]


@pytest.mark.usefixtures("homeless")
def test_without_a_home_what_needs_one_says_which_variable_to_set(tmp_path):
    keyring = new_key_file(tmp_path / "key")
    assert default_spool_root() is None
    with pytest.raises(BadUrl, match="XDG_STATE_HOME or HOME"):
        route(None, keyring, "batches", spool=True)
    with pytest.raises(NoKey, match="FARSCOPE_KEY_FILE"):
        route(AWAY, None, "batches", spool=True)
    with pytest.raises(UsageError, match="or set HOME"):
        route(AWAY, keyring, "batches", spool="~/spool")
    with pytest.raises(BadUrl, match="absolute path"):
        open_log("sqlite:~/charts")
    log = open_log(f"{AWAY}?password_file=~/password")
    with pytest.raises(LogRefused, match="or set HOME"):
        log.reader()


@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize("spool", [False, None])
def test_who_wants_no_spool_is_not_warned(tmp_path, caplog, spool):
    route(AWAY, new_key_file(tmp_path / "key"), "batches", spool=spool)
    assert not caplog.records
