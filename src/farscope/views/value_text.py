"""Values that a program shows of a chart, as text: such as ``amps=16.5, mode="eco"``."""

from __future__ import annotations

from collections.abc import Iterable

from farscope.records.step import Value
from farscope.views.text import escape


def value_text(value: Value) -> str:
    """Return one value as text; only those that are text have quotation marks."""
    if isinstance(value, str):
        return f'"{escape(value)}"'
    return str(value).lower() if isinstance(value, bool) else repr(value)


def values_text(values: Iterable[tuple[str, Value]]) -> str:
    """Return values by name, in one line that is safe to print."""
    return ", ".join(f"{escape(name)}={value_text(value)}" for name, value in values)
