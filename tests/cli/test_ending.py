from __future__ import annotations

import os
import signal

import pytest

from farscope.cli.ending import ending, until


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


def test_a_span_that_has_passed_is_over_and_no_span_never_is():
    assert until(0.0, lambda: False)()
    assert not until(3_600.0, lambda: False)()
    assert until(3_600.0, lambda: True)()
    assert not until(None, lambda: False)()
