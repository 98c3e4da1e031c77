"""Steps: what they record, how they fail, what caused them; nothing depends on what is remembered."""

from __future__ import annotations

import pytest

from farscope.engine import Event, Factory, Hsm, return_status, signals
from farscope.engine.core.open_step import MAX_TEXT
from farscope.engine.core.step_cache import StepCache
from farscope.records.facts import FactKind
from farscope.records.shape import StepKind
from farscope.records.step import Cause, Step


@pytest.fixture
def chart(pair):
    pair.chart.start_at(pair.inner)
    return pair.chart


def test_a_step_is_a_plain_tuple_with_the_fields_of_a_step(chart, watcher):
    chart.attach(watcher)
    chart.dispatch(Event("U"))
    (raw,) = watcher.steps
    assert type(raw) is tuple
    step = Step._make(raw)
    assert (step.chart.name, step.number, step.kind) == ("pair", 2, StepKind.TRANSITION)
    assert (step.signal, step.start, step.end) == ("U", "inner", "inner")
    assert step.duration_ns >= 0
    assert (step.queued, step.deferred, step.waited_ns, step.cause, step.texts) == (0, 0, 0, None, ())


def test_steps_of_one_kind_share_one_shape(chart):
    for name in ("U", "HOOK", "U", "HOOK"):
        chart.dispatch(Event(name))
    first, second = chart.steps()[1::2], chart.steps()[2::2]
    assert first[0].shape is first[1].shape
    assert second[0].shape is second[1].shape


def test_an_event_from_the_queue_knows_how_long_it_waited(chart):
    chart.post_fifo(Event("U"))
    chart.next_rtc()
    assert chart.steps()[-1].waited_ns > 0


def test_a_wall_clock_set_back_makes_no_negative_times(chart, monkeypatch):
    times = iter([1000, 900, 800])
    for module in ("core.mailbox", "core.core", "core.recorder"):
        monkeypatch.setattr(f"farscope.engine.{module}.time_ns", lambda: next(times))
    chart.post_fifo(Event("U"))
    chart.next_rtc()
    step = chart.steps()[-1]
    assert (step.time_ns, step.duration_ns, step.waited_ns) == (900, 0, 0)


@pytest.mark.parametrize("before", [0, 3])
def test_a_handler_that_raises_is_a_fact_and_the_chart_stays_where_it_rested(chart, watcher, before):
    # The first time nothing is remembered of the way, later everything is.
    for _ in range(before):
        with pytest.raises(RuntimeError):
            chart.dispatch(Event("BREAK", payload="earlier"))
    chart.attach(watcher)
    with pytest.raises(RuntimeError, match="hull breach"):
        chart.dispatch(Event("BREAK", payload="hull breach"))
    step = Step._make(watcher.steps[0])
    assert step.kind is StepKind.FAILED
    assert (step.start, step.end) == ("inner", "inner")
    assert step.spy() == [
        "BREAK:inner",
        "BREAK:outer",
        "about to break",
        "FAILED:outer:RuntimeError: hull breach",
        "<- Queued:(0) Deferred:(0)",
    ]
    assert step.texts[1].startswith("Traceback")
    assert step.trace() is None
    chart.dispatch(Event("U"))
    assert chart.steps()[-1].kind is StepKind.TRANSITION


def test_a_handler_that_works_and_later_raises_on_the_way_shows_the_whole_way():
    broken = []

    def entry(chart, e):
        chart.scribble("entering")
        if broken:
            raise RuntimeError("late")
        return return_status.HANDLED

    chart = Factory(threaded=False)
    one = chart.create("one").catch(signals.GO, lambda chart, _e: chart.trans(one))
    one = one.catch(signals.ENTRY_SIGNAL, entry).to_method()
    chart.nest(one, parent=None).start_at(one)
    chart.dispatch(Event("GO"))
    broken.append(True)
    with pytest.raises(RuntimeError):
        chart.dispatch(Event("GO"))
    assert chart.steps()[-1].spy() == [
        "GO:one",
        "EXIT_SIGNAL:one",
        "ENTRY_SIGNAL:one",
        "entering",
        "FAILED:one:RuntimeError: late",
        "<- Queued:(0) Deferred:(0)",
    ]


