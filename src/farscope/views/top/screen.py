"""The screen: header, table, recent steps of the selected chart, keys. Pure; returns lines of styled text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from farscope.records.step import Step, local_time
from farscope.records.text import remarks
from farscope.records.traceback_text import error_place
from farscope.views.humanize import count_text, number
from farscope.views.step_facts import FailureFact, failure_in
from farscope.views.terminal_width import width as cells_of
from farscope.views.text import escape, outcome_line, trace_line
from farscope.views.top.columns import BY_KEY, COLUMNS, GAP, Column, Needs, laid_out, needs
from farscope.views.top.controls import Controls
from farscope.views.top.cutting import padded, padded_configuration, padded_name, told_apart
from farscope.views.top.glyphs import FULL, Glyphs
from farscope.views.top.table import ChartRow
from farscope.views.value_text import values_text

HEAD_LINES: Final = 3
"""Lines for the address, the account, and the names of the columns."""

STEPS_FROM_HEIGHT: Final = 14
"""A terminal with fewer lines shows no steps, so that some charts fit."""

FARSCOPE: Final = "farscope"
"""The library that is not worth naming next to a chart."""

MOST_STEPS: Final = 12
"""Maximum number of steps shown; the rest of the height is for charts."""

_STATUS_STYLES = {
    "alive": "green",
    "silent": "red",
    "failed": "red",
    **dict.fromkeys(("closed", "stopped", "finished", "unobserved"), "dim"),
}
_KEYS = f"q quit  ? help  / search  p pause  f finished  arrows choose  {''.join(BY_KEY)} sort"


class StyledText(NamedTuple):
    """A piece of a line; ``style`` is one of rich's, or empty."""

    text: str
    style: str = ""


Line = list[StyledText]


class Size(NamedTuple):
    """The size of a terminal in cells."""

    width: int
    height: int


class Header(NamedTuple):
    """The data of the header; texts are not escaped."""

    address: str
    time_ns: int
    """The present, in nanoseconds since the epoch."""
    seen: int
    """Number of steps received."""
    lost: int
    probes: int
    charts: int
    trouble: str = ""
    """The latest problem, if any."""
    reading: bool = False
    """Whether the past is still being read."""
    folded: int = 0
    """Charts of finished runs that are not shown."""
    unknown: int = 0
    """Charts about which nothing is known after their last steps."""


def page_size(height: int) -> int:
    """Return how many charts fit on a terminal of a height."""
    return max(1, height - HEAD_LINES - 1 - _steps_height(height))


class Layout(NamedTuple):
    """Layout options of the screen besides the controls."""

    glyphs: Glyphs = FULL
    wanted: Needs | None = None
    """Preferred widths of the columns of names; None for those that the rows need now."""


def screen(
    rows: Sequence[ChartRow], controls: Controls, head: Header, size: Size, look: Layout | None = None
) -> list[Line]:
    """Return the lines of the screen, exactly as many as fit, each within its width.

    ``rows`` is what ``arranged`` returned.
    """
    width, height = size
    glyphs, wanted = look or Layout()
    lines = _head(rows, controls, head, width, glyphs)
    if controls.help:
        lines += [[StyledText(padded(text, width, glyphs=glyphs))] for text in help_lines()]
    else:
        columns = laid_out(width, needs(rows, glyphs) if wanted is None else wanted)
        lines += _table(rows, controls, columns, Size(width, page_size(height)), glyphs)
        if steps_height := _steps_height(height):
            chosen = rows[controls.index(rows)] if rows else None
            lines += _steps(chosen, width, steps_height, glyphs)
    lines = lines[: max(0, height - 1)]
    lines += [[]] * (height - 1 - len(lines))
    return [*lines, _foot(controls, width, glyphs)]


