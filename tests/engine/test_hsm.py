"""The synchronous chart: the exact text of spy and trace, its queue, and its reports."""

from __future__ import annotations

import re

import pytest

from farscope.engine import Event, Factory, Hsm, return_status, signals
from farscope.engine.options import QUEUE_CAPACITY
from farscope.errors import (
    AlreadyStarted,
    ChartError,
    ChartStopped,
    InitLeavesState,
    NoStatus,
    NotAState,
    NotStarted,
    QueueFull,
)
from farscope.records.facts import FactKind
from farscope.records.shape import StepKind

SEARCH = "SEARCH_FOR_SUPER_SIGNAL"
REST = "<- Queued:(0) Deferred:(0)"


@pytest.fixture
def chart(pair):
    pair.chart.start_at(pair.inner)
    return pair.chart


def spy_of(chart, *names):
    """Return the spy lines of reacting to the signals, joined as the reference page shows them."""
    chart.clear_spy()
    for name in names:
        chart.dispatch(Event(signal=name))
    return " | ".join(chart.spy())


def test_a_start_searches_outward_then_enters_inward(chart):
    assert chart.spy() == [
        "START",
        "SEARCH_FOR_SUPER_SIGNAL:inner",
        "SEARCH_FOR_SUPER_SIGNAL:outer",
        "ENTRY_SIGNAL:outer",
        "ENTRY_SIGNAL:inner",
        "INIT_SIGNAL:inner",
        REST,
    ]


@pytest.mark.parametrize(
    ("name", "lines", "kind"),
    [
        ("HOOK", f"HOOK:inner | HOOK:outer | HOOK:outer:HOOK | {REST}", StepKind.HOOK),
        ("GUARD", f"GUARD:inner | GUARD:outer | EMPTY_SIGNAL:outer | {REST}", StepKind.REFUSED),
        ("NOPE", f"NOPE:inner | NOPE:outer | {REST}", StepKind.IGNORED),
        (
            "D",
            "D:inner | D:outer | POST_DEFERRED:D | D:outer:HOOK | <- Queued:(0) Deferred:(1)",
            StepKind.HOOK,
        ),
        (
            "U",
            f"U:inner | EXIT_SIGNAL:inner | ENTRY_SIGNAL:inner | INIT_SIGNAL:inner | {REST}",
            StepKind.TRANSITION,
        ),
        (
            "T",
            f"T:inner | {SEARCH}:outer | {SEARCH}:inner | EXIT_SIGNAL:inner | INIT_SIGNAL:outer | {REST}",
            StepKind.TRANSITION,
        ),
        (
            "FIFO",
            "FIFO:inner | POST_FIFO:U | FIFO:inner:HOOK | <- Queued:(1) Deferred:(0)",
            StepKind.HOOK,
        ),
        (
            "LIFO",
            "LIFO:inner | POST_LIFO:U | LIFO:inner:HOOK | <- Queued:(1) Deferred:(0)",
            StepKind.HOOK,
        ),
    ],
)
def test_a_step_leaves_the_lines_of_the_reference_page_the_first_time_and_later(
    chart, pair, name, lines, kind
):
    for _ in range(3):
        assert spy_of(chart, name) == lines
        assert chart.steps()[-1].kind is kind
        chart._core.queue.clear()
        chart._core.mailbox.deferred.clear()
        if chart.current_state() == "outer":
            break


def test_a_recall_posts_what_was_deferred_first(chart):
    spy_of(chart, "D")
    assert spy_of(chart, "R") == (
        "R:inner | R:outer | RECALL:D | POST_FIFO:D | R:outer:HOOK | <- Queued:(1) Deferred:(0)"
    )


def test_a_recall_of_nothing_leaves_no_line_and_returns_none(chart):
    assert spy_of(chart, "R") == f"R:inner | R:outer | R:outer:HOOK | {REST}"
    assert chart.recall() is None


def test_a_scribble_stands_where_it_was_made_and_keeps_each_steps_own_text(chart):
    chart.clear_spy()
    for text in ("one", "two"):
        chart.dispatch(Event("SAY", payload=text))
    assert [line for line in chart.spy() if "o" in line and ":" not in line] == ["one", "two"]
    assert chart.spy()[:4] == ["SAY:inner", "SAY:outer", "one", "SAY:outer:HOOK"]


def test_a_post_from_outside_leaves_no_line_and_a_scribble_one_in_the_next_step(chart):
    chart.scribble("from outside")
    chart.post_fifo(Event("NOPE"))
    chart.clear_spy()
    chart.complete_circuit()
    assert chart.spy() == ["NOPE:inner", "from outside", "NOPE:outer", REST]