def journey(fails, chatty=0):
    """Give a chart that goes from ``bed`` in ``home`` to ``work`` in ``away``; ``fails`` has what raises."""
    chart = Factory("journey", threaded=False)

    def act(state, what):
        def action(chart, _e):
            if (state, what) in fails:
                raise RuntimeError("stuck")
            chart.made.append((state, what))
            return return_status.HANDLED

        return action

    def go(chart, _e):
        for _ in range(chatty):
            chart.scribble("on my way")
        return chart.trans("away")

    for name in ("home", "bed", "away", "work"):
        state = (
            chart.create(name)
            .catch("ENTRY_SIGNAL", act(name, "entry"))
            .catch("EXIT_SIGNAL", act(name, "exit"))
        )
        if name == "home":
            state.catch("GO", go)
        if name == "away":
            state.catch("INIT_SIGNAL", lambda chart, _e: chart.trans("work"))
            state.catch("BACK", lambda chart, _e: chart.trans("bed"))
    chart.nest("home", None).nest("bed", "home").nest("away", None).nest("work", "away")
    chart.made = []
    chart.start_at("bed")
    return chart


@pytest.mark.parametrize("before", [0, 2])
@pytest.mark.parametrize("chatty", [0, 400])
@pytest.mark.parametrize(
    ("failing", "note"),
    [
        (("bed", "exit"), "left nothing and entered nothing; it failed while leaving bed"),
        (("home", "exit"), "left bed and entered nothing; it failed while leaving home"),
        (("away", "entry"), "left bed, home and entered nothing; it failed while entering away"),
        (("work", "entry"), "left bed, home and entered away; it failed while entering work"),
    ],
)
def test_a_step_that_fails_on_its_way_says_what_it_had_left_and_entered_and_the_chart_rests_as_before(
    failing, note, before, chatty
):
    fails = set()
    chart = journey(fails, chatty)
    for _ in range(before):
        chart.dispatch(Event("GO"))
        chart.dispatch(Event("BACK"))
    fails.add(failing)
    chart.made.clear()
    with pytest.raises(RuntimeError) as caught:
        chart.dispatch(Event("GO"))
    assert caught.value.__notes__ == [f"the chart rests in bed; this step had {note}"]
    assert chart.current_state() == "bed"
    step = chart.steps()[-1]
    assert (step.kind, step.start, step.end) == (StepKind.FAILED, "bed", "bed")
    assert note in step.texts[-1]
    if not chatty:
        moves = {FactKind.EXIT: "exit", FactKind.ENTRY: "entry"}
        told = [(fact.name, moves[fact.kind]) for fact in step.facts if fact.kind in moves]
        assert told == [*chart.made, failing]
        assert step.facts[-1] == (FactKind.FAILED, failing[0], "")
    # Whatever had been left is left again by the next transition.
    fails.clear()
    chart.made.clear()
    chart.dispatch(Event("GO"))
    assert chart.made == [("bed", "exit"), ("home", "exit"), ("away", "entry"), ("work", "entry")]
    assert chart.current_state() == "work"


def test_an_error_that_left_nothing_undone_has_no_note():
    chart = Hsm("still")

    def state(chart, e):
        if e.signal_name == "GO":
            raise RuntimeError("stuck")
        chart.temp.fun = chart.top
        return return_status.SUPER

    chart.start_at(state)
    with pytest.raises(RuntimeError) as caught:
        chart.dispatch(Event("GO"))
    assert not hasattr(caught.value, "__notes__")


def test_a_start_that_fails_says_what_it_had_entered():
    chart = Factory("start", threaded=False)
    chart.nest(chart.create("outer").to_method(), None)
    chart.nest(chart.create("inner").catch("ENTRY_SIGNAL", lambda _c, _e: 1 / 0).to_method(), "outer")
    with pytest.raises(ZeroDivisionError) as caught:
        chart.start_at("inner")
    (note,) = caught.value.__notes__
    assert note == (
        "the chart is not started; "
        "this step had left nothing and entered outer; it failed while entering inner"
    )


def test_a_start_that_fails_is_recorded_and_may_be_tried_again():
    tries = []

    def state(chart, e):
        if e.signal == signals.ENTRY_SIGNAL:
            tries.append(e)
            if len(tries) == 1:
                raise RuntimeError("cold")
        chart.temp.fun = chart.top
        return return_status.SUPER

    chart = Hsm()
    with pytest.raises(RuntimeError):
        chart.start_at(state)
    chart.start_at(state)
    assert [step.kind for step in chart.steps()] == [StepKind.FAILED, StepKind.START]
    assert chart.steps()[0].end == "top"