def plain_table(rows: Sequence[ChartRow], glyphs: Glyphs = FULL) -> list[str]:
    """Return the rows as a table of plain text, as wide as necessary."""
    columns = [column for column in COLUMNS if column.title]
    cells = [[column.title for column in columns]]
    cells += [[glyphs.text(column.cell(row)) for column in columns] for row in rows]
    sizes = [max(cells_of(line[place]) for line in cells) for place in range(len(columns))]
    return [
        (" " * GAP)
        .join(
            padded(text, size, right=column.right, glyphs=glyphs)
            for text, size, column in zip(line, sizes, columns, strict=True)
        )
        .rstrip()
        for line in cells
    ]


def help_lines() -> list[str]:
    """Return the help on keys, line by line."""
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
        "  f              show the charts of finished runs as well, and back",
        *sorts,
        "  ?              this help, and back",
        "  q              quit; so does Ctrl-C",
        "",
        "  FOR is the time since the state was entered, STEPS/S the mean of three seconds.",
        "  QUEUE and DEFER are what waited and was put aside after the last step.",
        "  LOST are steps that were made and never arrived.",
        "  +? after it: the chart fell silent, and what it did after its last step is unknown.",
    ]


def _head(
    rows: Sequence[ChartRow], controls: Controls, head: Header, width: int, glyphs: Glyphs
) -> list[Line]:
    clock = local_time(head.time_ns)[:19]
    title = padded(f"farscope top  {head.address}", max(0, width - len(clock) - 1), glyphs=glyphs)
    charts = number(head.charts, "chart")
    shown = charts if len(rows) == head.charts else f"{len(rows):,} of {charts}"
    if head.folded:
        shown += f" (f: {head.folded:,} finished)"
    rate = f"{sum(row.rate for row in rows):,.0f} steps/s"
    account = f"{shown}, {number(head.probes, 'probe')}, {rate}, seen {head.seen:,}, lost {head.lost:,}"
    if head.unknown:
        account += f", unknown after the last steps of {number(head.unknown, 'chart')}"
    second: Line = [StyledText(account, "red" if head.lost or head.unknown else "")]
    used = len(account)
    for text, style in (
        ("PAUSED", "bold reverse" if controls.paused else ""),
        ("reading the past", "dim" if head.reading else ""),
        (head.trouble, "red" if head.trouble else ""),
    ):
        if style and used + GAP < width:
            piece = padded(text, min(cells_of(glyphs.text(text)), width - used - GAP), glyphs=glyphs)
            second += [StyledText(" " * GAP), StyledText(piece, style)]
            used += GAP + cells_of(piece)
    if used > width:
        second = [StyledText(padded(account, width, glyphs=glyphs), second[0].style)]
    return [[StyledText(f"{title} {clock}"[:width], "bold")], second]


