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
