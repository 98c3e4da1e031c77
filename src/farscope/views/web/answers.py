"""Answers about the past; each method may be called from any thread and holds the hub's lock shortly."""

from __future__ import annotations

import time
from typing import Final

from starlette.exceptions import HTTPException

from farscope.records.step import Step
from farscope.views.sequence.extract import by_chart, by_state
from farscope.views.sequence.svg import svg_sequence
from farscope.views.statechart.model import Statechart
from farscope.views.svg_text import STYLE
from farscope.views.web.asking import MAX_TIME, Asked
from farscope.views.web.figures import MAX_STEPS, figures
from farscope.views.web.frames import OPEN_STEPS
from farscope.views.web.history import Key, key_of
from farscope.views.web.hub import Hub
from farscope.views.web.lanes import Window, lane
from farscope.views.web.moments import row_at, spark_at
from farscope.views.web.plain import Plain, plain_moves, plain_step, plain_structure
from farscope.views.web.row import Row
from farscope.views.web.track import Track

MAX_WIDTH: Final = 4_096
"""Pixels of a lane at most, and so the items in it."""

MAX_LANES: Final = 128
"""Lanes in an answer at most; the page asks for those it shows."""

MAX_LISTED: Final = 1_000
"""Steps in a list at most."""

MAX_ARROWS: Final = 400
"""Steps in a sequence diagram at most, before folding."""

TRACED_AMONG: Final = 10
"""Transitions are looked for among so many times the steps asked for; other steps make no arrow there."""

_STYLE: Final = f"<style>{STYLE}</style>"


class Answers:
    """What a page may ask besides the stream of frames."""

    def __init__(self, hub: Hub, origin_ns: int) -> None:
        self._hub = hub
        self._origin_ns = origin_ns

    def at(self, asked: Asked) -> Plain:
        """Every chart at a moment."""
        time_ns = asked.moment("time")
        with self._hub.lock:
            tracks = [
                (row, self._hub.history.tracks.get(key_of(row.view.id))) for row in self._hub.rows.values()
            ]
            return {
                "time": time_ns - self._origin_ns,
                "rows": [row_at(row, track, time_ns, self._origin_ns) for row, track in tracks],
                "sparks": [[row.number, spark_at(track, time_ns)] for row, track in tracks],
            }

    def near(self, asked: Asked) -> Plain:
        """The next moment, forward or back, at which a chart made a step; any chart if none is named."""
        time_ns = asked.moment("time")
        forward = asked.word("direction", ("forward", "back")) == "forward"
        with self._hub.lock:
            keys = self._keys(asked.charts()) or tuple(self._hub.history.tracks)
            history = self._hub.history
            found = history.next_after(time_ns, keys) if forward else history.last_before(time_ns, keys)
        return {"time": None if found is None else found - self._origin_ns}

    def timeline(self, asked: Asked) -> Plain:
        """The lanes of some charts, reduced to pixels."""
        now_ns = time.time_ns()
        from_ns, to_ns = asked.moment("from"), asked.moment("to", now_ns)
        window = Window(from_ns, max(from_ns + 1, to_ns), asked.count("width", 1000, MAX_WIDTH))
        lanes = []
        for number in asked.charts()[:MAX_LANES]:
            # Lane by lane, so that many long ones do not keep the steps waiting.
            with self._hub.lock:
                track = self._track(number)
                if track is not None:
                    lanes.append({"chart": number, **lane(track, window, self._origin_ns)})
        with self._hub.lock:
            first_ns = self._hub.history.first_ns
            forgotten = self._hub.history.forgotten
        return {
            "from": from_ns - self._origin_ns,
            "to": window.to_ns - self._origin_ns,
            "first": None if first_ns is None else first_ns - self._origin_ns,
            "forgotten": forgotten,
            "lanes": lanes,
        }

    def steps(self, asked: Asked) -> Plain:
        """The newest steps of a chart within a span, oldest first."""
        limit = asked.count("limit", OPEN_STEPS, MAX_LISTED)
        steps = self._newest(asked, limit)
        return {"steps": [plain_step(step, self._origin_ns) for step in steps]}

    def step(self, asked: Asked) -> Plain:
        """All that is known of one step."""
        number = asked.count("number", 0, MAX_TIME)
        with self._hub.lock:
            row = self._row(asked.chart())
            track = self._hub.history.tracks.get(key_of(row.view.id))
            step = None if track is None else track.numbered(number)
            if step is None:
                raise HTTPException(404, "this step is not remembered any more")
            poster = step.cause and self._hub.row(Key(step.chart.probe, step.cause.serial))
        cause = None
        if step.cause is not None:
            cause = {"chart": poster.number if poster else None, "number": step.cause.number}
        return {
            "chart": row.number,
            "step": plain_step(step, self._origin_ns),
            "spy": step.spy(),
            "trace": step.trace(),
            "texts": list(step.texts),
            "cause": cause,
        }

    def picture(self, asked: Asked) -> Plain:
        """The states and arrows of a chart, counted up to a moment."""
        time_ns = asked.moment("time", MAX_TIME)
        with self._hub.lock:
            row = self._row(asked.chart())
            track = self._hub.history.tracks.get(key_of(row.view.id))
            later = Statechart()
            for shape, count in (track.shapes_after(time_ns) if track else {}).items():
                later.add_shape(shape, count)
            return {
                "structure": plain_structure(row),
                "moves": [move for move in plain_moves(row.picture, later) if move[3] > 0],
                "uncounted": row.uncounted,
            }

    def stats(self, asked: Asked) -> Plain:
        """Time in state, events, waits and slow steps of a chart within a span."""
        until_ns = asked.moment("to", time.time_ns())
        return figures(self._newest(asked, MAX_STEPS), until_ns, self._origin_ns)

    def sequence(self, asked: Asked) -> str:
        """The last steps of some charts together as a sequence diagram, in SVG.

        Without a style of its own for the page, whose policy takes none but its style sheets.
        """
        to_ns = asked.moment("to", MAX_TIME)
        last = asked.count("last", 40, MAX_ARROWS)
        by_states = asked.word("lanes", ("charts", "states")) == "states"
        with self._hub.lock:
            keys = self._keys(asked.charts())
            steps = self._hub.history.newest(keys, last * TRACED_AMONG if by_states else last, to_ns)
        if by_states:
            steps = [step for step in steps if step.shape.traced][-last:]
        draw = by_state if by_states else by_chart
        drawn = svg_sequence(draw(steps))
        return drawn if asked.word("style", ("page", "own")) == "own" else drawn.replace(_STYLE, "")

    def _newest(self, asked: Asked, limit: int) -> list[Step]:
        from_ns, to_ns = asked.moment("from", 0), asked.moment("to", MAX_TIME)
        with self._hub.lock:
            track = self._track(self._row(asked.chart()).number)
            return [] if track is None else track.newest(limit, from_ns, to_ns)

    def _row(self, number: int) -> Row:
        row = self._hub.rows.get(number)
        if row is None:
            raise HTTPException(404, "no chart of that number is followed")
        return row

    def _track(self, number: int) -> Track | None:
        key = self._hub.key(number)
        return None if key is None else self._hub.history.tracks.get(key)

    def _keys(self, numbers: tuple[int, ...]) -> tuple[Key, ...]:
        return tuple(key for number in numbers if (key := self._hub.key(number)) is not None)