def test_a_failure_while_nothing_is_recorded_leaves_nothing_behind(chart):
    chart.instrumented = False
    with pytest.raises(RuntimeError):
        chart.dispatch(Event("BREAK"))
    chart.instrumented = True
    with pytest.raises(RuntimeError):
        chart.dispatch(Event("BREAK", payload="x"))
    assert chart.steps()[-1].spy()[:3] == ["BREAK:inner", "BREAK:outer", "about to break"]


def test_long_texts_are_bounded_and_say_so(chart):
    chart.dispatch(Event("SAY", payload="x" * (MAX_TEXT + 7)))
    (text,) = chart.steps()[-1].texts
    assert text == "x" * MAX_TEXT + "... (7 characters not kept)"
    with pytest.raises(RuntimeError):
        chart.dispatch(Event("BREAK", payload="y" * 2 * MAX_TEXT))
    assert chart.steps()[-1].texts[-1].endswith("y\n")
    assert len(chart.steps()[-1].texts[-1]) < MAX_TEXT + 100


def test_an_uninstrumented_chart_without_watchers_records_nothing(pair):
    chart = pair.chart
    chart.instrumented = False
    chart.start_at(pair.inner)
    for name in ("U", "FIFO", "NOPE", "SAY"):
        chart.dispatch(Event(name))
    chart.complete_circuit()
    assert (chart.spy(), chart.trace(), chart.current_state()) == ([], "\n", "inner")
    chart.instrumented = True
    chart.dispatch(Event("FIFO"))
    chart.dispatch(Event("SAY", payload="back"))
    assert [step.number for step in chart.steps()] == [1, 2]
    assert chart.spy()[:3] == ["FIFO:inner", "POST_FIFO:U", "FIFO:inner:HOOK"]
    assert "back" in chart.spy()


def test_a_watched_chart_is_recorded_though_it_is_not_instrumented(pair, watcher):
    pair.chart.instrumented = False
    pair.chart.attach(watcher)
    pair.chart.start_at(pair.inner)
    pair.chart.detach(watcher)
    pair.chart.dispatch(Event("U"))
    assert len(watcher.steps) == 1


def relay(name, other=None):
    """Make a chart whose state answers GO by posting HI to itself and to ``other``."""

    def state(chart, e):
        if e.signal == signals.GO:
            chart.post_fifo(Event("HI"))
            if other is not None:
                other.post_fifo(Event("HI"))
                other.post_lifo(Event("FIRST"))
            return return_status.HANDLED
        chart.temp.fun = chart.top
        return return_status.SUPER

    chart = Hsm(name)
    chart.start_at(state)
    return chart


def test_a_post_from_inside_a_step_names_it_as_the_cause():
    other = relay("other")
    chart = relay("chart", other)
    chart.dispatch(Event("GO"))
    cause = Cause(chart.steps()[-1].chart.serial, 2)
    chart.complete_circuit()
    other.complete_circuit()
    other.post_fifo(Event("HI"))
    other.complete_circuit()
    assert chart.steps()[-1].cause == cause
    assert [(step.signal, step.cause) for step in other.steps()[1:]] == [
        ("FIRST", cause),
        ("HI", cause),
        ("HI", None),
    ]
    # Posts to another chart are that chart's affair, so they leave no line.
    assert chart.steps()[1].spy() == [
        "GO:state",
        "POST_FIFO:HI",
        "GO:state:HOOK",
        "<- Queued:(1) Deferred:(0)",
    ]


def test_a_chart_dispatched_from_inside_anothers_step_is_caused_by_it_and_leaves_it_undisturbed():
    inner = relay("inner")

    def state(chart, e):
        if e.signal == signals.GO:
            inner.dispatch(Event("GO"))
            chart.post_fifo(Event("HI"))
            return return_status.HANDLED
        chart.temp.fun = chart.top
        return return_status.SUPER

    outer = Hsm("outer")
    outer.start_at(state)
    outer.dispatch(Event("GO"))
    outer.complete_circuit()
    cause = Cause(outer.steps()[0].chart.serial, 2)
    assert inner.steps()[-1].cause == cause
    assert outer.steps()[-1].cause == cause
    assert outer.steps()[1].spy()[1] == "POST_FIFO:HI"


