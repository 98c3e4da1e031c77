"""Distinguishes errors raised by signal handlers from errors of the interrupted code."""

from __future__ import annotations

from types import FrameType

_TAKES_MORE = 0x04
"""Flag of a code object whose function takes ``*args``."""


def raised_by_a_signal_handler(error: BaseException) -> bool:
    """Return whether a signal handler raised ``error``, rather than the code interrupted by the signal.

    A handler is recognised by its argument: it receives the frame it interrupts, as no other function does.
    This works whatever has happened to the signal since. Call it where ``error`` was just caught: only calls
    made from there are examined.
    """
    trace = error.__traceback__ and error.__traceback__.tb_next
    while trace is not None:
        interrupted = trace.tb_frame.f_back
        if interrupted is not None and _is_given(trace.tb_frame, interrupted):
            return True
        trace = trace.tb_next
    return False


def _is_given(frame: FrameType, given: FrameType) -> bool:
    code, values = frame.f_code, frame.f_locals
    count = code.co_argcount + code.co_kwonlyargcount
    if any(values.get(name) is given for name in code.co_varnames[:count]):
        return True
    if not code.co_flags & _TAKES_MORE:
        return False
    return any(value is given for value in values.get(code.co_varnames[count], ()))
