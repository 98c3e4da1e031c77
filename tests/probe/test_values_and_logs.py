"""Values and log records travel with the steps of charts for which they are asked, and with no others."""

from __future__ import annotations

import asyncio
import logging
import zlib

import pytest

from farscope import Event, Scope, broadcast, fields, payload
from farscope.engine import AsyncChart, Chart, State
from farscope.errors import UsageError
from farscope.logs.url import open_log
from farscope.probe.outbox import OUTBOX_VALUES_BYTES
from farscope.records.facts import FactKind
from farscope.testing.waiting import eventually
from farscope.wire.seal import Opener

LOG = logging.getLogger("tests.charger")
LOG.setLevel(logging.INFO)
HIDDEN = "hunter2-4711"


class Charger(Chart):
    idle = State(initial=True)
    charging = State()

    def __init__(self, name="charger", **options) -> None:
        super().__init__(name, **({"threaded": False} | options))
        self.amps = 0
        self.temp = 20.5
        self.note = HIDDEN

    @idle.on("PLUG", to=charging)
    def plug(self):
        self.amps = 16
        LOG.info("plugged into %s", self.name)

    @charging.on("WARM")
    def warm(self):
        self.temp += 0.5

    @charging.on("FAIL")
    def fail(self):
        self.temp = 99.0
        LOG.warning("too warm")
        raise ValueError("no")

    @charging.on("INSERT")
    def insert(self, e):
        Charger(e.payload, parent=self, threaded=False).start_at()


@pytest.fixture
def url(request):
    return f"memory:{request.node.name}"


def steps_of(url, keyring, count):
    """Return the steps in a log as (chart, signal, values, log lines), and the current values by chart."""
    steps = []
    with Scope(url, keyring, since="start") as scope:

        def complete():
            steps.extend(scope.take(0.1))
            return len(steps) >= count

        eventually(complete)
        current = {chart.name: dict(chart.values) for chart in scope.charts}
    told = []
    for step in steps:
        lines = [line for fact, line in step.shape.fact_lines(step.texts) if fact.kind is FactKind.LOG]
        told.append((step.chart.name, step.signal, dict(step.values), lines))
    return told, current


def bodies(url, keyring):
    """Return everything that was sent, as the holder of the key can read it."""
    opener, whole = Opener(keyring), b""
    for entry in open_log(url).reader(since_ns=0).read(0, limit=10_000):
        _, body = opener.open(entry.data)
        whole += zlib.decompress(body[1:]) if body[0] else body
    return whole


def test_steps_have_the_values_they_changed_and_charts_all_of_them(url, keyring):
    chart = Charger()
    with broadcast(chart, url=url, key=keyring, values=fields("amps", "temp")):
        chart.start_at()
        for signal in ("PLUG", "WARM", "OTHER"):
            chart.dispatch(Event(signal))
    steps, current = steps_of(url, keyring, 4)
    assert [values for _, _, values, _ in steps] == [
        {"amps": 0, "temp": 20.5},
        {"amps": 16},
        {"temp": 21.0},
        {},
    ]
    assert current == {"charger": {"amps": 16, "temp": 21.0}}


def test_log_records_of_a_step_are_its_facts(url, keyring):
    chart = Charger()
    with broadcast(chart, url=url, key=keyring, logs="INFO"):
        chart.start_at()
        chart.dispatch(Event("PLUG"))
    steps, _ = steps_of(url, keyring, 2)
    assert [lines for *_, lines in steps] == [
        [],
        ["LOG:(INFO, LOGGER:tests.charger):plugged into charger"],
    ]


def test_a_step_that_fails_has_its_values_and_log_records_too(url, keyring):
    chart = Charger()
    with broadcast(chart, url=url, key=keyring, values=fields("temp"), logs="WARNING"):
        chart.start_at()
        chart.dispatch(Event("PLUG"))
        with pytest.raises(ValueError, match="no"):
            chart.dispatch(Event("FAIL"))
    steps, _ = steps_of(url, keyring, 3)
    assert steps[2][2:] == ({"temp": 99.0}, ["LOG:(WARNING, LOGGER:tests.charger):too warm"])


