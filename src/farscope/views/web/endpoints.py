"""Answers queries about the past; methods are callable from any thread and hold the model's lock briefly."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from starlette.exceptions import HTTPException

from farscope.records.step import Cause, ChartKey, Step, Value
from farscope.records.traceback_text import read_traceback
from farscope.views.sequence.extract import by_chart, by_state
from farscope.views.sequence.svg import svg_sequence
from farscope.views.statechart.model import Statechart
from farscope.views.step_facts import (
    completed_in,
    failure_in,
    free_texts,
    logs_of,
    plain_values,
    sent_by,
    transitions_of,
)
from farscope.views.svg_text import STYLE
from farscope.views.web.at_time import Moment
from farscope.views.web.chart_summary import ChartSummary
from farscope.views.web.live_model import LiveModel
from farscope.views.web.query import MAX_TIME, Query
from farscope.views.web.serialize import (
    ROW_FIELDS,
    Plain,
    plain_last,
    plain_leaves,
    plain_moves,
    plain_step,
    plain_structure,
)
from farscope.views.web.statistics import MAX_STEPS, figures
from farscope.views.web.step_history import StepHistory
from farscope.views.web.time_travel import Past
from farscope.views.web.timeline_lanes import NO_REGIONS, Rest, TimelineLane, Window
from farscope.views.web.updates import OPEN_STEPS
from farscope.views.web.value_tracks import ValueTracks

MAX_WIDTH: Final = 4_096
"""Maximum width of a lane in pixels, and so of its items."""

MAX_LANES: Final = 128
"""Maximum number of lanes in an answer; the page asks for those it shows."""

MAX_LISTED: Final = 1_000
"""Maximum number of steps in a list."""

MAX_ARROWS: Final = 400
"""Maximum number of steps in a sequence diagram, before folding."""

TRACED_AMONG: Final = 10
"""Transitions are searched for among this many times the requested steps; other steps have no arrow."""

_STYLE: Final = f"<style>{STYLE}</style>"

_STATE: Final = ROW_FIELDS.index("state")


class Endpoints:
    """The queries of a page, except for the stream of frames."""

    def __init__(self, model: LiveModel, origin_ns: int) -> None:
        self._model = model
        self._origin_ns = origin_ns

    def at(self, query: Query) -> Plain:
        """Every chart at a moment."""
        time_ns = query.moment("time")
        past = self._model.past(time_ns)
        recorded = self._model.recorded
        moment = Moment(past, time_ns, recorded.last_ns if recorded and self._model.opened else None)
        with self._model.lock:
            rows = list(self._model.rows.values())
            return {
                "time": time_ns - self._origin_ns,
                "rows": [moment.row(row, self._origin_ns) for row in rows],
                "sparks": [[row.number, moment.spark(row)] for row in rows],
            }

    def near(self, query: Query) -> Plain:
        """The next or previous moment at which a chart made a step; any chart if none is named."""
        time_ns = query.moment("time")
        forward = query.word("direction", ("forward", "back")) == "forward"
        with self._model.lock:
            keys = self._keys(query.charts())
        found = self._model.near(time_ns, keys, forward=forward)
        return {"time": None if found is None else found - self._origin_ns}

    def timeline(self, query: Query) -> Plain:
        """The lanes of some charts, reduced to pixels.

        Of a recording that is still being read, what was read so far and what lies around ``moment``.
        """
        now_ns = time.time_ns()
        from_ns, to_ns = query.moment("from"), query.moment("to", now_ns)
        window = Window(from_ns, max(from_ns + 1, to_ns), query.count("width", 1000, MAX_WIDTH))
        past = self._model.past(query.moment("moment", to_ns))
        lanes = []
        for number in query.charts()[:MAX_LANES]:
            # Lane by lane, so that many long ones do not delay the steps.
            with self._model.lock:
                key = self._model.key(number)
                if key is not None:
                    lanes.append({"chart": number, **self._lane(key, window, past)})
        with self._model.lock:
            first_ns = self._model.history.first_ns
            forgotten = self._model.history.forgotten
        return {
            "from": from_ns - self._origin_ns,
            "to": window.to_ns - self._origin_ns,
            "first": None if first_ns is None else first_ns - self._origin_ns,
            "forgotten": forgotten,
            "lanes": lanes,
        }

    def steps(self, query: Query) -> Plain:
        """The newest steps of a chart within a span, oldest first."""
        limit = query.count("limit", OPEN_STEPS, MAX_LISTED)
        steps = self._newest(query, limit, beyond=True)
        return {"steps": [plain_step(step, self._origin_ns) for step in steps]}

    def step(self, query: Query) -> Plain:
        """All that is known about one step, which is near ``time`` if it was forgotten."""
        number = query.count("number", 0, MAX_TIME)
        past = self._model.past(query.moment("time", MAX_TIME))
        with self._model.lock:
            row = self._row(query.chart())
            found = self._found(row.view.id.key, number, past)
            if found is None:
                raise HTTPException(404, "this step is not remembered any more")
            step, own_ns = self._model.resolved(found[0]), found[1]
            cause = None if step.cause is None else self._plain_cause(step, step.cause)
        # The texts are those of the chart's spy and trace, by its own clock.
        own = step._replace(time_ns=own_ns)
        return {
            "chart": row.number,
            "step": plain_step(step, self._origin_ns),
            "ahead": own_ns - step.time_ns,
            "spy": own.spy(),
            "trace": own.trace(),
            "long": [text.splitlines() for text in free_texts(step) if len(text.splitlines()) > 1],
            "failure": _plain_failure(step),
            "cause": cause,
            "transitions": [list(each) for each in transitions_of(step)],
            "completed": list(completed_in(step)),
            "sent": [list(each) for each in sent_by(step)],
            "logs": [list(each) for each in logs_of(step)],
            "values": plain_values(step.values),
        }

    def _plain_cause(self, step: Step, cause: Cause) -> Plain:
        """Return the cause of a step; hold the model's lock."""
        poster = self._model.row(ChartKey(cause.probe or step.chart.probe, cause.serial))
        return {
            "chart": poster.number if poster else None,
            "number": cause.number,
            "claimed": cause.claimed,
            "span": cause.span_id,
        }

    def _found(self, key: ChartKey, number: int, past: Past) -> tuple[Step, int] | None:
        """Return a step and when it began by its own clock; hold the model's lock."""
        for history in (self._model.history, past.history):
            stored = history.charts.get(key)
            place = None if stored is None else stored.numbered(number)
            if stored is not None and place is not None:
                return stored.at(place), stored.own_ns(place)
        return None

    def picture(self, query: Query) -> Plain:
        """The states and arrows of a chart, counted up to a moment; ``since`` when, if not from the start."""
        time_ns = query.moment("time", MAX_TIME)
        past = self._model.past(time_ns)
        first_ns = self._model.recorded.first_ns if self._model.recorded else 0
        with self._model.lock:
            row = self._row(query.chart())
            stored = past.history.charts.get(row.view.id.key)
            if not past.whole:
                drawn = _announced(row)
                steps = [] if stored is None else stored.newest(MAX_STEPS, -MAX_TIME, time_ns)
                for shape, count in Counter(step.shape for step in steps).items():
                    drawn.add_shape(shape, count)
                moves, leaves = list(plain_moves(drawn)), list(plain_leaves(drawn))
            else:
                later = _announced(row)
                for shape, count in (stored.shapes_after(time_ns) if stored else {}).items():
                    later.add_shape(shape, count)
                moves = [move for move in plain_moves(row.picture, later) if move[3] > 0]
                leaves = [taken for taken in plain_leaves(row.picture, later) if taken[4] > 0]
            place = None if stored is None else stored.last_until(time_ns)
            last = None if stored is None or place is None else stored.shape_at(place)
            announced = row.leaves_in(Moment(past, time_ns).row(row, 0)[_STATE] or "")
            return {
                "structure": plain_structure(row.picture, row.view.structure),
                "moves": moves,
                "leaves": leaves,
                "active": announced if last is None else last.end_states,
                "last": plain_last(row.picture, last),
                "uncounted": row.uncounted,
                "since": past.from_ns - self._origin_ns if past.from_ns > first_ns else None,
            }

    def stats(self, query: Query) -> Plain:
        """Time in state, events, waits and slow steps of a chart up to a moment, or until it ended."""
        until_ns = query.moment("to", time.time_ns())
        steps, past = self._newest(query, MAX_STEPS), self._model.past(until_ns)
        with self._model.lock:
            went_ns = self._went_ns(self._row(query.chart()).view.id.key, past)
        return figures(steps, until_ns if went_ns is None else min(until_ns, went_ns), self._origin_ns)

    def sequence(self, query: Query) -> str:
        """The last steps of some charts together as a sequence diagram, in SVG.

        It has no inline style, because the page's policy allows only its own style sheets.
        """
        to_ns = query.moment("to", MAX_TIME)
        last = query.count("last", 40, MAX_ARROWS)
        by_states = query.word("lanes", ("charts", "states")) == "states"
        past = self._model.past(to_ns)
        with self._model.lock:
            keys = self._keys(query.charts())
            steps = past.history.newest(keys, last * TRACED_AMONG if by_states else last, to_ns)
        if by_states:
            steps = [step for step in steps if step.shape.traced][-last:]
        draw = by_state if by_states else by_chart
        drawn = svg_sequence(draw(steps, ordered=True, resolved=self._model.resolved))
        return drawn if query.word("style", ("page", "own")) == "own" else drawn.replace(_STYLE, "")

    def _newest(self, query: Query, limit: int, *, beyond: bool = False) -> list[Step]:
        """Return a chart's newest steps; ``beyond``: also those far from the moment."""
        from_ns, to_ns = query.moment("from", -MAX_TIME), query.moment("to", MAX_TIME)
        past = self._model.past(to_ns)
        with self._model.lock:
            key = self._row(query.chart()).view.id.key
        if beyond and self._model.recorded is not None and not past.whole:
            return self._model.recorded.newest(key, limit, from_ns, to_ns)
        with self._model.lock:
            stored = past.history.charts.get(key)
            return [] if stored is None else stored.newest(limit, from_ns, to_ns)

    def _lane(self, key: ChartKey, window: Window, past: Past) -> dict[str, Plain]:
        """Return a chart's lane and the tracks of its values; hold the model's lock."""
        read, row = self._model.history.charts.get(key), self._model.row(key)
        drawn = TimelineLane(window, self._origin_ns, row.regions if row else NO_REGIONS)
        until_ns = window.to_ns if past.whole else (self._model.read_ns or -MAX_TIME)
        if read is not None:
            drawn.begin(read)
            drawn.add_steps(read, window.from_ns, until_ns)
        if not past.whole:
            if until_ns >= window.from_ns:
                drawn.add_gap(until_ns)
            rest = past.rests.get(key)
            stored = past.history.charts.get(key)
            known = Rest(rest.state, rest.states) if rest else None
            drawn.add_around(past, stored, known, max(until_ns, window.from_ns))
        went_ns = self._went_ns(key, past)
        if went_ns is not None:
            drawn.end(went_ns)
        # What was read so far says nothing about a window that lies beyond it.
        histories = [read] if until_ns >= window.from_ns else []
        if not past.whole:
            histories.append(past.history.charts.get(key))
        latest = dict(row.view.values) if row else {}
        if not past.whole:
            around = past.rests.get(key)
            latest = dict(around.values) if around else {}
        tracks = self._tracks(histories, window, latest)
        return {**drawn.plain(), "values": tracks}

    def _tracks(
        self, histories: Sequence[StepHistory | None], window: Window, latest: Mapping[str, Value]
    ) -> list[Plain]:
        """Return the tracks of a chart's values, from all histories that have some of its steps."""
        known = [stored for stored in histories if stored is not None]
        before: dict[str, Value] = {}
        for stored in known:
            before |= stored.values_before(window.from_ns)
        tracks = ValueTracks(window, self._origin_ns, before)
        changes = [
            change for stored in known for change in stored.value_changes(window.from_ns, window.to_ns)
        ]
        for time_ns, values in sorted(changes, key=lambda change: change[0]):
            tracks.add(time_ns, values)
        return tracks.plain(latest)

    def _went_ns(self, key: ChartKey, past: Past) -> int | None:
        """Return when a chart stopped, closed or fell silent, by the common clock; None if it goes on."""
        row, life = self._model.row(key), past.lives.get(key.probe)
        if row is None or life is None:
            return None
        own_ns = [
            time_ns for time_ns in (life.closed_ns, life.stopped.get(key.serial)) if time_ns is not None
        ]
        ahead_ns, recorded = self._model.history.corrections.get(key.probe, 0), self._model.recorded
        # The end of a recording does not make a chart silent.
        status = life.status(key.serial, recorded.last_ns + ahead_ns) if recorded else row.view.status
        if not own_ns and past.whole and status == "silent":
            own_ns = [heard_ns for _, heard_ns in life.heard[-1:]]
        if not own_ns:
            return None
        charts = (self._model.history.charts.get(key), past.history.charts.get(key))
        # Steps sent late, or before the clock was set, do not belong to a chart that had ended.
        steps_ns = [stored.last_ns for stored in charts if stored is not None and stored.last_ns is not None]
        return max([min(own_ns) - ahead_ns, *steps_ns])

    def _row(self, number: int) -> ChartSummary:
        row = self._model.rows.get(number)
        if row is None:
            raise HTTPException(404, "no chart of that number is followed")
        return row

    def _keys(self, numbers: tuple[int, ...]) -> tuple[ChartKey, ...]:
        return tuple(key for number in numbers if (key := self._model.key(number)) is not None)


def _announced(row: ChartSummary) -> Statechart:
    """Return a chart's picture before any step: possible refusals are known from its structure."""
    drawn = Statechart()
    if row.view.structure is not None:
        drawn.add_structure(row.view.structure)
    return drawn


def _plain_failure(step: Step) -> Plain:
    """Return the error and its place in the user's program; None for a step in which no handler raised."""
    recorded = failure_in(step)
    if recorded is None:
        return None
    failure = read_traceback(recorded.text)
    return {
        "error": list(failure.error) or [recorded.message],
        "mine": [
            {"file": frame.file, "line": frame.line, "within": frame.function, "source": frame.source}
            for frame in failure.mine
        ],
        "others": len(failure.frames) - len(failure.mine),
        "whole": recorded.text.strip().splitlines(),
    }