def test_only_starts_and_transitions_leave_a_trace_line(chart):
    spy_of(chart, "HOOK", "GUARD", "NOPE", "U", "T")
    stamp = r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\] \[pair\] "
    assert re.fullmatch(
        rf"\n{stamp}e->start_at\(\) top->inner\n{stamp}e->U\(\) inner->inner\n{stamp}e->T\(\) inner->outer\n",
        chart.trace(),
    )


def test_events_are_taken_in_the_order_of_fifo_and_lifo_posts(chart):
    for name in ("A1", "A2"):
        chart.post_fifo(Event(name))
    chart.post_lifo(Event("A0"))
    assert chart.complete_circuit()
    assert [step.signal for step in chart.steps()[1:]] == ["A0", "A1", "A2"]
    assert not chart.next_rtc()
    assert not chart.complete_circuit()


def test_events_posted_before_the_start_wait_for_it(pair):
    pair.chart.post_fifo(Event("U"))
    with pytest.raises(NotStarted):
        pair.chart.next_rtc()
    pair.chart.start_at(pair.inner)
    assert pair.chart.steps()[-1].queued == 1
    assert pair.chart.complete_circuit()


def test_a_full_queue_refuses_the_post_and_leaves_a_fact_of_it_inside_a_step(chart):
    for _ in range(QUEUE_CAPACITY):
        chart.post_fifo(Event("NOPE"))
    with pytest.raises(QueueFull, match="no room for NOPE in the queue of chart pair") as caught:
        chart.post_fifo(Event("NOPE"))
    assert caught.value.capacity == QUEUE_CAPACITY
    with pytest.raises(QueueFull):
        chart.post_lifo(Event("NOPE"))
    with pytest.raises(QueueFull):
        chart.dispatch(Event("FIFO"))
    assert FactKind.REFUSED_POST in {fact.kind for fact in chart.steps()[-1].facts}
    assert chart.steps()[-1].queued == QUEUE_CAPACITY


def test_deferring_more_than_a_queue_holds_is_refused(chart):
    for _ in range(QUEUE_CAPACITY):
        chart.defer(Event("D"))
    with pytest.raises(QueueFull):
        chart.defer(Event("D"))


def test_what_is_no_event_cannot_be_posted_or_dispatched(chart):
    for act in (chart.dispatch, chart.post_fifo, chart.post_lifo, chart.defer):
        with pytest.raises(ChartError, match="is not an event"):
            act(signals.U)


def test_where_the_chart_rests_can_be_asked_in_every_way(chart, pair):
    assert chart.is_in(pair.inner)
    assert chart.is_in(pair.outer)
    assert chart.is_in("outer")
    assert chart.child_state(pair.outer) == pair.inner
    assert chart.child_state(pair.inner) == pair.inner
    assert (chart.current_state(), chart.state_name) == ("inner", "inner")
    assert chart.state_fn == chart.state.fun == chart.temp.fun == pair.inner
    assert "inner" in repr(chart)
    chart.dispatch(Event("T"))
    assert not chart.is_in(pair.inner)
    with pytest.raises(ChartError, match="not in inner"):
        chart.child_state(pair.inner)


def test_inside_a_handler_the_state_name_is_that_of_the_handlers_state():
    seen = []

    def outer(chart, e):
        if e.signal in (signals.ENTRY_SIGNAL, signals.A):
            seen.append((chart.state_name, chart.state_fn))
            return return_status.HANDLED
        chart.temp.fun = chart.top
        return return_status.SUPER

    def inner(chart, e):
        chart.temp.fun = outer
        return return_status.SUPER

    chart = Hsm()
    chart.start_at(inner)
    chart.dispatch(Event("A"))
    chart.dispatch(Event("A"))
    assert seen == [("outer", outer)] * 3
    assert chart.state_name == "inner"


def test_a_chart_is_started_once_and_named_before(chart, pair):
    with pytest.raises(AlreadyStarted):
        chart.start_at(pair.inner)
    with pytest.raises(AlreadyStarted):
        chart.name = "late"
    assert chart.name == "pair"


def test_a_chart_not_started_says_so(pair):
    for ask in (pair.chart.current_state, lambda: pair.chart.is_in(pair.inner), lambda: pair.chart.state):
        with pytest.raises(NotStarted, match="pair"):
            ask()
    with pytest.raises(NotStarted):
        pair.chart.dispatch(Event("U"))


def test_unnamed_charts_get_short_names_of_their_own():
    names = {Hsm().name, Hsm().name, Factory(threaded=False).name}
    assert len(names) == 3
    assert all(len(name) < 16 for name in names)


