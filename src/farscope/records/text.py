"""Text output of steps: the only place where spy and trace are turned into lines."""

from __future__ import annotations

import pprint
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from farscope.records.step import Step

_STAMP = re.compile(r"^\s*\[[0-9:. -]+\] ")


def spy_text(steps: Iterable[Step]) -> list[str]:
    """Return the spy lines of ``steps``, oldest first."""
    lines: list[str] = []
    for step in steps:
        lines += step.spy()
    return lines


def trace_text(lines: Iterable[str]) -> str:
    """Return trace lines in the format of ``chart.trace()``: a newline first, and one after each line."""
    return "\n" + "".join(f"{line}\n" for line in lines)


@contextmanager
def stripped(log: str | Iterable[str]) -> Iterator[str | list[str]]:
    """Remove the time stamps from a log, so that a run can be compared with a specification.

    Args:
        log: a trace (a string of many lines), a single trace line, or a list of lines.

    Yields:
        A list of the non-empty lines without stamps; for a single line, that line.
    """
    if isinstance(log, str):
        lines = log.splitlines()
        if len(lines) <= 1:
            yield _STAMP.sub("", log)
            return
    else:
        lines = list(log)
    yield [_STAMP.sub("", line.strip()) for line in lines if line.strip()]


def pp(thing: object) -> None:
    """Print ``thing`` like ``pprint``, with each spy line on a separate line."""
    print_line(pprint.pformat(thing))


def print_line(line: str) -> None:
    """Print a line; characters that standard output cannot encode are printed as escapes."""
    try:
        print(line)  # noqa: T201 - printing is what it is for
    except UnicodeEncodeError:
        print(encodable(line, sys.stdout.encoding))  # noqa: T201 - same


def encodable(text: str, encoding: str | None) -> str:
    r"""Return ``text`` with characters that ``encoding`` lacks replaced by escapes such as ``\u2192``.

    A stream with the encoding None accepts any text.
    """
    if encoding is None:
        return text
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.encode(encoding, "backslashreplace").decode(encoding)
    return text


LONG_NS = 10_000_000
"""A step that took longer than this is shown with its duration."""

RUNNING = "cause still running"
"""Appended to a step that is shown before the step that caused it has ended."""

_MILLISECONDS_UP_TO_NS = 10_000_000_000
_UNITS_NS = {"ms": 1_000_000, "s": 1_000_000_000}
_REMARKS = re.compile(rf"  (?:took (\d{{1,12}}(?:\.\d)?) (ms|s)(?:, {RUNNING})?|{RUNNING})\Z")


def remarks(step: Step, *, ran_ahead: bool = False) -> str:
    """Return the text to append to a step's line: its duration if that was long, else an empty string.

    ``ran_ahead``: the step that caused it was still running when this step was handed out.
    """
    parts = [took_text(step.duration_ns)] if step.duration_ns > LONG_NS else []
    if ran_ahead:
        parts.append(RUNNING)
    return f"  {', '.join(parts)}" if parts else ""


def took_text(duration_ns: int) -> str:
    """Return a duration as text, such as ``took 310 ms`` or ``took 12.5 s``."""
    if duration_ns < _MILLISECONDS_UP_TO_NS:
        return f"took {duration_ns / 1e6:.0f} ms"
    return f"took {duration_ns / 1e9:.1f} s"


def without_all_remarks(text: str) -> str:
    """Return lines without their remarks, to compare runs on machines under different load."""
    return "".join(without_remarks(line)[0] + end for line, end in re.findall(r"([^\n]*)(\n|\Z)", text))


def without_remarks(line: str) -> tuple[str, int]:
    """Return a line without its remarks, and the step's duration in nanoseconds according to them."""
    found = _REMARKS.search(line)
    if found is None:
        return line, 0
    number, unit = found.groups()
    return line[: found.start()], 0 if number is None else round(float(number) * _UNITS_NS[unit])
