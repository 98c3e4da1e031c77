from __future__ import annotations

import os
import signal

import pytest

from farscope.cli.interrupts import account, ending, until
from farscope.cli.source import open_source
from farscope.scope.inbox import DEFAULT_STEPS
from farscope.scope.scope import Scope
from farscope.testing.waiting import eventually


def interrupt_twice() -> None:
    with ending() as over:
        assert not over()
        os.kill(os.getpid(), signal.SIGINT)
        assert over()
        os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_request_is_noted_and_what_was_before_is_put_back(number):
    before = signal.getsignal(number)
    with ending() as over:
        os.kill(os.getpid(), number)
        assert over()
    assert signal.getsignal(number) is before


def test_the_second_request_ends_at_once():
    with pytest.raises(KeyboardInterrupt):
        interrupt_twice()


def test_a_span_counts_from_when_it_has_begun():
    begun = False
    over = until(0.0, lambda: False, lambda: begun)
    assert not over()
    begun = True
    assert over()
    begun = False
    assert over()


def test_what_has_not_begun_still_ends_when_asked_to():
    assert until(3_600.0, lambda: True, lambda: False)()


def test_a_span_that_has_passed_is_over_and_no_span_never_is():
    assert until(0.0, lambda: False)()
    assert not until(3_600.0, lambda: False)()
    assert until(3_600.0, lambda: True)()
    assert not until(None, lambda: False)()


def test_the_account_tells_that_the_end_of_the_log_was_not_reached(long_url):
    with Scope(long_url, since="start") as scope, scope.taking():
        eventually(lambda: scope.stats.waiting >= DEFAULT_STEPS)
        scope.close()
        assert account(scope).endswith("lost 0, duplicated 0; ended before the log's end was reached")


def test_the_account_tells_how_many_steps_were_not_shown(log_url, play):
    play("lamp")
    with Scope(log_url, since="start") as scope:
        eventually(lambda: scope.caught_up and scope.stats.waiting == 4)
        assert account(scope).endswith("lost 0, duplicated 0; ended with 4 of them not shown")
        scope.take(0.0)
        assert account(scope).endswith("lost 0, duplicated 0")


def test_a_verb_that_is_interrupted_on_its_way_to_the_end_says_how_far_it_came(long_url, capsys):
    def interrupted(step):
        raise KeyboardInterrupt(step.signal)

    with pytest.raises(KeyboardInterrupt, match="start_at"), open_source(long_url, "start", None) as source:
        list(map(interrupted, source.steps))
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith(f"read {long_url}: seen ")
    assert told.endswith("; ended before the log's end was reached")
