"""Reports the content of a recording or log without a key, as text for people and as plain types."""

from __future__ import annotations

from typing import Any, NamedTuple

from farscope.records.step import local_time
from farscope.scope.header_survey import HeaderSurvey, ProbeSurvey
from farscope.views.humanize import number, size_text, span_text
from farscope.views.text import escape, unknown_parts

_HEADS = ("PROBE", "KEY", "BATCHES", "QUIET", "NUMBERS", "MISSING", "REPEATED", "SIZE", "FROM", "TO", "END")
_LEFT = frozenset({0, 1, 4, 8, 9, 10})
"""Columns of text; the others are numbers and stand to the right."""

GAPS_SHOWN = 8
"""Gaps in a probe's numbers listed one by one; the rest is counted."""


class Container(NamedTuple):
    """The state of a recording's file."""

    size: int
    """In bytes."""
    version: int
    closed: bool
    """Whether its recorder wrote the index."""
    torn: int
    """Bytes at the end that do not form a complete frame."""
    damaged: int
    """Bytes between frames that do not belong to any frame."""
    unsound: int
    """Batches with a wrong checksum."""

    @property
    def whole(self) -> bool:
        """Whether nothing of what was written is gone or changed."""
        return not (self.torn or self.damaged or self.unsound)


def is_whole(survey: HeaderSurvey, container: Container | None) -> bool:
    """Tell whether nothing is missing, changed, unreadable, or something else than a batch."""
    whole = not (survey.missing or survey.strangers or survey.cut or survey.unread)
    return whole and (container is None or container.whole)


def survey_lines(
    name: str, survey: HeaderSurvey, container: Container | None, present_ns: int | None = None
) -> list[str]:
    """Return all there is to tell, line by line.

    ``container`` is None for a log, and ``present_ns`` for a recording; see ``HeaderSurvey.unknown``.
    """
    lines = [escape(name)]
    if container is not None:
        lines += _container_lines(container)
    lines.append(_batches_line(survey))
    if survey.batches:
        span = span_text(survey.last_ns - survey.first_ns)
        lines.append(f"stored {local_time(survey.first_ns)} to {local_time(survey.last_ns)}, {span}")
        lines.append(f"sealed with {number(len(survey.keys), 'key')}: {', '.join(survey.keys)}")
    if survey.cut:
        lines.append(f"retention removed {number(survey.cut, 'batch')} before they could be read")
    lines += [f"{number(count, 'entry')} {what}" for what, count in sorted(survey.strangers.items())]
    lines += unknown_parts(survey.unknown(present_ns))
    if survey.probes:
        lines += ["", *_table([_HEADS, *(_row(probe) for probe in survey.probes.values())])]
    if survey.further:
        lines.append(f"{number(survey.further, 'batch')} of further probes")
    return lines + [line for probe in survey.probes.values() for line in _gaps(probe)]


def survey_dict(
    name: str, survey: HeaderSurvey, container: Container | None, present_ns: int | None = None
) -> dict[str, Any]:
    """Return the same in plain types under stable names; times in nanoseconds since the epoch."""
    return {
        "name": name,
        "whole": is_whole(survey, container),
        "file": None if container is None else container._asdict(),
        "batches": survey.batches,
        "bytes": survey.bytes,
        "first_ns": survey.first_ns,
        "last_ns": survey.last_ns,
        "keys": survey.keys,
        "strangers": dict(survey.strangers),
        "further": survey.further,
        "cut": survey.cut,
        "unknown": [unknown.as_dict() for unknown in survey.unknown(present_ns)],
        "probes": [
            {
                "id": probe.id,
                "keys": probe.keys,
                "batches": probe.batches,
                "bytes": probe.bytes,
                "first_ns": probe.first_ns,
                "last_ns": probe.last_ns,
                "first_number": probe.numbers.first,
                "last_number": probe.numbers.end - 1,
                "missing": probe.missing,
                "gaps": [list(gap) for gap in probe.numbers.gaps()],
                "repeated": probe.repeated,
                "heartbeats": probe.heartbeats,
                "announcements": probe.announcements,
                "goodbye": probe.goodbye,
            }
            for probe in survey.probes.values()
        ],
    }


def _container_lines(container: Container) -> list[str]:
    how = "closed in order" if container.closed else "not closed: its recorder was cut off, or is at work"
    lines = [f"recording of version {container.version}, {size_text(container.size)}, {how}"]
    if container.torn:
        lines.append(
            f"torn: {number(container.torn, 'byte')} at the end are not a whole batch and were dropped"
        )
    if container.damaged:
        lines.append(f"damaged: {number(container.damaged, 'byte')} between batches were passed over")
    if container.unsound:
        lines.append(f"changed: {number(container.unsound, 'batch')} with another checksum than written")
    return lines


def _batches_line(survey: HeaderSurvey) -> str:
    missing = f", missing {survey.missing:,}" if survey.missing else ""
    head = f"{number(survey.batches, 'batch')} of {number(len(survey.probes), 'probe')}"
    return f"{head}, {size_text(survey.bytes)} sealed{missing}"


def _row(probe: ProbeSurvey) -> tuple[str, ...]:
    return (
        probe.id,
        "+".join(probe.keys),
        f"{probe.batches:,}",
        f"{probe.heartbeats:,}",
        f"{probe.numbers.first}..{probe.numbers.end - 1}",
        f"{probe.missing:,}",
        f"{probe.repeated:,}",
        size_text(probe.bytes),
        local_time(probe.first_ns),
        local_time(probe.last_ns),
        "goodbye" if probe.goodbye else "no goodbye",
    )


def _gaps(probe: ProbeSurvey) -> list[str]:
    holes = probe.numbers.gaps()
    if not holes:
        return []
    shown = ", ".join(f"{hole.first}..{hole.last}" for hole in holes[:GAPS_SHOWN])
    more = f" and {len(holes) - GAPS_SHOWN:,} more" if len(holes) > GAPS_SHOWN else ""
    return [f"probe {probe.id}: missing batches {shown}{more}"]


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column in _LEFT else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
