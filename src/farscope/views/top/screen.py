"""The screen: head, table, the chosen chart's recent steps, keys. Pure; lines of styled text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from farscope.records.failure import error_line
from farscope.records.remarks import remarks
from farscope.records.step import Step, local_time
from farscope.views.quantity import count_text, number
from farscope.views.text import escape, trace_line
from farscope.views.top.columns import BY_KEY, COLUMNS, GAP, laid_out, padded
from farscope.views.top.controls import Controls
from farscope.views.top.table import Row

HEAD_LINES: Final = 3
"""Address, account, and the names of the columns."""

STEPS_FROM_HEIGHT: Final = 14
"""A terminal of fewer lines shows no steps, so that some charts fit."""

MOST_STEPS: Final = 12
"""Steps shown at most; the rest of the height is for charts."""

_STATUS_STYLES = {"alive": "green", "silent": "red", "closed": "dim", "stopped": "dim"}
_KEYS = "q quit  ? help  / search  p pause  arrows choose  n h a s d r e u l sort"


class Span(NamedTuple):
    """A piece of a line; ``style`` is one of rich's, or empty."""

    text: str
    style: str = ""


Line = list[Span]


class Size(NamedTuple):
    """Of a terminal, in cells."""

    width: int
    height: int


class Head(NamedTuple):
    """What is told of everything together; texts are as they came."""

    address: str
    time_ns: int
    """The present, in nanoseconds since the epoch."""
    seen: int
    """Steps."""
    lost: int
    probes: int
    charts: int
    trouble: str = ""
    """The latest thing that went wrong, if any."""
    reading: bool = False
    """Whether the past is still being read."""


def page_size(height: int) -> int:
    """Return how many charts a terminal of so many lines shows."""
    return max(1, height - HEAD_LINES - 1 - _steps_height(height))


def screen(rows: Sequence[Row], controls: Controls, head: Head, size: Size) -> list[Line]:
    """Return the lines of the screen, exactly as many as fit, each within its width.

    ``rows`` is what ``arranged`` returned.
    """
    width, height = size
    lines = _head(rows, controls, head, width)
    if controls.help:
        lines += [[Span(padded(text, width))] for text in help_lines()]
    else:
        lines += _table(rows, controls, width, page_size(height))
        if steps_height := _steps_height(height):
            chosen = rows[controls.index(rows)] if rows else None
            lines += _steps(chosen, width, steps_height)
    lines = lines[: max(0, height - 1)]
    lines += [[]] * (height - 1 - len(lines))
    return [*lines, _foot(controls, width)]


def plain_table(rows: Sequence[Row]) -> list[str]:
    """Return the rows as a table of plain text, as wide as it needs to be, nothing cut."""
    columns = [column for column in COLUMNS if column.title]
    cells = [[column.title for column in columns]]
    cells += [[escape(column.cell(row)) for column in columns] for row in rows]
    sizes = [max(len(line[place]) for line in cells) for place in range(len(columns))]
    return [
        (" " * GAP)
        .join(
            text.rjust(size) if column.right else text.ljust(size)
            for text, size, column in zip(line, sizes, columns, strict=True)
        )
        .rstrip()
        for line in cells
    ]


def help_lines() -> list[str]:
    """Return what the keys do, line by line."""
    sorts = [
        f"  {column.key}              sort by {column.sorted_by}; again: the other way round"
        for column in BY_KEY.values()
    ]
    return [
        "",
        "  up, down       choose a chart; its recent steps stand below",
        "  page up, down  a screen at a time; home, end: first, last",
        "  /              search names, hosts, states, status and events; Esc shows all again",
        "  p              pause: the table stands still, nothing is missed; p again goes on",
        *sorts,
        "  ?              this help, and back",
        "  q              quit; so does Ctrl-C",
        "",
        "  FOR is the time since the state was entered, STEPS/S the mean of three seconds, QUEUE what waited",
        "  after the last step, LOST steps that were made and never arrived.",
    ]


