"""JSON for exports: text that is safe to print anywhere, and steps as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from farscope.records.step import Step
from farscope.views.text import step_dict
from farscope.views.timestamps import Clock, own_clock

_encoder = msgspec.json.Encoder()


def json_text(thing: Any) -> str:
    """Return ``thing`` as JSON in one line of printable ASCII.

    Half surrogates, which other programs' parsers refuse, become replacement characters.
    """
    try:
        encoded = _encoder.encode(thing)
        if encoded.isascii() and b"\x7f" not in encoded:
            return encoded.decode()
    except UnicodeEncodeError:
        thing = _whole(thing)
    # JSON lets DEL through, terminals act on it.
    return json.dumps(thing, separators=(",", ":")).replace("\x7f", "\\u007f")


def whole_text(text: str) -> str:
    """Return ``text`` with half surrogates joined, or made replacement characters where they are alone."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def json_lines(
    steps: Iterable[Step], clock: Clock = own_clock, ran_ahead: Callable[[Step], bool] = lambda _: False
) -> Iterator[str]:
    """Yield a line for each step: the output of ``farscope watch --json``, plus its spy and trace lines.

    ``spy`` and ``trace`` are exactly the lines that the chart produces; ``trace`` is null if there is none.
    Times are those of the chart's clock; ``corrected_ns`` is the time by ``clock``, or null without one.
    ``ran_ahead`` marks steps that precede the step that caused them, because that one was still running.
    """
    for step in steps:
        corrected_ns = None if clock is own_clock else clock(step)
        known = step_dict(step, corrected_ns=corrected_ns, ran_ahead=ran_ahead(step))
        yield f"{json_text(known | {'spy': step.spy(), 'trace': step.trace()})}\n"


def _whole(thing: Any) -> Any:
    if isinstance(thing, str):
        return whole_text(thing)
    if isinstance(thing, dict):
        return {_whole(key): _whole(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple):
        return [_whole(part) for part in thing]
    return thing