def test_charts_added_later_and_charts_inside_have_the_options_of_their_broadcast(url, keyring):
    one, two, three = Charger("one"), Charger("two"), Charger("three")
    with broadcast(one, url=url, key=keyring, values=fields("amps"), logs="INFO") as probe:
        probe.add(two)
        probe.add(three, values=fields("temp"), logs="ERROR")
        for chart in (one, two, three):
            chart.start_at()
            chart.dispatch(Event("PLUG"))
        one.dispatch(Event("INSERT", "inside"))
        one.children[0].dispatch(Event("PLUG"))
    steps, current = steps_of(url, keyring, 9)
    assert current == {
        "one": {"amps": 16},
        "two": {"amps": 16},
        "inside": {"amps": 16},
        "three": {"temp": 20.5},
    }
    logged = [chart for chart, _, _, lines in steps if lines]
    assert sorted(logged) == ["inside", "one", "two"]


def test_charts_on_an_event_loop_show_values_and_log_records(url, keyring):
    class Slow(AsyncChart):
        calm = State(initial=True)
        level = 0

        @calm.on("RAISE")
        async def raise_level(self, e):
            await asyncio.sleep(0)
            self.level = e.payload
            LOG.info("raised")

    async def play():
        chart = Slow("slow")
        with broadcast(chart, url=url, key=keyring, values=fields("level"), logs="INFO"):
            async with chart:
                await chart.post(Event("RAISE", 3))
                await chart.settled()

    asyncio.run(play())
    steps, current = steps_of(url, keyring, 2)
    assert current == {"slow": {"level": 3}}
    assert [len(lines) for *_, lines in steps] == [0, 1]


def test_a_values_function_that_raises_never_reaches_the_chart(url, keyring, caplog):
    def values(chart, event):
        raise LookupError(HIDDEN)

    chart = Charger()
    with (
        caplog.at_level(logging.CRITICAL, "farscope"),
        broadcast(chart, url=url, key=keyring, values=values) as probe,
    ):
        chart.start_at()
        for _ in range(3):
            chart.dispatch(Event("PLUG"))
        assert probe.flush()
        assert probe.stats.values_failed == 4
    steps, _ = steps_of(url, keyring, 4)
    told = [lines for *_, lines in steps]
    assert told[1:] == [[], [], []]
    assert "the values function raised LookupError" in told[0][0]
    assert HIDDEN.encode() not in bodies(url, keyring)


def test_a_values_function_that_dispatches_is_an_error_of_its_own(url, keyring, caplog):
    def values(chart, event):
        chart.dispatch(Event("WARM"))

    chart = Charger()
    with (
        caplog.at_level(logging.CRITICAL, "farscope"),
        broadcast(chart, url=url, key=keyring, values=values) as probe,
    ):
        chart.start_at()
        chart.dispatch(Event("PLUG"))
        assert probe.stats.values_failed == 2
    assert chart.temp == 20.5


def test_nothing_of_a_payload_or_an_attribute_travels_unasked(url, keyring):
    chart = Charger()
    with broadcast(chart, url=url, key=keyring):
        chart.start_at()
        for signal in ("PLUG", "WARM", "OTHER"):
            chart.dispatch(Event(signal, {"password": HIDDEN, HIDDEN: 1}))
    assert HIDDEN.encode() not in bodies(url, keyring)


def test_what_is_redacted_does_not_travel(url, keyring):
    chart = Charger()
    shown = payload(redact=("password", "card*"))
    with broadcast(chart, url=url, key=keyring, values=shown):
        chart.start_at()
        chart.dispatch(
            Event("PLUG", {"password": HIDDEN, "CardNumber": HIDDEN, "nested": {"x": HIDDEN}, "amps": 16})
        )
    whole = bodies(url, keyring)
    assert b"CardNumber" in whole
    assert b"<dict>" in whole
    assert HIDDEN.encode() not in whole


def test_values_asked_for_by_one_broadcast_do_not_travel_with_another(keyring, url):
    chart = Charger()
    with (
        broadcast(chart, url=url, key=keyring, values=fields("note")),
        broadcast(chart, url=f"{url}-other", key=keyring),
    ):
        chart.start_at()
        chart.dispatch(Event("PLUG"))
    assert HIDDEN.encode() in bodies(url, keyring)
    assert HIDDEN.encode() not in bodies(f"{url}-other", keyring)


def test_log_records_asked_for_by_one_broadcast_do_not_travel_with_another(keyring, url):
    chart = Charger()
    with (
        broadcast(chart, url=url, key=keyring, logs="INFO"),
        broadcast(chart, url=f"{url}-errors", key=keyring, logs="WARNING"),
        broadcast(chart, url=f"{url}-none", key=keyring),
    ):
        chart.start_at()
        chart.dispatch(Event("PLUG", lambda: None))
        chart.scribble("aside")
        with pytest.raises(ValueError, match="no"):
            chart.dispatch(Event("FAIL"))
    whole = [bodies(place, keyring) for place in (url, f"{url}-errors", f"{url}-none")]
    assert [b"plugged into" in body for body in whole] == [True, False, False]
    assert [b"too warm" in body for body in whole] == [True, True, False]
    assert all(b"aside" in body and b"ValueError: no" in body for body in whole)
    for place, lines in ((f"{url}-errors", 1), (f"{url}-none", 0)):
        steps, _ = steps_of(place, keyring, 3)
        assert [len(told) for *_, told in steps] == [0, 0, lines]