def _head(rows: Sequence[Row], controls: Controls, head: Head, width: int) -> list[Line]:
    clock = local_time(head.time_ns)[:19]
    title = padded(f"farscope top  {head.address}", max(0, width - len(clock) - 1))
    charts = number(head.charts, "chart")
    shown = charts if len(rows) == head.charts else f"{len(rows):,} of {charts}"
    rate = f"{sum(row.rate for row in rows):,.0f} steps/s"
    account = f"{shown}, {number(head.probes, 'probe')}, {rate}, seen {head.seen:,}, lost {head.lost:,}"
    second: Line = [Span(account, "red" if head.lost else "")]
    used = len(account)
    for text, style in (
        ("PAUSED", "bold reverse" if controls.paused else ""),
        ("reading the past", "dim" if head.reading else ""),
        (head.trouble, "red" if head.trouble else ""),
    ):
        if style and used + GAP < width:
            piece = padded(text, min(len(escape(text)), width - used - GAP))
            second += [Span(" " * GAP), Span(piece, style)]
            used += GAP + len(piece)
    if used > width:
        second = [Span(padded(account, width), second[0].style)]
    return [[Span(f"{title} {clock}"[:width], "bold")], second]


def _table(rows: Sequence[Row], controls: Controls, width: int, page: int) -> list[Line]:
    columns = laid_out(width)
    gap = " " * GAP
    heads = []
    for column, size in columns:
        mark = "" if column.key != controls.sort else "▲" if controls.reverse == column.largest_first else "▼"
        heads.append(padded(column.title + mark, size, right=column.right))
    lines: list[Line] = [[Span(padded(gap.join(heads), width), "bold underline")]]
    chosen = controls.index(rows)
    first = min(max(0, chosen - page // 2), max(0, len(rows) - page))
    for place in range(first, min(first + page, len(rows))):
        row = rows[place]
        style = "reverse" if place == chosen else ""
        line: Line = []
        room = width
        for column, size in columns:
            if line:
                line.append(Span(gap[:room], style))
                room -= len(gap[:room])
            cell = padded(column.cell(row), min(size, room), right=column.right)
            line.append(Span(cell, f"{style} {_cell_style(column.title, row)}".strip()))
            room -= min(size, room)
        lines.append(line)
    return lines + [[]] * (page + 1 - len(lines))


def _cell_style(title: str, row: Row) -> str:
    if title == "STATUS":
        return _STATUS_STYLES.get(row.status, "")
    if (title == "LOST" and row.lost) or (title == "EVENT" and row.failed):
        return "red"
    return "cyan" if not title else ""


def _steps(row: Row | None, width: int, height: int) -> list[Line]:
    if row is None:
        return [[Span(padded("no chart", width), "dim")]]
    title = f"{row.label}  {count_text(row.steps, 12)} steps received"
    texts = [_step_text(Step._make(step), row.label) for step in row.recent[-(height - 1) :]]
    return [[Span(padded(title, width), "bold underline")], *([Span(padded(text, width))] for text in texts)]


def _step_text(step: Step, label: str) -> str:
    trace = trace_line(step, label)
    if trace is not None:
        return trace + remarks(step)
    kind = step.kind.name.lower()
    error = f": {error_line(step.texts[-1])}" if step.texts and kind == "failed" else ""
    head = f"[{local_time(step.ended_ns)}] [{label}]"
    return f"{head} e->{step.signal}() {kind} in {step.start}{error}{remarks(step)}"


def _foot(controls: Controls, width: int) -> Line:
    if controls.typing:
        return [Span(padded(f"search: {controls.search}_", width), "bold")]
    text = f"search: {controls.search}  Esc shows all  {_KEYS}" if controls.search else _KEYS
    return [Span(padded(text, width), "dim")]


def _steps_height(height: int) -> int:
    return min(MOST_STEPS, height // 3) if height >= STEPS_FROM_HEIGHT else 0


def text_of(lines: Iterable[Line]) -> str:
    """Return lines without their styles, as text; blanks at their ends are left out."""
    return "\n".join("".join(span.text for span in line).rstrip() for line in lines)
