"""A recording on the page: any moment of it at once, while reading it through is held still."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from starlette.testclient import TestClient

from farscope import Scope
from farscope.logs.recording.log import RecordingLog
from farscope.records.step import NANOSECONDS
from farscope.records.structure import ChartStructure, Reaction, StateInfo
from farscope.scope.ordering import reorder_buffer as ordering
from farscope.scope.playback.time_index import TimeIndex
from farscope.testing.waiting import PATIENCE_S, eventually
from farscope.views.web.app import make_app
from farscope.views.web.live_model import LiveModel
from farscope.views.web.serialize import ROW_FIELDS
from farscope.views.web.time_travel import Recorded
from farscope.views.web.updates import PageUpdates, plain_account
from farscope.wire.keyring import Keyring, new_key_text
from support.recorded_probe import BEGIN_NS, RecordedProbe, in_true_order, recording

KEYRING = Keyring.from_text(new_key_text())
S = NANOSECONDS
PORT = 8270
STRUCTURE = ChartStructure((StateInfo("idle"), StateInfo("busy")), (Reaction("idle", "WORK", "busy"),))
MINUTES = 10


@pytest.fixture(autouse=True)
def _past_at_once(monkeypatch):
    """Read steps of the past are not held for others: what is held still here gives no others."""
    monkeypatch.setattr(ordering, "PAST_HOLD_NS", 0)


BATCHES_READ = 3
"""So much of a recording is read through before the reading is held still."""


class Held(RecordingLog):
    """A recording whose reading stands still after some batches until it is let go on."""

    def __init__(self, log: RecordingLog) -> None:
        super().__init__(log.path)
        self.go_on = threading.Event()

    def reader(self, since_ns=None, position=None):
        reader = super().reader(since_ns, position)
        read, left = reader.read, BATCHES_READ

        def held(timeout_s: float, limit: int = 256):
            nonlocal left
            if self.go_on.is_set():
                return read(timeout_s, limit)
            if left:
                left -= 1
                return read(timeout_s, 1)
            self.go_on.wait(0.02)
            return []

        reader.read = held
        return reader


class Desk:
    """A model that follows a recording, and what it answers."""

    def __init__(self, model: LiveModel, client: TestClient, origin_ns: int) -> None:
        self.model, self.client, self._origin_ns = model, client, origin_ns

    def ask(self, path: str, **query) -> dict:
        """Ask; times are true ones."""
        for name in ("time", "from", "to", "moment"):
            if name in query:
                query[name] -= self._origin_ns
        answer = self.client.get(f"/api/{path}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def number(self, name: str) -> int:
        return next(row.number for row in self.model.rows.values() if row.view.name == name)

    def rows(self, time_ns: int) -> dict[str, dict]:
        """Every chart by its name, as the page is told it at a moment."""
        names = {row.number: row.view.name for row in self.model.rows.values()}
        answer = self.ask("at", time=time_ns)["rows"]
        return {names[row[0]]: dict(zip(ROW_FIELDS, row, strict=True)) for row in answer}

    def states(self, time_ns: int) -> dict[str, str]:
        return {name: row["state"] for name, row in self.rows(time_ns).items()}

    def at(self, told: int) -> int:
        """A time as it was told, since the epoch."""
        return told + self._origin_ns


@contextmanager
def desk_of(log: RecordingLog, *, since=None) -> Iterator[Desk]:
    with (
        TimeIndex(log, KEYRING, since) as seek,
        Scope(log, KEYRING, since=since or "start") as scope,
        LiveModel(scope, recorded=Recorded(seek)) as model,
    ):
        app = make_app(model, host="127.0.0.1", port=PORT)
        client = TestClient(app, base_url=f"http://127.0.0.1:{PORT}")
        eventually(lambda: model.opened or model.failure)
        assert model.failure is None
        eventually(lambda: model.history.first_ns is not None)
        told = client.get("/api/timeline?from=0").json()["first"]
        yield Desk(model, client, model.history.first_ns - told)


@contextmanager
def held_still(log: RecordingLog, **more) -> Iterator[Desk]:
    """Give a desk while the reading stands still near the beginning; afterwards it goes on."""
    held = Held(log)
    with desk_of(held, **more) as desk:
        try:
            yield desk
        finally:
            held.go_on.set()


def finished(desk: Desk) -> None:
    """Wait for the end of the recording, which comes together with the final account."""
    eventually(lambda: desk.model.finished or desk.model.failure)
    with desk.model.lock:
        history, received = desk.model.history, desk.model.stats.received
        assert desk.model.failure or received == len(history) + history.forgotten
    assert desk.model.failure is None


@pytest.fixture
def log(tmp_path) -> RecordingLog:
    """Ten minutes of two charts: one works in every second minute, the other is switched on once."""
    probe = RecordedProbe(KEYRING, host="oven", structure=STRUCTURE)
    probe.step(BEGIN_NS, 0, "idle", "start_at")
    probe.step(BEGIN_NS, 1, "on", "start_at")
    entries = [probe.send(BEGIN_NS + S // 100, all_charts=True)]
    for second in range(1, MINUTES * 60):
        now_ns = BEGIN_NS + second * S
        if second % 60 == 0:
            probe.step(now_ns, 0, "busy" if second // 60 % 2 else "idle", "WORK")
        entries.append(probe.send(now_ns + S // 100, all_charts=second % 5 == 0))
    return recording(tmp_path / "run.farscope", entries)


def test_any_moment_of_a_recording_can_be_gone_to_while_it_is_being_read(log):
    with held_still(log) as desk:
        for minute in (9, 1, 8, 2, 5):
            time_ns = BEGIN_NS + minute * 60 * S + 7 * S
            expected = {"oven 0": "busy" if minute % 2 else "idle", "oven 1": "on"}
            assert desk.states(time_ns) == expected
        row = desk.rows(BEGIN_NS + 540 * S + S)["oven 0"]
        assert (row["steps"], row["event"], row["status"]) == (10, "WORK", "alive")
        assert desk.at(row["at"]) == BEGIN_NS + 540 * S
        assert not desk.model.finished
        assert desk.model.read_ns < BEGIN_NS + 60 * S


def test_the_span_of_a_recording_is_known_before_it_was_read(log):
    with held_still(log) as desk:
        recorded = desk.model.recorded
        assert recorded.first_ns == BEGIN_NS
        assert recorded.last_ns == BEGIN_NS + (MINUTES * 60 - 1) * S + S // 100
        assert {row.view.name for row in desk.model.rows.values()} == {"oven 0", "oven 1"}


def test_what_is_told_while_it_is_read_is_what_is_told_when_it_was(log):
    moments = [
        BEGIN_NS + minute * 60 * S + offset for minute in range(MINUTES) for offset in (-1, 0, 1, 7 * S)
    ]
    held = Held(log)
    with desk_of(held) as desk:
        early = [desk.rows(time_ns) for time_ns in moments]
        held.go_on.set()
        finished(desk)
        late = [desk.rows(time_ns) for time_ns in moments]
    fields = ("state", "status", "steps", "queued", "rate")
    for time_ns, one, other in zip(moments, early, late, strict=True):
        for name in one:
            told = [{field: row[name][field] for field in fields} for row in (one, other)]
            assert told[0] == told[1], (name, time_ns - BEGIN_NS)


def test_steps_pictures_statistics_and_sequences_tell_the_moment_while_it_is_read(log):
    time_ns = BEGIN_NS + 541 * S
    with held_still(log) as desk:
        chart = desk.number("oven 0")
        steps = desk.ask("steps", chart=chart, to=time_ns)["steps"]
        assert [step[0] for step in steps] == list(range(3, 11))
        assert [step[0] for step in desk.ask("steps", chart=chart, to=time_ns, limit=2)["steps"]] == [9, 10]
        facts = desk.ask("step", chart=chart, number=10, time=time_ns)
        assert "WORK" in facts["trace"]
        assert facts["ahead"] == 0
        picture = desk.ask("picture", chart=chart, time=time_ns)
        assert picture["moves"] == [["idle", "busy", "WORK", 1]]
        assert {state["name"] for state in picture["structure"]["states"]} >= {"idle", "busy"}
        assert BEGIN_NS < desk.at(picture["since"]) < time_ns
        assert desk.ask("stats", chart=chart, to=time_ns)["steps"] == 1
        drawn = desk.client.get("/api/sequence", params={"charts": chart, "to": time_ns - desk.at(0)})
        assert "WORK" in drawn.text


def test_the_next_step_is_found_beyond_what_was_read_and_what_was_looked_at(log):
    with held_still(log) as desk:
        chart = desk.number("oven 0")
        time_ns = BEGIN_NS + 300 * S
        found = desk.ask("near", time=time_ns, direction="forward", charts=chart)["time"]
        assert desk.at(found) == BEGIN_NS + 360 * S
        found = desk.ask("near", time=time_ns, direction="back", charts=chart)["time"]
        assert desk.at(found) == BEGIN_NS + 240 * S
        assert desk.ask("near", time=BEGIN_NS + 541 * S, direction="forward", charts=chart)["time"] is None
        assert desk.ask("near", time=BEGIN_NS, direction="back")["time"] is None


def test_the_timeline_shows_what_was_read_and_what_lies_around_the_moment(log):
    whole = {"from": BEGIN_NS, "to": BEGIN_NS + MINUTES * 60 * S, "width": 600}
    held = Held(log)
    with desk_of(held) as desk:
        chart, other = desk.number("oven 0"), desk.number("oven 1")
        query = desk.ask("timeline", charts=f"{chart},{other}", moment=BEGIN_NS + 541 * S, **whole)
        lanes = {lane["chart"]: lane for lane in query["lanes"]}
        told = [(item[1], item[2] >= 0 and lanes[chart]["states"][item[2]]) for item in lanes[chart]["items"]]
        assert told[0] == (1, "idle")
        assert (0, "busy") in told
        # Nothing is made up for what lies between.
        assert (0, False) in told[1:-1]
        resting = [item for item in lanes[other]["items"] if desk.at(item[0]) > BEGIN_NS + 500 * S]
        assert lanes[other]["states"][resting[0][2]] == "on"
        held.go_on.set()
        finished(desk)
        (lane,) = desk.ask("timeline", charts=chart, moment=BEGIN_NS + 541 * S, **whole)["lanes"]
        assert sum(item[1] for item in lane["items"]) == MINUTES
        assert all(item[1] for item in lane["items"])


def test_what_was_read_through_is_told_from_the_beginning_on(log):
    with desk_of(log) as desk:
        finished(desk)
        chart = desk.number("oven 0")
        assert desk.ask("stats", chart=chart, to=BEGIN_NS + 541 * S)["steps"] == MINUTES
        picture = desk.ask("picture", chart=chart, time=BEGIN_NS + 541 * S)
        assert sorted(move[3] for move in picture["moves"] if move[2] == "WORK") == [4, 5]
        assert picture["since"] is None


def test_what_a_long_recording_had_to_forget_can_still_be_gone_to(log):
    with (
        TimeIndex(log, KEYRING) as seek,
        Scope(log, KEYRING, since="start") as scope,
        LiveModel(scope, limit=0, recorded=Recorded(seek)) as model,
    ):
        eventually(lambda: model.finished)
        with model.lock:
            stored = model.history.charts[next(iter(model.history.charts))]
            stored.forgotten += 1
            stored.blocks[0].times[0] += S
        past = model.past(BEGIN_NS)
        assert not past.whole
        assert model.past(BEGIN_NS + 500 * S).whole


def test_nothing_recorded_is_called_alive_at_the_end(tmp_path):
    stays, gone, closed = (RecordedProbe(KEYRING, 1, host=host) for host in ("stays", "gone", "closed"))
    entries = []
    for second in range(60):
        for probe, last in ((stays, 59), (gone, 30), (closed, 40)):
            if second == 0:
                probe.step(BEGIN_NS, 0, "here", "start_at")
            if second <= last:
                goodbye = probe is closed and second == last
                sent = probe.send(BEGIN_NS + second * S + S // 10, all_charts=True, goodbye=goodbye)
                entries.append((probe, sent))
    log = recording(tmp_path / "run.farscope", in_true_order(entries))
    expected = {
        10: ("alive", "alive", "alive"),
        33: ("alive", "alive", "alive"),
        38: ("alive", "silent", "alive"),
        45: ("alive", "silent", "closed"),
        60: ("ended", "silent", "closed"),
    }

    def statuses(desk: Desk) -> dict[int, tuple[str, ...]]:
        rows = {second: desk.rows(BEGIN_NS + second * S) for second in expected}
        names = ("stays 0", "gone 0", "closed 0")
        return {second: tuple(its[name]["status"] for name in names) for second, its in rows.items()}

    with held_still(log) as desk:
        assert statuses(desk) == expected
    with desk_of(log) as desk:
        finished(desk)
        assert statuses(desk) == expected
        # So it is where the page shows no moment, as before it has gone to one.
        eventually(
            lambda: (
                {row[3] for row in PageUpdates(desk.model, 0).next()["rows"]} == {"ended", "silent", "closed"}
            )
        )


@pytest.mark.parametrize("whole", [True, False])
def test_a_bar_ends_where_its_chart_closed_was_stopped_or_fell_silent(tmp_path, whole):
    stays, silent, closed, stops = (RecordedProbe(KEYRING, 1, host=host) for host in ("a", "b", "c", "d"))
    sent = []
    for second in range(60):
        now_ns = BEGIN_NS + second * S
        for probe, until in ((stays, 60), (silent, 21), (closed, 31), (stops, 60)):
            if second == 0:
                probe.step(now_ns, 0, "on", "start_at")
            if probe is stops and second == 40:
                probe.stopped.add(1)
            if second < until:
                goodbye = probe is closed and second == until - 1
                sent.append((probe, probe.send(now_ns, all_charts=True, goodbye=goodbye)))
    held = Held(recording(tmp_path / "run.farscope", in_true_order(sent)))
    with desk_of(held) as desk:
        if whole:
            held.go_on.set()
            finished(desk)
        ends = {}
        for host in "abcd":
            query = {"charts": desk.number(f"{host} 0"), "moment": BEGIN_NS + 55 * S}
            (lane,) = desk.ask("timeline", width=500, **query, **{"from": BEGIN_NS, "to": BEGIN_NS + 70 * S})[
                "lanes"
            ]
            last = lane["items"][-1]
            ends[host] = None if last[2] >= 0 else round((desk.at(last[0]) - BEGIN_NS) / S)
            later = {"from": BEGIN_NS + 50 * S, "to": BEGIN_NS + 70 * S}
            (lane,) = desk.ask("timeline", width=500, **query, **later)["lanes"]
            assert (lane["before"] == -1) == (ends[host] is not None and ends[host] < 50), host
        held.go_on.set()
    # Whether somebody fell silent for good is known when all was read.
    assert ends == {"a": None, "b": 20 if whole else None, "c": 30, "d": 40}


def test_what_a_chart_did_after_it_fell_silent_is_unknown_from_then_on(tmp_path):
    polite, killed = RecordedProbe(KEYRING, 1, host="a"), RecordedProbe(KEYRING, 1, host="b")
    sent = []
    for second in range(30):
        now_ns = BEGIN_NS + second * S
        for probe, until in ((polite, 30), (killed, 10)):
            if second == 0:
                probe.step(now_ns, 0, "on", "start_at")
            if second < until:
                goodbye = probe is polite and second == 29
                sent.append((probe, probe.send(now_ns, all_charts=True, goodbye=goodbye)))
    with desk_of(recording(tmp_path / "run.farscope", in_true_order(sent))) as desk:
        finished(desk)
        unknown = [
            {name for name, row in desk.rows(BEGIN_NS + second * S).items() if row["unknown"]}
            for second in (5, 20, 40)
        ]
        assert unknown == [set(), {"b 0"}, {"b 0"}]
        eventually(lambda: any(unknown.chart for unknown in desk.model.stats.unknown))
        with desk.model.lock:
            account = plain_account(desk.model, 0)
    assert account["unknown"] == ["unknown after step 1 of b 0"]
    assert account["lost"] == 0


def test_steps_lost_by_a_moment_are_counted_by_that_moment(tmp_path):
    probe = RecordedProbe(KEYRING, 1)
    entries = []
    for second in range(10):
        if second == 5:
            probe.lose(0, 7)
        probe.step(BEGIN_NS + second * S, 0, f"s{second}", "GO")
        entries.append(probe.send(BEGIN_NS + second * S + 1, all_charts=True))
    with desk_of(recording(tmp_path / "run.farscope", entries)) as desk:
        finished(desk)
        assert [desk.rows(BEGIN_NS + second * S)["far 0"]["lost"] for second in (4, 5, 9)] == [0, 7, 7]


def test_machines_with_other_clocks_stand_at_one_time(tmp_path):
    right = RecordedProbe(KEYRING, 1, host="right")
    ahead = RecordedProbe(KEYRING, 1, host="ahead", ahead_ns=3_600 * S)
    entries = []
    for second in range(120):
        for probe, offset_ns in ((right, 0), (ahead, S // 2)):
            now_ns = BEGIN_NS + second * S + offset_ns
            probe.step(now_ns, 0, f"s{second}", "GO" if second else "start_at")
            entries.append((probe, probe.send(now_ns + 1, all_charts=second % 5 == 0)))
    log = recording(tmp_path / "run.farscope", in_true_order(entries))
    held = Held(log)
    with desk_of(held) as desk:
        assert desk.model.recorded.last_ns - desk.model.recorded.first_ns < 122 * S
        told = [desk.states(BEGIN_NS + 60 * S + S // 4 * quarter) for quarter in range(40)]
        for states in told:
            # What the clocks are known to is half a second here, where batches come by the second.
            assert abs(int(states["right 0"][1:]) - int(states["ahead 0"][1:])) <= 1
        held.go_on.set()
        finished(desk)
        again = [desk.states(BEGIN_NS + 60 * S + S // 4 * quarter) for quarter in range(40)]
        assert again == told
        facts = desk.ask("step", chart=desk.number("ahead 0"), number=5)
        assert abs(facts["ahead"] - 3_600 * S) < S


def test_since_begins_a_recording_later(log):
    with held_still(log, since="2m") as desk:
        assert desk.model.recorded.first_ns >= BEGIN_NS + 478 * S
        assert desk.states(BEGIN_NS + 541 * S)["oven 0"] == "busy"


def test_a_recording_of_nothing_shows_nothing(tmp_path):
    log = recording(tmp_path / "run.farscope", [])
    with (
        TimeIndex(log, KEYRING) as seek,
        Scope(log, KEYRING) as scope,
        LiveModel(scope, recorded=Recorded(seek)) as model,
    ):
        eventually(lambda: model.finished or model.failure)
        assert model.failure is None
        assert model.past(BEGIN_NS).history.charts == {}


def test_leaving_does_not_wait_until_a_large_recording_has_been_opened(tmp_path):
    entries = []
    for _ in range(9):
        probe = RecordedProbe(KEYRING, 1, structure=STRUCTURE)
        entries.append(probe.send(BEGIN_NS, all_charts=True))
    log = recording(tmp_path / "large.farscope", entries)
    looking, given_up, looked = threading.Event(), threading.Event(), []
    with TimeIndex(log, KEYRING) as seek, Scope(log, KEYRING) as scope:
        entry, give_up = seek._file.entry, seek.cancel

        def slow(number: int):
            looked.append(number)
            looking.set()
            given_up.wait(PATIENCE_S)
            return entry(number)

        def give_up_and_tell() -> None:
            give_up()
            given_up.set()

        seek._file.entry, seek.cancel = slow, give_up_and_tell
        with LiveModel(scope, recorded=Recorded(seek)):
            assert looking.wait(PATIENCE_S)
        assert given_up.is_set()
        assert len(looked) == 1


def test_the_tracks_of_values_are_right_at_any_moment_while_the_recording_is_still_read(tmp_path):
    probe = RecordedProbe(KEYRING, 1, host="oven", structure=STRUCTURE)
    probe.step(BEGIN_NS, 0, "idle", "start_at", heat=0, mode="eco")
    entries = [probe.send(BEGIN_NS + S // 100, all_charts=True)]
    for second in range(1, MINUTES * 60):
        now_ns = BEGIN_NS + second * S
        if second % 60 == 0:
            probe.step(now_ns, 0, "busy", "WORK", heat=second)
        entries.append(probe.send(now_ns + S // 100, all_charts=second % 5 == 0))
    with held_still(recording(tmp_path / "run.farscope", entries)) as desk:

        def tracks(from_s: int, to_s: int) -> dict[str, dict]:
            span = {"from": BEGIN_NS + from_s * S, "to": BEGIN_NS + to_s * S}
            answer = desk.ask(
                "timeline", charts=desk.number("oven 0"), width=1_000, moment=span["to"], **span
            )
            return {track["name"]: track for track in answer["lanes"][0]["values"]}

        around = tracks(295, 305)
        assert [point[1:] for point in around["heat"]["points"]] == [[300, 300, 300]]
        # Long before the recording's end, a value is not the one that it ended with.
        quiet = tracks(200, 201)
        assert (quiet["heat"]["points"], quiet["heat"]["before"]) == ([], 180)
        assert quiet["mode"]["texts"][quiet["mode"]["before"]] == "eco"
