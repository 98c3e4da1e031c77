"""Telling an error that strikes code from outside, wherever it is, from one of the code itself."""

from __future__ import annotations

from types import FrameType

_TAKES_MORE = 0x04
"""Set in a code object's flags if the function takes any number of arguments."""


def raised_by_a_signal_handler(error: BaseException) -> bool:
    """Return whether a signal's handler raised ``error``, rather than the code that the signal interrupted.

    A handler is called with the frame that it interrupts, and by nobody from there: it is known by that,
    whatever became of the signal since. To be called by who has just caught ``error``: only what was called
    from there counts.
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
