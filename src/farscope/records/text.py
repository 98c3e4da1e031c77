"""Text made from steps: the one place where spy and trace become lines."""

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
    """Return trace lines as ``chart.trace()`` shows them: a newline first, and one behind each line."""
    return "\n" + "".join(f"{line}\n" for line in lines)


@contextmanager
def stripped(log: str | Iterable[str]) -> Iterator[str | list[str]]:
    """Give a log without its time stamps, so that a run can be compared with a specification.

    Args:
        log: a trace (one string, many lines), one line of one, or a list of lines.

    Yields:
        A list of the lines that are not empty, without stamps; for a string of one line, that line.
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
    """Print ``thing`` as ``pprint`` does: one spy line under another."""
    print_line(pprint.pformat(thing))


def print_line(line: str) -> None:
    """Print a line; what standard output cannot encode is printed as an escape."""
    try:
        print(line)  # noqa: T201 - printing is what it is for
    except UnicodeEncodeError:
        print(encodable(line, sys.stdout.encoding))  # noqa: T201 - same


def encodable(text: str, encoding: str | None) -> str:
    r"""Return ``text`` with the characters that ``encoding`` does not have as escapes such as ``\u2192``.

    A stream whose encoding is None takes any text.
    """
    if encoding is None:
        return text
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.encode(encoding, "backslashreplace").decode(encoding)
    return text
