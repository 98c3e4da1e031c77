"""Errors that strike from outside are reported from those of the code they strike."""

from __future__ import annotations

import functools
import signal

import pytest

from farscope.records.outside import raised_by_a_signal_handler


class Late(Exception):
    pass


def raising(_number, _frame=None, *_more, **_options):
    raise Late


class Methods:
    def handler(self, _number, *_given):
        self.deeper()

    def deeper(self):
        raise Late


def forgetful(number, frame):
    signal.signal(number, signal.SIG_DFL)
    raise Late(frame.f_lineno)


@pytest.mark.parametrize("handler", [raising, Methods().handler, forgetful, functools.partial(raising)])
def test_what_a_handler_raises_is_known_however_it_is_written(handler):
    former = signal.signal(signal.SIGUSR1, handler)
    known = None
    try:
        signal.raise_signal(signal.SIGUSR1)
    except Late as error:
        known = raised_by_a_signal_handler(error)
    finally:
        signal.signal(signal.SIGUSR1, former)
    assert known


def test_what_code_raises_itself_is_its_own_also_inside_a_handler():
    known = []

    def handler(*_):
        try:
            Methods().deeper()
        except Late as error:
            known.append(raised_by_a_signal_handler(error))

    former = signal.signal(signal.SIGUSR1, handler)
    try:
        signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, former)
    assert known == [False]


def test_an_error_that_was_never_raised_is_nobodys():
    assert not raised_by_a_signal_handler(Late())
