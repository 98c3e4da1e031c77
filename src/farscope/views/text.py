"""Text for terminals and pipes: steps, notices and summaries as lines that are safe to print."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from farscope.records.facts import FactKind
from farscope.records.shape import StepKind
from farscope.records.step import Cause, Step, local_time, utc_time
from farscope.records.weight import texts_bytes
from farscope.scope.chart import ChartView
from farscope.scope.notice import Notice, NoticeKind
from farscope.scope.stats import ScopeStats
from farscope.scope.unknown import Unknown, Why
from farscope.views.humanize import number
from farscope.views.outcomes import outcome_of
from farscope.views.step_facts import logs_of, plain_values, transitions_of

_NOTICES = {
    NoticeKind.FELL_SILENT: "fell silent after step {number}",
    NoticeKind.MISSING: "missing {span} ({steps})",
    NoticeKind.FOUND: "{span} arrived after all",
    NoticeKind.DROPPED: "dropped {steps} at the source: {detail}",
    NoticeKind.REFUSED: "refused a batch: {detail}{times}",
    NoticeKind.CLOCK_OFF: "its clock is {detail}; its times are shown corrected",
    NoticeKind.OLD: "its steps are {detail} old and shown at their own times: "
    "an old run that was stored once more, or a clock that is far behind",
    NoticeKind.CLOCK_RIGHT: "its clock is right again",
    NoticeKind.LOG_CUT: "retention removed {batches} before they could be read",
}
NAMED: Final = 3
"""Charts, or files, that a closing line names where something is unknown; further ones are counted."""

_NOTICE_WORDS = {NoticeKind.FELL_SILENT: "silent"}
"""Words for kinds of notices in JSON; those of other kinds are their own, with _ for spaces."""
NOT_NUMBERED: Final = "lost and duplicated unknown (lines carry no numbers)"

_ASKED: Final[dict[int, str]] = {
    FactKind.OFFER: "",
    FactKind.ENTRY: "entering",
    FactKind.EXIT: "leaving",
    FactKind.INIT: "choosing the initial state of",
}
"""Describes what a state was doing when a step failed there."""

_UNDRAWN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]"
)
"""Joiners, fillers, tags and variation selectors: those of Unicode's Default_Ignorable_Code_Point (of version
16, in its file DerivedCoreProperties.txt) that Python takes for printable: they are letters or marks."""

LARGE_BYTES: Final = 1 << 20
"""A step that takes more is written as JSON piece by piece, for it may take fifty times as much as text."""

_encoder = json.JSONEncoder()

SHORT_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def escape(text: str) -> str:
    r"""Return ``text`` with everything visible that would act on a terminal or hide in it.

    Control characters, line separators, bidirectional and zero-width marks, lone surrogates, unassigned
    characters and those that are not drawn become ``\n``, ``\x1b``, ``\u202e`` and the like. What else is
    printable stays, so that no two different texts look alike because of something that cannot be seen.
    """
    if text.isprintable() and (text.isascii() or not _UNDRAWN.search(text)):
        return text
    return "".join(
        [char if char.isprintable() and not _UNDRAWN.match(char) else _escaped(char) for char in text]
    )


def trace_line(step: Step, label: str | None = None) -> str | None:
    """Return a step's trace line, or None if it has none; ``label`` replaces the chart's name."""
    if label is not None and label != step.chart.name:
        step = step._replace(chart=step.chart._replace(name=label))
    line = step.trace()
    return None if line is None else escape(line)


def outcome_line(step: Step, label: str | None = None) -> str | None:
    """Return what became of a step that has no trace line, such as hook or ignored; else None.

    The word stands in the brackets of the chart, where no text of the chart's own comes.
    """
    if step.shape.traced:
        return None
    word = escape(outcome_of(step.kind))
    head = f"[{local_time(step.ended_ns)}] [{escape(label or step.chart.name)}, {word}]"
    return f"{head} e->{escape(step.signal)}() in {failed_where(step)}"


def failed_where(step: Step) -> str:
    """Return the state a failed step began in, and what was being done to which state when it failed.

    Such as ``closed while entering open``; of an event that a handler was offered, the state alone.
    """
    place = escape(step.start)
    if step.kind is not StepKind.FAILED or not step.facts or step.facts[-1].kind is not FactKind.FAILED:
        return place
    at = step.facts[-1].name
    done = (fact.kind for fact in reversed(step.facts) if fact.kind in _ASKED and fact.name == at)
    doing = _ASKED[next(done, FactKind.OFFER)]
    return f"{place} while {doing} {escape(at)}" if doing else place


def spy_lines(step: Step, label: str | None = None) -> Iterator[str]:
    """Yield a step's spy lines, each preceded by the end time of the step and the name of its chart."""
    head = f"[{local_time(step.ended_ns)}] [{escape(label or step.chart.name)}]"
    for line in step.spy():
        yield f"{head} {escape(line)}"