@pytest.mark.parametrize("limit", [0, 1, 5])
def test_a_chart_that_can_remember_little_does_the_same(pair, limit):
    pair.chart._core.algorithm.cache = StepCache(limit)
    pair.chart.start_at(pair.inner)
    twin = pair.chart
    for name in ("U", "HOOK", "U", "GUARD", "NOPE", "U", "FIFO", "T"):
        twin.dispatch(Event(name))
    kinds = [step.kind.name for step in twin.steps()]
    assert kinds == [
        "START",
        "TRANSITION",
        "HOOK",
        "TRANSITION",
        "REFUSED",
        "IGNORED",
        "TRANSITION",
        "HOOK",
        "TRANSITION",
    ]
    assert twin._core.algorithm.cache.nodes <= limit


def test_states_as_methods_of_a_class_work_with_either_spelling():
    class Door(Hsm):
        def shut(self, e):
            if e.signal == signals.PUSH:
                return self.trans(self.open)
            self.temp.fun = self.top
            return return_status.SUPER

        def open(self, chart, e):
            if e.signal == signals.PUSH:
                return chart.trans(self.shut)
            chart.temp.fun = chart.top
            return return_status.SUPER

    door = Door("door")
    door.start_at(door.shut)
    for _ in range(4):
        door.dispatch(Event("PUSH"))
    assert [step.end for step in door.steps()] == ["shut", "open", "shut", "open", "shut"]
    assert door.is_in(door.shut)
    assert door.steps()[2].shape is door.steps()[4].shape


def test_what_a_state_function_does_when_asked_for_its_parent_is_no_part_of_a_step():
    def chatty(chart, e):
        chart.scribble("hm")
        if e.signal == signals.HI:
            return return_status.HANDLED
        chart.temp.fun = chart.top
        return return_status.SUPER

    def quiet(chart, e):
        if e.signal == signals.HI:
            return chart.trans(chatty)
        chart.temp.fun = chart.top
        return return_status.SUPER

    chart = Hsm()
    chart.start_at(quiet)
    chart.dispatch(Event("HI"))
    step = chart.steps()[-1]
    assert sum(fact.kind is FactKind.SCRIBBLE for fact in step.facts) == len(step.texts) == 2


def region_and_its_chart(post):
    """Return a chart whose handler drives a region, whose handler then does ``post(chart)``."""
    chart, region = Hsm("chart"), Hsm("region")

    def inner(inner_chart, e):
        if e.signal == signals.TURN:
            post(chart)
            return return_status.HANDLED
        inner_chart.temp.fun = inner_chart.top
        return return_status.SUPER

    def outer(outer_chart, e):
        if e.signal == signals.TURN:
            region.dispatch(e)
            return return_status.HANDLED
        outer_chart.temp.fun = outer_chart.top
        return return_status.SUPER

    chart.start_at(outer)
    region.start_at(inner)
    return chart, region


@pytest.mark.parametrize(
    ("post", "line"),
    [
        (lambda chart: chart.post_fifo(Event("DONE")), "POST_FIFO:DONE"),
        (lambda chart: chart.post_lifo(Event("DONE")), "POST_LIFO:DONE"),
        (lambda chart: chart.scribble("done"), "done"),
    ],
)
def test_what_a_region_does_to_the_chart_that_drives_it_is_in_that_charts_step(post, line):
    chart, region = region_and_its_chart(post)
    chart.dispatch(Event("TURN"))
    assert line in chart.spy()
    assert line not in region.spy()


def test_a_region_that_is_driven_from_outside_leaves_nothing_in_its_chart():
    chart, region = region_and_its_chart(lambda chart: chart.post_fifo(Event("DONE")))
    chart.dispatch(Event("TURN"))
    chart.clear_spy()
    region.dispatch(Event("TURN"))
    assert chart.spy() == []
    chart.complete_circuit()
    assert "POST_FIFO:DONE" not in chart.spy()


def test_the_cause_of_what_a_region_posts_to_its_chart_is_the_regions_step():
    chart, region = region_and_its_chart(lambda chart: chart.post_fifo(Event("DONE")))
    chart.dispatch(Event("TURN"))
    chart.complete_circuit()
    cause = chart.steps()[-1].cause
    assert (cause.serial, cause.number) == (region.steps()[-1].chart.serial, region.steps()[-1].number)