def test_the_handler_is_installed_once_and_removed_with_the_last_broadcast_that_wants_it(url, keyring):
    before = list(logging.root.handlers)
    chart, other = Charger(), Charger()
    with broadcast(chart, url=url, key=keyring) as probe:
        assert logging.root.handlers == before
        with broadcast(other, url=f"{url}-other", key=keyring, logs="INFO"):
            probe.add(Charger(), logs=logging.DEBUG)
            assert len(logging.root.handlers) == len(before) + 1
        assert len(logging.root.handlers) == len(before) + 1
    assert logging.root.handlers == before


@pytest.mark.parametrize("options", [{"logs": "LOUD"}, {"values": {"amps": 1}}])
def test_options_that_make_no_sense_are_refused_before_anything_is_sent(url, keyring, options):
    before = list(logging.root.handlers)
    chart = Charger()
    with pytest.raises(UsageError):
        broadcast(chart, url=url, key=keyring, **options)
    with broadcast(url=url, key=keyring) as probe, pytest.raises(UsageError):
        probe.add(chart, **options)
    assert logging.root.handlers == before


def test_a_chart_and_its_last_event_are_not_kept_by_what_shows_their_values(url, keyring):
    import gc
    import weakref

    class Payload:
        pass

    chart = Charger()
    with broadcast(chart, url=url, key=keyring, values=payload()):
        chart.start_at()
        content = Payload()
        chart.dispatch(Event("PLUG", content))
        references = weakref.ref(content), weakref.ref(chart)
        del content, chart
        gc.collect()
        assert [reference() for reference in references] == [None, None]


def test_an_outbox_has_room_for_fewer_steps_with_large_values(chart, keyring, kit):
    bench = kit.Bench(capacity=1000)
    bench.outbox.limit_room(OUTBOX_VALUES_BYTES // 10)
    bench.outbox.limit_room(OUTBOX_VALUES_BYTES // 20)
    bench.offer(30)
    stats = bench.outbox.stats()
    assert (stats.pending, sum(stats.dropped.values())) == (10, 20)
    bench.outbox.retire("closing")
    bench.outbox.limit_room(1)
    bench.offer(1)
    assert bench.outbox.stats().pending == 0


@pytest.mark.parametrize("count", [2_000, pytest.param(200_000, marks=pytest.mark.soak)])
def test_many_steps_with_values_and_log_records_are_all_accounted_for_and_leak_nothing_redacted(
    tmp_path, keyring, count
):
    """Searches the files of the log, and the bodies as the holder of the key reads them."""
    url = f"sqlite:{tmp_path}"
    chart = Charger(instrumented=False)
    shown = payload(redact=("password", "card*"))
    with broadcast(chart, url=url, key=keyring, values=shown, logs="INFO") as probe:
        chart.start_at()
        for number in range(1, count):
            parts = {"password": HIDDEN, "CARD": HIDDEN, "x": number, "note": f"n{number}"}
            chart.dispatch(Event("PLUG" if number == 1 else "WARM", parts))
            if number % 5_000 == 0:
                assert probe.flush(30.0)
        assert probe.flush(30.0)
        stats = probe.stats
    assert (stats.emitted, stats.stored, stats.pending, dict(stats.dropped)) == (count, count, 0, {})
    assert (stats.values_failed, stats.values_refused) == (0, 0)
    with Scope(url, keyring, since="start") as scope:
        scope.catch_up(timeout_s=60)
        [seen] = scope.charts
        assert (seen.steps, seen.lost) == (count, 0)
        assert dict(seen.values)["x"] == count - 1
    assert all(HIDDEN.encode() not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    opener = Opener(keyring)
    found = set()
    reader = open_log(url).reader(since_ns=0)
    while entries := reader.read(0, limit=1_000):
        for entry in entries:
            _, body = opener.open(entry.data)
            plain = zlib.decompress(body[1:]) if body[0] else body
            found |= {text for text in (b"n1999", b"plugged into", b"[redacted]") if text in plain}
            assert HIDDEN.encode() not in plain
    assert found == {b"n1999", b"plugged into", b"[redacted]"}