def log_lines(step: Step, label: str | None = None) -> Iterator[str]:
    """Yield a line for each log record of a step, with its level in the brackets of the chart."""
    for record in logs_of(step):
        head = f"[{local_time(step.ended_ns)}] [{escape(label or step.chart.name)}, {escape(record.level)}]"
        yield f"{head} {escape(record.logger)}: {escape(record.message)}"


def cause_dict(cause: Cause) -> dict[str, Any]:
    """Return a cause in plain types; the serial is 0 if only the span is known."""
    fields = cause._asdict()
    del fields["root"]
    return fields


def step_dict(
    step: Step, label: str | None = None, corrected_ns: int | None = None, *, ran_ahead: bool = False
) -> dict[str, Any]:
    """Return all data of a step in plain types under stable names; texts are unchanged, not escaped.

    ``corrected_ns`` is when it began by the watcher's clock, or None if the clocks were not compared.
    ``ran_ahead`` means that it was delivered while the step that caused it was still running.
    """
    chart = step.chart
    return {
        "chart": label or chart.name,
        "name": chart.name,
        "host": chart.host,
        "pid": chart.pid,
        "service": chart.service,
        "serial": chart.serial,
        "probe": chart.probe,
        "number": step.number,
        "kind": step.kind.name.lower(),
        "signal": step.signal,
        "start": step.start,
        "end": step.end,
        "start_states": list(step.start_states),
        "end_states": list(step.end_states),
        "transitions": [transition._asdict() for transition in transitions_of(step)],
        "time": step.time.isoformat(timespec="microseconds"),
        "time_ns": step.time_ns,
        "corrected_ns": corrected_ns,
        "duration_ns": step.duration_ns,
        "ended_ns": step.ended_ns,
        "waited_ns": step.waited_ns,
        "queued": step.queued,
        "deferred": step.deferred,
        "cause": None if step.cause is None else cause_dict(step.cause),
        "cause_running": ran_ahead,
        "facts": [
            {"kind": fact.kind.name.lower(), "name": fact.name, "detail": fact.detail} for fact in step.facts
        ],
        "texts": list(step.texts),
        "values": plain_values(step.values),
        "logs": [record._asdict() for record in logs_of(step)],
    }


def json_line(
    step: Step, label: str | None = None, corrected_ns: int | None = None, *, ran_ahead: bool = False
) -> str:
    """Return a step as one line of JSON in ASCII, without a newline; see ``step_dict``."""
    return "".join(json_pieces(step, label, corrected_ns, ran_ahead=ran_ahead))


def json_pieces(
    step: Step, label: str | None = None, corrected_ns: int | None = None, *, ran_ahead: bool = False
) -> Iterator[str]:
    """Yield the parts of a step's line of JSON: there are several where it is very long."""
    known = step_dict(step, label, corrected_ns, ran_ahead=ran_ahead)
    # JSON lets DEL through, terminals act on it.
    if step.shape.size + texts_bytes(step.texts) <= LARGE_BYTES:
        yield json.dumps(known).replace("\x7f", "\\u007f")
        return
    for piece in _encoder.iterencode(known):
        yield piece.replace("\x7f", "\\u007f")


def notice_line(notice: Notice) -> str:
    """Return a notice as one line."""
    subject = escape(notice.subject)
    return f"{subject}: {_notice_text(notice)}" if subject else _notice_text(notice)


def dated_line(notice: Notice) -> str:
    """Return a notice as one line preceded by its time, by the same clock as steps."""
    line = notice_line(notice)
    return line if notice.time_ns is None else f"[{local_time(notice.time_ns)}] {line}"


def notice_dict(notice: Notice) -> dict[str, Any]:
    """Return a notice in plain types under stable names; ``text`` is its line, everything else as it came."""
    chart, time_ns = notice.chart, notice.time_ns
    return {
        "notice": _NOTICE_WORDS.get(notice.kind, notice.kind.value.replace(" ", "_")),
        "chart": None if chart is None else notice.subject,
        "subject": notice.subject,
        "name": None if chart is None else chart.name,
        "host": None if chart is None else chart.host,
        "pid": None if chart is None else chart.pid,
        "service": None if chart is None else chart.service,
        "serial": None if chart is None else chart.serial,
        "probe": notice.probe,
        "parent": None if notice.parent is None else notice.parent._asdict(),
        "time": None if time_ns is None else utc_time(time_ns).isoformat(timespec="microseconds"),
        "time_ns": time_ns,
        "count": notice.count,
        "span": None if notice.span is None else list(notice.span),
        "detail": notice.detail,
        "text": notice_line(notice),
    }


def notice_json(notice: Notice) -> str:
    """Return a notice as one line of JSON in ASCII, without a newline; see ``notice_dict``."""
    return json.dumps(notice_dict(notice)).replace("\x7f", "\\u007f")