def test_a_stopped_chart_refuses_everything_and_tells_its_watchers_once(chart, watcher):
    chart.attach(watcher)
    assert chart.stop() is None
    chart.stop()
    assert [told[0] for told in watcher.told] == ["announce", "stopped"]
    for act in (chart.dispatch, chart.post_fifo, chart.post_lifo):
        with pytest.raises(ChartStopped):
            act(Event("U"))
    with pytest.raises(ChartStopped):
        chart.next_rtc()


def test_a_chart_stopped_by_its_own_handler_ends_behind_that_step(watcher):
    def state(chart, e):
        if e.signal == signals.END:
            chart.stop()
            return return_status.HANDLED
        chart.temp.fun = chart.top
        return return_status.SUPER

    chart = Hsm()
    chart.start_at(state)
    chart.attach(watcher)
    chart.dispatch(Event("END"))
    assert [told[0] for told in watcher.told] == ["announce", "step", "stopped"]
    with pytest.raises(ChartStopped):
        chart.dispatch(Event("END"))


def test_a_chart_cannot_step_inside_its_own_step():
    def state(chart, e):
        if e.signal == signals.AGAIN:
            chart.dispatch(Event("A"))
        chart.temp.fun = chart.top
        return return_status.SUPER

    chart = Hsm()
    chart.start_at(state)
    with pytest.raises(ChartError, match="in the middle of a step"):
        chart.dispatch(Event("AGAIN"))
    chart.dispatch(Event("A"))


def test_augment_gives_attributes_once_and_mutually_if_asked():
    alarm, clock = Hsm("alarm"), Hsm("clock")
    alarm.augment(other=clock, name="clock", relationship="mutual")
    alarm.augment(other=None, name="clock")
    assert alarm.clock is clock
    assert clock.alarm is alarm


def leading_to(target):
    def state(chart, e):
        if e.signal == signals.GO:
            return chart.trans(target)
        chart.temp.fun = chart.top
        return return_status.SUPER

    chart = Hsm()
    chart.start_at(state)
    return chart


@pytest.mark.parametrize("target", [None, "nowhere", 17, [], lambda: None])
def test_a_transition_to_no_state_is_refused_and_names_who_asked(target):
    chart = leading_to(target)
    with pytest.raises((NotAState, ChartError), match="state"):
        chart.dispatch(Event("GO"))
    assert chart.current_state() == "state"


def test_a_transition_to_the_top_is_refused():
    chart = Hsm()
    chart = leading_to(chart.top)
    with pytest.raises(ChartError):
        chart.dispatch(Event("GO"))


def test_a_handler_that_returns_no_status_is_named_each_time():
    def state(chart, e):
        if e.signal == signals.GO:
            return None
        chart.temp.fun = chart.top
        return return_status.SUPER

    chart = Hsm()
    chart.start_at(state)
    for _ in range(2):
        with pytest.raises(NoStatus, match="state state returned None for GO") as caught:
            chart.dispatch(Event("GO"))
        assert caught.value.state == "state"
        assert "return_status" in caught.value.hint


def test_an_initial_transition_that_leaves_its_state_is_refused():
    def other(chart, e):
        chart.temp.fun = chart.top
        return return_status.SUPER

    def state(chart, e):
        if e.signal == signals.INIT_SIGNAL:
            return chart.trans(other)
        chart.temp.fun = chart.top
        return return_status.SUPER

    with pytest.raises(InitLeavesState, match="state state leads outside, to other"):
        Hsm().start_at(state)


def test_charts_that_share_their_state_functions_do_not_share_anything_else(pair):
    charts = [pair.chart, *(Hsm(f"pair{number}") for number in range(3))]
    for number, chart in enumerate(charts):
        chart.start_at(pair.inner)
        for _ in range(number):
            chart.dispatch(Event("SAY", payload=f"{chart.name} counts {number}"))
    for number, chart in enumerate(charts):
        said = [line for line in chart.spy() if "counts" in line]
        assert said == [f"{chart.name} counts {number}"] * number
    charts[0].dispatch(Event("T"))
    assert [chart.current_state() for chart in charts] == ["outer", "inner", "inner", "inner"]
    assert charts[0].state_fn is pair.outer


def test_a_class_may_hold_a_chart_whose_states_are_its_own_methods():
    class Machine:
        def __init__(self) -> None:
            self.chart = Hsm("held")
            self.coins = 0
            self.chart.start_at(self.waiting)

        def waiting(self, chart, e):
            if e.signal == signals.COIN:
                self.coins += e.payload
                return return_status.HANDLED
            chart.temp.fun = chart.top
            return return_status.SUPER

    one, other = Machine(), Machine()
    one.chart.dispatch(Event("COIN", payload=2))
    other.chart.dispatch(Event("COIN", payload=5))
    assert (one.coins, other.coins) == (2, 5)
