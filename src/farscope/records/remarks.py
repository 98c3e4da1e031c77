"""Remarks appended to a step's line: formatting and parsing."""

from __future__ import annotations

import re

from farscope.records.step import Step

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