def _table(
    rows: Sequence[ChartRow],
    controls: Controls,
    columns: list[tuple[Column, int]],
    size: Size,
    glyphs: Glyphs,
) -> list[Line]:
    width, page = size
    heads = [
        padded(column.title + _mark(column, controls, glyphs), cells, right=column.right, glyphs=glyphs)
        for column, cells in columns
    ]
    lines: list[Line] = [
        [StyledText(padded((" " * GAP).join(heads), width, glyphs=glyphs), "bold underline")]
    ]
    names = told_apart((row.name for row in rows), columns[0][1], glyphs=glyphs)
    fits = sum(cells for _, cells in columns) + GAP * (len(columns) - 1) <= width
    chosen = controls.index(rows)
    first = min(max(0, chosen - page // 2), max(0, len(rows) - page))
    for place, row in enumerate(rows[first : first + page], start=first):
        style = "reverse" if place == chosen else ""
        cells = [
            StyledText(
                names[row.name] if column is COLUMNS[0] else _cell(column, row, cells, glyphs),
                f"{style} {_cell_style(column.title, row)}".strip(),
            )
            for column, cells in columns
        ]
        line = [span for cell in cells for span in (StyledText(" " * GAP, style), cell)][1:]
        lines.append(line if fits else _cut(line, width, glyphs))
    return lines + [[]] * (page + 1 - len(lines))


def _mark(column: Column, controls: Controls, glyphs: Glyphs) -> str:
    if column.key != controls.sort:
        return ""
    return glyphs.up if controls.reverse == column.largest_first else glyphs.down


def _cell(column: Column, row: ChartRow, cells: int, glyphs: Glyphs) -> str:
    text = column.drawn(row, glyphs)
    if column.title == "STATE" and len(row.states) > 1:
        return padded_configuration(row.states, cells, glyphs=glyphs)
    if column.enough:
        return padded_name(text, cells, glyphs=glyphs)
    return padded(text, cells, right=column.right, glyphs=glyphs)


def _cut(line: Line, width: int, glyphs: Glyphs) -> Line:
    """Return a line truncated to a width."""
    kept: Line = []
    for text, style in line:
        piece = padded(text, min(cells_of(text), width), glyphs=glyphs)
        width -= cells_of(piece)
        kept.append(StyledText(piece, style))
    return kept


def _cell_style(title: str, row: ChartRow) -> str:
    if title == "STATUS":
        return _STATUS_STYLES.get(row.status, "")
    if (title == "LOST" and (row.lost or row.unknown)) or (title == "EVENT" and row.failed):
        return "red"
    return "cyan" if not title else ""


def _steps(row: ChartRow | None, width: int, height: int, glyphs: Glyphs) -> list[Line]:
    if row is None:
        return [[StyledText(padded("no chart", width, glyphs=glyphs), "dim")]]
    title = f"{row.label}  {count_text(row.steps, 12)} steps received"
    if row.parent:
        title += f", created by {row.parent}"
    if row.library not in {"", FARSCOPE}:
        title += f", {row.library}"
    if row.values:
        title += f"  {values_text(row.values)}"
    steps = map(Step._make, row.recent[-(height - 1) :])
    texts = _fitting([_step_text(step, row.label) for step in steps], row.label, width, glyphs)
    return [
        [StyledText(padded(title, width, glyphs=glyphs), "bold underline")],
        *([StyledText(padded(text, width, glyphs=glyphs))] for text in texts),
    ]


def _fitting(texts: list[str], label: str, width: int, glyphs: Glyphs) -> list[str]:
    """Return lines about steps; if one is too long, all without date and chart, which is named above."""
    if all(cells_of(glyphs.text(text)) <= width for text in texts):
        return texts
    return [_without_chart(text, label) for text in texts]


def _without_chart(text: str, label: str) -> str:
    stamp, chart, rest = text.partition(f" [{escape(label)}")
    if not chart:
        return text
    # The outcome of an event follows the name within the brackets.
    word, end, rest = rest.partition("]")
    kept = f" [{word.removeprefix(', ')}]" if word and end else ""
    return f"[{stamp[len('[0000-00-00 ') :]}{kept}{rest}"


def _step_text(step: Step, label: str) -> str:
    line = trace_line(step, label)
    if line is None:
        line = outcome_line(step, label) or ""
    return f"{line}{_error_text(failure_in(step))}{remarks(step)}"


def _error_text(failure: FailureFact | None) -> str:
    if failure is None:
        return ""
    place = error_place(failure.text)
    return f": {failure.message}{f' ({place})' if place else ''}"


def _foot(controls: Controls, width: int, glyphs: Glyphs) -> Line:
    if controls.typing:
        return [StyledText(padded(f"search: {controls.search}_", width, glyphs=glyphs), "bold")]
    text = f"search: {controls.search}  Esc shows all  {_KEYS}" if controls.search else _KEYS
    return [StyledText(padded(text, width, glyphs=glyphs), "dim")]


def _steps_height(height: int) -> int:
    return min(MOST_STEPS, height // 3) if height >= STEPS_FROM_HEIGHT else 0


def text_of(lines: Iterable[Line]) -> str:
    """Return lines as text, without styles and trailing spaces."""
    return "\n".join("".join(span.text for span in line).rstrip() for line in lines)
