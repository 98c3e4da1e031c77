"""What stands behind the line of a step besides the line itself, written and read back."""

from __future__ import annotations

import re

from farscope.records.step import Step

LONG_NS = 10_000_000
"""A step that took longer than this is shown with how long it took."""

RUNNING = "cause still running"
"""Stands behind a step that is shown before the one that caused it has ended."""

_MILLISECONDS_UP_TO_NS = 10_000_000_000
_UNITS_NS = {"ms": 1_000_000, "s": 1_000_000_000}
_REMARKS = re.compile(rf"  (?:took (\d{{1,12}}(?:\.\d)?) (ms|s)(?:, {RUNNING})?|{RUNNING})\Z")


def remarks(step: Step, *, ran_ahead: bool = False) -> str:
    """Return what is to stand behind the line of a step: how long it took if that was long; else empty.

    ``ran_ahead``: the step that caused it was still running when it was handed out.
    """
    parts = [took_text(step.duration_ns)] if step.duration_ns > LONG_NS else []
    if ran_ahead:
        parts.append(RUNNING)
    return f"  {', '.join(parts)}" if parts else ""


def took_text(duration_ns: int) -> str:
    """Return how long something took, such as ``took 310 ms`` or ``took 12.5 s``."""
    if duration_ns < _MILLISECONDS_UP_TO_NS:
        return f"took {duration_ns / 1e6:.0f} ms"
    return f"took {duration_ns / 1e9:.1f} s"


def without_all_remarks(text: str) -> str:
    """Return lines without their remarks, to compare runs on machines that are busy or not."""
    return "".join(without_remarks(line)[0] + end for line, end in re.findall(r"([^\n]*)(\n|\Z)", text))


def without_remarks(line: str) -> tuple[str, int]:
    """Return a line without what ``remarks`` put behind it, and the nanoseconds that the step took by it."""
    found = _REMARKS.search(line)
    if found is None:
        return line, 0
    number, unit = found.groups()
    return line[: found.start()], 0 if number is None else round(float(number) * _UNITS_NS[unit])
