"""A broker that is rebuilt under its watchers: it comes back bit by bit, and they wait for all of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest

from farscope import Event, Factory, broadcast
from farscope.errors import LogRefused
from farscope.logs.url import open_log
from farscope.scope.scope import Scope
from farscope.wire.keys import new_key_file
from support.broker import Broker
from support.program import Program

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]

WORD = "right"
WAIT_S = 60.0
PRESSES = 9


class Place:
    """A virtual host with a user of its own, which can be taken away and given back."""

    def __init__(self, broker: Broker) -> None:
        self.name = f"rebuilt-{uuid4().hex}"
        self.url = broker.url(self.name, WORD, vhost=self.name)
        self._broker = broker

    def do(self, *calls: str) -> None:
        """Call the broker's own functions, one after the other: far quicker than a command for each."""
        place = {"name": f'<<"{self.name}">>', "me": '<<"tests">>'}
        self._broker.control("eval", ", ".join(call % place for call in calls) + ".")

    def make(self) -> None:
        self.do(ADD_USER, ADD_VHOST, MAY_ALL)

    def remove(self) -> None:
        self.do(REMOVE_VHOST, REMOVE_USER)


ADD_USER = f'rabbit_auth_backend_internal:add_user(%(name)s, <<"{WORD}">>, %(me)s)'
REMOVE_USER = "rabbit_auth_backend_internal:delete_user(%(name)s, %(me)s)"
SPOIL_LOGIN = 'rabbit_auth_backend_internal:change_password(%(name)s, <<"other">>, %(me)s)'
MEND_LOGIN = f'rabbit_auth_backend_internal:change_password(%(name)s, <<"{WORD}">>, %(me)s)'
ADD_VHOST = "rabbit_vhost:add(%(name)s, %(me)s)"
REMOVE_VHOST = "rabbit_vhost:delete(%(name)s, %(me)s)"
MAY_NOTHING = (
    'rabbit_auth_backend_internal:set_permissions(%(name)s, %(name)s, <<"^$">>, <<"^$">>, <<"^$">>, %(me)s)'
)
MAY_ALL = MAY_NOTHING.replace("^$", ".*")


@pytest.fixture
def place(broker: Broker) -> Iterator[Place]:
    made = Place(broker)
    made.make()
    yield made
    made.remove()


@pytest.fixture
def key(tmp_path: Path) -> Path:
    new_key_file(tmp_path / "key")
    return tmp_path / "key"


@pytest.fixture
def play(place: Place, key: Path) -> Callable[[str], None]:
    """Run a lamp of that name whose button is pressed ``PRESSES`` times."""

    def run(name: str) -> None:
        lamp = Factory(name, threaded=False)
        lamp.create("off").catch("PRESS", lambda chart, _: chart.trans("on"))
        lamp.create("on").catch("PRESS", lambda chart, _: chart.trans("off"))
        lamp.nest("off", parent=None).nest("on", parent=None)
        with broadcast(lamp, url=place.url, key=key):
            lamp.start_at("off")
            for _ in range(PRESSES):
                lamp.dispatch(Event("PRESS"))

    return run


def test_watcher_and_recorder_wait_for_login_vhost_rights_and_stream_to_come_back(
    place: Place, key: Path, tmp_path: Path, play: Callable[[str], None]
):
    play("before")
    run = tmp_path / "run.farscope"
    with ExitStack() as stack:
        verbs = ["watch", place.url, "--key", str(key), "--since", "start"], ["record", str(run), place.url]
        watch, record = (stack.enter_context(Program("-m", "farscope", *words)) for words in verbs)
        watch.wait_err("before: closed", WAIT_S)
        record.wait_err("recording", WAIT_S)
        for calls, told in (
            ((SPOIL_LOGIN, REMOVE_VHOST), "refuses the login of user"),
            ((MEND_LOGIN,), "into the virtual host"),
            ((ADD_VHOST, MAY_NOTHING), "may not do it"),
        ):
            place.do(*calls)
            for program in (watch, record):
                program.wait_err(told, WAIT_S)
        place.do(MAY_ALL)
        play("after")
        watch.wait_err("after: closed", WAIT_S)
        for program in (watch, record):
            program.wait_err("log available", WAIT_S)
            program.interrupt()
            assert program.wait() == 0, program.err
        steps = 2 * (PRESSES + 1)
        assert watch.err.splitlines()[-1] == f"seen {steps} steps of 2 probes, lost 0, duplicated 0"
        assert "missing" not in record.err


def test_a_wrong_password_at_the_first_connection_ends_it_at_once(place: Place, key: Path):
    wrong = place.url.replace(f":{WORD}@", ":other@")
    with pytest.raises(LogRefused, match="refuses the login"):
        open_log(wrong).reader()
    scope = Scope(wrong, key, since="start")
    with pytest.raises(LogRefused, match="refuses the login"), scope:
        scope.wait_for(lambda scope: scope.ended, WAIT_S)
    (unknown,) = scope.stats.unknown
    assert json.dumps(unknown.as_dict())
    assert not scope.caught_up
