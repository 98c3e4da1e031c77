"""Log records become facts of the step they are made in, and records of log files name their step."""

from __future__ import annotations

import io
import logging
import sys
import threading

import pytest

from farscope import Event
from farscope.engine import Chart, State
from farscope.engine.core.open_step import MAX_TEXT
from farscope.errors import UsageError
from farscope.log_records import StepFilter, hold_handler, level_number, release_handler
from farscope.records.facts import FactKind
from farscope.records.sink import NO_LOGS
from farscope.records.step import Step

LOG = logging.getLogger("tests.of.logs")


class Sink:
    """Keeps steps, and wants log records from a level on."""

    def __init__(self, log_level=logging.INFO) -> None:
        self.log_level = log_level
        self.steps = []

    def step(self, step):
        self.steps.append(Step._make(step))

    def announce(self, chart, structure, state, number, parent=None):
        pass

    def stopped(self, chart, status=None):
        pass

    @property
    def logs(self):
        return [
            (step.number, fact.detail, fact.name, line)
            for step in self.steps
            for fact, line in step.shape.fact_lines(step.texts)
            if fact.kind is FactKind.LOG
        ]


class Lamp(Chart):
    """Calls what the payload of an event says."""

    off = State(initial=True)

    def __init__(self, name="lamp") -> None:
        super().__init__(name, threaded=False)

    @off.on("CALL")
    def call(self, e):
        e.payload()

    def do(self, function):
        self.dispatch(Event("CALL", function))


@pytest.fixture
def lamp():
    lamp = Lamp()
    lamp.start_at()
    return lamp


@pytest.fixture
def sink(lamp):
    sink = Sink()
    lamp.attach(sink)
    return sink


@pytest.fixture(autouse=True)
def handler():
    level, LOG.level = LOG.level, logging.DEBUG
    before = list(logging.root.handlers)
    hold_handler(LOG)
    yield
    release_handler(LOG)
    LOG.setLevel(level)
    assert logging.root.handlers == before


def test_a_record_made_in_a_step_is_a_fact_of_that_step(lamp, sink):
    lamp.do(lambda: LOG.info("plugged %s", 7))
    assert sink.logs == [(2, "INFO", LOG.name, f"LOG:(INFO, LOGGER:{LOG.name}):plugged 7")]


def test_facts_of_records_have_their_place_among_the_others_of_the_step(lamp, sink):
    lamp.do(lambda: (LOG.info("a"), lamp.scribble("b"), LOG.warning("c")))
    assert sink.steps[-1].texts == ("a", "b", "c")


def test_records_below_the_level_and_those_outside_steps_are_not_facts(lamp, sink):
    lamp.do(lambda: LOG.debug("low"))
    LOG.error("outside")
    lamp.do(lambda: None)
    assert sink.logs == []


def test_records_of_another_thread_are_not_facts_of_the_step(lamp, sink):
    def elsewhere():
        thread = threading.Thread(target=LOG.info, args=("elsewhere",))
        thread.start()
        thread.join()

    lamp.do(elsewhere)
    assert sink.logs == []


def test_a_chart_whose_sinks_want_no_records_has_none(lamp):
    sink = Sink(NO_LOGS)
    lamp.attach(sink)
    lamp.do(lambda: LOG.critical("x"))
    assert sink.logs == []


def test_records_stop_with_the_sink_that_wants_them(lamp, sink):
    lamp.attach(other := Sink(NO_LOGS))
    lamp.detach(sink)
    lamp.do(lambda: LOG.critical("x"))
    assert other.logs == []


def test_a_chart_run_inside_a_step_of_another_has_its_own_records(lamp, sink):
    inner = Lamp("inner")
    inner.attach(seen := Sink())
    inner.start_at()
    lamp.do(lambda: (LOG.info("before"), inner.do(lambda: LOG.info("inside")), LOG.info("after")))
    assert [line[-6:] for *_, line in sink.logs] == ["before", ":after"]
    assert len(seen.logs) == 1


def test_records_of_farscope_itself_are_not_facts(lamp, sink):
    lamp.do(lambda: logging.getLogger("farscope.probe").error("x"))
    assert sink.logs == []


def test_an_argument_that_logs_when_it_is_shown_does_not_recurse(lamp, sink):
    class Talkative:
        def __str__(self) -> str:
            LOG.warning("showing")
            return "shown"

    lamp.do(lambda: LOG.info("%s", Talkative()))
    # Other handlers format the message too, and their records may come in between.
    assert [line.rpartition(":")[2] for *_, line in sink.logs].count("shown") == 1


def test_long_messages_are_cut_and_tracebacks_kept(lamp, sink):
    def act():
        LOG.info("x" * 10_000)
        try:
            _ = {}["amps"]
        except KeyError:
            LOG.exception("failed")

    lamp.do(act)
    long, failed = sink.steps[-1].texts
    assert len(long) < MAX_TEXT + 100
    assert failed.startswith("failed\nTraceback")
    assert failed.endswith("KeyError: 'amps'")


def test_arguments_that_do_not_fit_their_message_are_no_error(lamp, sink, monkeypatch):
    monkeypatch.setattr(logging, "raiseExceptions", False)
    lamp.do(lambda: LOG.info("%d", "x"))
    [(*_, line)] = sink.logs
    assert "TypeError" in line


def test_a_flood_of_records_is_cut_like_other_facts(lamp, sink):
    lamp.do(lambda: [LOG.info("x") for _ in range(20_000)])
    step = sink.steps[-1]
    assert step.facts[-1].kind is FactKind.CUT or any(fact.kind is FactKind.CUT for fact in step.facts)
    assert len(step.texts) == sum(fact.kind is FactKind.LOG for fact in step.facts)


def test_a_failed_step_keeps_its_records(lamp, sink):
    def fail():
        LOG.info("about to fail")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        lamp.do(fail)
    assert [number for number, *_ in sink.logs] == [2]
    assert len(sink.steps[-1].texts) == 2


def test_a_program_without_handlers_still_prints_its_warnings(monkeypatch, lamp):
    monkeypatch.setattr(sys, "stderr", printed := io.StringIO())
    others = [handler for handler in logging.root.handlers if type(handler).__name__ != "StepHandler"]
    for handler in others:
        logging.root.removeHandler(handler)
    try:
        LOG.warning("loud")
        LOG.info("quiet")
        monkeypatch.setattr(LOG, "handlers", [logging.NullHandler()])
        LOG.warning("handled")
    finally:
        held = logging.root.handlers[:]
        logging.root.handlers[:] = [*others, *held]
    assert printed.getvalue() == "loud\n"


def test_the_filter_adds_chart_state_and_step_to_every_record(lamp, sink):
    records = io.StringIO()
    handler = logging.StreamHandler(records)
    handler.addFilter(StepFilter())
    handler.setFormatter(logging.Formatter("%(chart)s|%(state)s|%(step)d|%(message)s"))
    LOG.addHandler(handler)
    try:
        lamp.do(lambda: LOG.info("in"))
        LOG.info("out")
    finally:
        LOG.removeHandler(handler)
    assert records.getvalue().splitlines() == ["lamp|off|2|in", "||0|out"]
    assert sink.steps[-1].number == 2


@pytest.mark.parametrize(("level", "number"), [("info", 20), ("WARNING", 30), (5, 5)])
def test_levels_have_names_and_numbers(level, number):
    assert level_number(level) == number


@pytest.mark.parametrize("level", ["loud", -1, True, None, 2.5])
def test_what_is_no_level_is_refused(level):
    with pytest.raises(UsageError, match="no level"):
        level_number(level)