def stats_line(stats: ScopeStats) -> str:
    """Return the statistics as one line: what was seen, what happened to the rest, and what is unknown."""
    if _of(stats.unknown, Why.NOT_NUMBERED):
        # Each chart stands for a probe there.
        parts = [f"seen {number(stats.received, 'step')} of {number(stats.probes, 'chart')}", NOT_NUMBERED]
    else:
        parts = [
            f"seen {number(stats.received, 'step')} of {number(stats.probes, 'probe')}",
            f"lost {stats.lost:,}" + _reasons({"missing": stats.missing} | dict(stats.dropped)),
            *unknown_parts(stats.unknown),
            f"duplicated {stats.duplicated:,}",
        ]
    if stats.refused:
        parts.append(
            f"refused {number(sum(stats.refused.values()), 'batch')}" + _reasons(dict(stats.refused))
        )
    if stats.cut:
        parts.append(f"cut by retention {number(stats.cut, 'batch')}")
    if stats.unread:
        parts.append(f"not taken {stats.unread:,}")
    if stats.late:
        parts.append(f"out of order {stats.late:,}")
    return "; ".join([", ".join(parts), *ending_parts(stats.unknown)])


def stats_json(stats: ScopeStats) -> str:
    """Return the whole account as one line of JSON in ASCII; see ``ScopeStats.as_dict``."""
    return json.dumps({"account": stats.as_dict()}).replace("\x7f", "\\u007f")


def chart_line(chart: ChartView) -> str:
    """Return the known data of a chart as one line."""
    state = escape(chart.state) or "not started"
    lost = f", lost {chart.lost:,}" if chart.lost else ""
    if chart.unknown is not None:
        lost += f", unknown after step {chart.last_number:,}"
    service = escape(chart.id.service) or f"{escape(chart.host)}:{chart.pid}"
    place = "" if chart.label != chart.name else f" on {service}"
    parent = f", created by {escape(chart.parent_label)}" if chart.parent_label else ""
    status = escape(chart.status)
    return f"{escape(chart.label)}{place}: {status} in {state}, {number(chart.steps, 'step')}{lost}{parent}"


def unknown_parts(unknown: Sequence[Unknown]) -> list[str]:
    """Return what is unknown of charts and files, a text for each kind of thing, however many there are.

    What was refused, and that the log was not read to its end, have places of their own in the line.
    """
    silent = [each for each in unknown if each.why in {Why.SILENT, Why.NO_GOODBYE}]
    texts = (
        _after([each for each in silent if each.after is not None or each.batch is not None]),
        _of_parts("unknown what {} did", [each for each in silent if each.after is each.batch], "probe"),
        _after([each for each in _of(unknown, Why.FORGOTTEN) if not each.detail]),
        _of_parts("unknown what {} holds (could not be opened)", _of(unknown, Why.NOT_OPENED), "file"),
        _of_parts("unknown what else {} holds (unreadable)", _of(unknown, Why.UNREADABLE), "file"),
    )
    return [text for text in texts if text]


def _after(charts: Sequence[Unknown]) -> str:
    named = [f"{_last_known(each)} of {escape(each.subject)}" for each in charts if each.subject][:NAMED]
    more = sum(each.count for each in charts) - len(named)
    if more:
        what, whose = ("batches", "probe") if charts[0].batch is not None else ("steps", "chart")
        named.append(f"the last {what} of {number(more, f'more {whose}' if named else whose)}")
    return f"unknown after {_and(named)}" if named else ""


def _last_known(unknown: Unknown) -> str:
    return f"batch {unknown.batch:,}" if unknown.after is None else f"step {unknown.after:,}"


def _of_parts(template: str, parts: Sequence[Unknown], thing: str) -> str:
    named = [escape(each.subject) for each in parts if each.subject][:NAMED]
    if not named:
        return ""
    if more := sum(each.count for each in parts if each.subject) - len(named):
        named.append(number(more, f"more {thing}"))
    return template.format(_and(named))


def ending_parts(unknown: Sequence[Unknown]) -> list[str]:
    """Return the end of an account: what failed, or that more may be in the log."""
    failed = [f"reading failed: {escape(each.detail)}" for each in _of(unknown, Why.FAILED)]
    return failed + ["ended before the log's end was reached"] * bool(_of(unknown, Why.NOT_READ))


def _of(unknown: Sequence[Unknown], why: Why) -> list[Unknown]:
    return [each for each in unknown if each.why is why]


def _and(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _notice_text(notice: Notice) -> str:
    template = _NOTICES.get(notice.kind, "{kind}: {detail}" if notice.detail else "{kind}")
    times = f" ({notice.count:,} times so far)" if notice.count > 1 else ""
    span = notice.span
    return template.format(
        kind=notice.kind.value,
        detail=escape(notice.detail),
        number=notice.count,
        steps=number(notice.count, "step"),
        batches=number(notice.count, "batch"),
        times=times,
        span="" if span is None else f"{span.first}..{span.last}",
    )


def _reasons(counts: dict[str, int]) -> str:
    parts = [f"{escape(str(reason))} {count:,}" for reason, count in counts.items() if count]
    return f" ({', '.join(parts)})" if parts else ""


def _escaped(char: str) -> str:
    if short := SHORT_ESCAPES.get(char):
        return short
    code = ord(char)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
