"""Charts with regions, history and final states: how they are written, and what is refused."""

from __future__ import annotations

import pytest

from farscope.engine import Chart, Event, Factory, Final, History, State, return_status, signals
from farscope.errors import ChartBuildError, ChartStopped, NotAState
from farscope.records.facts import Fact, FactKind
from farscope.records.structure import Reaction, ReactionFlag, StateInfo, StateKind


class Press(Chart):
    idle = State(initial=True)
    with State(parallel=True) as busy:
        with State() as ram:
            up = State(initial=True)
            down = State()
            parked = Final()
        with State() as belt:
            slow = State(initial=True)
            fast = State()
            off = Final()
        before = History(deep=True, default=down)
    scrapped = Final()

    idle.on("START", to=busy)
    idle.on("RESUME", to=before)
    idle.on("SCRAP", to=scrapped)
    up.on("STROKE", to=down)
    slow.on("STROKE", "SPEED", to=fast)
    down.on("PARK", to=parked)
    fast.on("HALT", to=off)
    busy.on("BREAK", to=idle)

    @off.entry
    def come_to_rest(self) -> None:
        pass

    @busy.on_done
    def finish(self) -> State:
        self.scribble("all done")
        return self.idle


def driven(kind, *events, **options):
    chart = kind("press", threaded=False, **options)
    chart.start_at()
    for name in events:
        chart.dispatch(Event(name))
    return chart


def signals_of(chart):
    return [step.signal for step in chart.steps()]


def test_a_chart_is_in_all_its_active_leaves_in_document_order():
    press = driven(Press, "START", "STROKE")
    assert press.configuration == ("down", "fast")
    assert press.current_state() == "down | fast"
    assert press.state.fun == (Press.down, Press.fast)
    assert repr(press) == "<Press press in down | fast>"
    for state in (Press.busy, Press.ram, "down", Press.belt, Press.fast):
        assert press.is_in(state)
    assert not press.is_in(Press.up)
    assert press.child_state(Press.belt) is Press.fast
    assert press.child_state(Press.busy) is Press.ram


def test_a_step_records_configurations_and_each_of_its_transitions():
    step = driven(Press, "START", "STROKE").steps()[-1]
    assert (step.start_states, step.end_states) == (("up", "slow"), ("down", "fast"))
    assert [fact for fact in step.facts if fact.kind is FactKind.TRAN] == [
        Fact(FactKind.TRAN, "up", "down"),
        Fact(FactKind.TRAN, "slow", "fast"),
    ]
    assert step.trace().endswith("e->STROKE() up | slow->down | fast")
    assert step.spy()[:-1] == [
        "STROKE:up",
        "STROKE:slow",
        "EXIT_SIGNAL:slow",
        "EXIT_SIGNAL:up",
        "ENTRY_SIGNAL:down",
        "INIT_SIGNAL:down",
        "ENTRY_SIGNAL:fast",
        "INIT_SIGNAL:fast",
    ]


def test_a_completion_follows_its_step_at_once_and_has_it_as_its_cause():
    press = driven(Press, "START", "STROKE", "PARK")
    press.post_fifo(Event("SPEED"))
    press.dispatch(Event("HALT"))
    assert signals_of(press)[-2:] == ["HALT", "done.state.busy"]
    halt, done = press.steps()[-2:]
    assert [fact.name for fact in halt.facts if fact.kind is FactKind.DONE] == ["belt", "busy"]
    assert done.cause.number == halt.number
    assert done.texts == ("all done",)
    assert press.current_state() == "idle"
    assert press.next_rtc()
    assert signals_of(press)[-1] == "SPEED"


def test_a_completion_precedes_what_its_step_posts_to_the_front_of_the_queue():
    class Greedy(Press):
        def come_to_rest(self):
            self.post_lifo(Event("SCRAP"))

    greedy = driven(Greedy, "START", "STROKE", "PARK", "HALT")
    assert greedy.complete_circuit()
    assert signals_of(greedy)[-3:] == ["HALT", "done.state.busy", "SCRAP"]
    assert greedy.finished


def test_deep_history_restores_the_leaves_and_its_default_stands_in_for_a_past():
    assert driven(Press, "RESUME").configuration == ("down", "slow")
    assert driven(Press, "START", "SPEED", "BREAK", "RESUME").configuration == ("up", "fast")


def test_a_chart_ends_by_itself_in_an_outermost_final_state(watcher):
    press = Press("press", threaded=False)
    press.attach(watcher)
    press.start_at()
    press.dispatch(Event("SCRAP"))
    assert press.finished
    assert press.configuration == ()
    assert press.current_state() == "top"
    assert not press.is_in(Press.scrapped)
    last = press.steps()[-1]
    assert (last.end, last.end_states) == ("top", ())
    assert last.facts[-2:] == (Fact(FactKind.DONE, "top"), Fact(FactKind.EXIT, "scrapped"))
    assert watcher.told[-1][0] == "stopped"
    with pytest.raises(ChartStopped, match="chart press has finished"):
        press.dispatch(Event("START"))


def test_the_structure_has_kinds_and_document_order():
    structure = {}
    press = Press("press", threaded=False)

    class Keeper:
        def step(self, _step):
            pass

        def announce(self, _chart, announced, *_):
            structure["announced"] = announced

        def stopped(self, _chart, _status):
            pass

    press.attach(Keeper())
    press.start_at()
    states = structure["announced"].states
    assert [state.name for state in states] == [
        "idle",
        "busy",
        "ram",
        "up",
        "down",
        "parked",
        "belt",
        "slow",
        "fast",
        "off",
        "before",
        "scrapped",
    ]
    assert StateInfo("busy", "", StateKind.PARALLEL) in states
    assert StateInfo("before", "busy", StateKind.DEEP_HISTORY) in states
    assert StateInfo("off", "belt", StateKind.FINAL) in states
    assert Reaction("before", "", "down", flags=(ReactionFlag.EVENTLESS,)) in structure["announced"].reactions
    assert Reaction("idle", "RESUME", "before") in structure["announced"].reactions


def test_a_failed_step_leaves_the_configuration_and_consumes_its_completion():
    class Clumsy(Press):
        def come_to_rest(self):
            if self.falls:
                raise RuntimeError("fell")

        def finish(self):
            raise RuntimeError("finished badly")

    clumsy = Clumsy("clumsy", threaded=False)
    clumsy.falls = True
    clumsy.start_at()
    for name in ("START", "STROKE", "PARK"):
        clumsy.dispatch(Event(name))
    with pytest.raises(RuntimeError, match="fell") as caught:
        clumsy.dispatch(Event("HALT"))
    assert "the chart rests in parked | fast; this step had left fast and entered nothing" in str(
        caught.value.__notes__
    )
    assert clumsy.configuration == ("parked", "fast")
    clumsy.falls = False
    with pytest.raises(RuntimeError, match="finished badly"):
        clumsy.dispatch(Event("HALT"))
    assert clumsy.configuration == ("parked", "off")
    assert signals_of(clumsy)[-2:] == ["HALT", "done.state.busy"]
    clumsy.dispatch(Event("BREAK"))
    assert signals_of(clumsy)[-1] == "BREAK"


def test_the_reaction_to_all_other_signals_is_not_for_completions():
    class Eager(Chart):
        seen = ()
        with State(initial=True) as outer:
            here = State(initial=True)
            there = Final()
        here.on("GO", to=there)
        outer.on_done(to=here, guard=lambda _eager: False)

        @outer.otherwise
        def see(self, e):
            self.seen += (e.signal_name,)

    assert driven(Eager, "GO", "OTHER").seen == ("OTHER",)


def test_a_completion_can_be_awaited_by_guards_targets_and_an_outer_state():
    class Nested(Chart):
        allowed = False
        with State(initial=True) as outer:
            with State(initial=True) as inner:
                work = State(initial=True)
                rest = Final()
            after = Final()
        closed = Final("the end")
        work.on("GO", to=rest)

        @inner.on_done(to=after, guard=lambda nested, _e: nested.allowed)
        def note(self):
            self.scribble("inner is done")

        outer.on("done.state.inner", to=outer)
        outer.on_done(to=closed)

    nested = driven(Nested, "GO")
    assert nested.current_state() == "work"
    nested.allowed = True
    nested.dispatch(Event("GO"))
    assert nested.finished
    assert signals_of(nested)[-3:] == ["GO", "done.state.inner", "done.state.outer"]


def built():
    chart = Factory("built", threaded=False)
    idle = chart.create("idle").catch("START", lambda chart, _e: chart.trans("busy")).to_method()
    busy = chart.create("busy").parallel().catch("done.state.busy", lambda chart, _e: chart.trans(idle))
    states = {"busy": busy.to_method()}
    for region in ("left", "right"):
        outer = chart.create(region).catch(
            signals.INIT_SIGNAL, lambda chart, _e, to=f"{region} on": chart.trans(to)
        )
        on = chart.create(f"{region} on").catch(
            region.upper(), lambda chart, _e, to=f"{region} off": chart.trans(to)
        )
        states |= {region: outer.to_method(), f"{region} on": on.to_method()}
        states[f"{region} off"] = chart.create(f"{region} off").final().to_method()
    states["before"] = chart.create("before").history(deep=True).to_method()
    chart.nest(idle, parent=None).nest(states["busy"], parent=None)
    for region in ("left", "right"):
        chart.nest(region, parent="busy")
        chart.nest(f"{region} on", parent=region).nest(f"{region} off", parent=region)
    chart.nest("before", parent="busy")
    return chart, states


def test_a_chart_built_by_parts_has_them_too():
    chart, _ = built()
    chart.start_at("idle")
    chart.dispatch(Event("START"))
    assert chart.configuration == ("left on", "right on")
    chart.dispatch(Event("LEFT"))
    chart.dispatch(Event("RIGHT"))
    assert chart.current_state() == "idle"
    assert signals_of(chart)[-1] == "done.state.busy"


def test_there_is_no_code_for_a_state_that_is_not_plain():
    chart, states = built()
    with pytest.raises(ChartBuildError, match="no flat state function is equivalent to deep history state"):
        chart.to_code(states["before"])


def test_the_states_of_such_a_chart_are_known_at_its_start():
    chart, _ = built()
    chart.nest("idle", parent=lambda _chart, _e: return_status.HANDLED)
    with pytest.raises(ChartBuildError, match="lies inside <lambda>, which is a flat function"):
        chart.start_at("idle")
    chart, states = built()
    elsewhere = Factory("other", threaded=False).create("elsewhere").to_method()
    chart.nest(chart.create("lost").to_method(), parent=elsewhere)
    with pytest.raises(ChartBuildError, match="lost lies inside elsewhere, which the chart does not have"):
        chart.start_at("idle")
    chart, states = built()
    stray = Factory("other", threaded=False).create("stray").to_method()
    states["right on"].handlers[signals.append("STRAY")] = lambda chart, _e: chart.trans(stray)
    chart.start_at("busy")
    with pytest.raises(NotAState, match="state stray is not one of the chart's"):
        chart.dispatch(Event("STRAY"))


def no_regions():
    with State("p", parallel=True):
        pass


def initial_region():
    with State("p", parallel=True):
        State("a", initial=True)
        State("b")


def final_region():
    with State("p", parallel=True):
        Final("f")


def region_without_initial():
    with State("p", parallel=True), State("a"):
        State("a1")


def final_with_states():
    with State("a"), Final("f"):
        State("g")


def final_with_reaction():
    with State("a") as a:
        Final("f").on("GO", to=a)


def final_on_done():
    with State("a") as a:
        Final("f").on_done(to=a)


def lone_history():
    History("h")


def history_with_states():
    with State("a"), History("h"):
        State("b")


def history_with_entry():
    with State("a"):
        History("h").entry(lambda _chart: None)


def history_default_outside():
    other = State("other")
    with State("a"):
        State("a1", initial=True)
        History("h", default=other)


def history_default_unknown():
    with State("a"):
        State("a1", initial=True)
        History("h", default="nowhere")


def never_complete():
    with State("a") as a:
        State("b")
    a.on_done(to=a)


def never_completes_in_any_region():
    with State("p", parallel=True) as p:
        with State("a"):
            State("a1", initial=True)
        State("b")
    p.on_done(to=p)


def initial_history():
    with State("a"):
        State("a1")
        History("h", initial=True)


MISTAKES = {
    no_regions: "parallel state p has no regions",
    initial_region: "parallel state p has an initial state, but all its regions are entered together",
    final_region: "final state f is a region of parallel state p",
    region_without_initial: "region a of parallel state p does not say where it starts",
    final_with_states: "final state f has states inside",
    final_with_reaction: "final state f reacts to GO",
    final_on_done: "final state f reacts to done.state.f",
    lone_history: "history state h lies in no state",
    history_with_states: "history state h has states inside",
    history_with_entry: "history state h reacts to ENTRY_SIGNAL, but it is never active",
    history_default_outside: "the default of history state h is other, which is not a state inside a",
    history_default_unknown: "the default of history state h is 'nowhere', which is not a state inside a",
    never_complete: "state a reacts to its completion, but has no final state",
    never_completes_in_any_region: "state p reacts to its completion, but has no final state",
    initial_history: "history state h is the initial state of a, which at first has no history",
}


@pytest.mark.parametrize("draw", MISTAKES, ids=lambda draw: draw.__name__)
def test_what_does_not_fit_is_refused_when_the_class_is_defined(draw):
    with State("around") as around:
        draw()
    roots = around.children
    for root in roots:
        root.parent = None
    with pytest.raises(ChartBuildError, match=MISTAKES[draw]) as caught:
        type("Wrong", (Chart,), {root.__name__: root for root in roots})
    assert caught.value.hint


class Mill(Press):
    with Press.busy.extended() as busy, State() as lamp:
        dark = State(initial=True)
        bright = State()
    dark.on("STROKE", to=bright)


def test_a_subclass_can_add_a_region_to_an_inherited_state():
    mill = driven(Mill, "START", "STROKE")
    assert mill.configuration == ("down", "fast", "bright")
    mill.dispatch(Event("BREAK"))
    mill.dispatch(Event("RESUME"))
    assert mill.configuration == ("down", "fast", "bright")
    for name in ("PARK", "HALT"):
        mill.dispatch(Event(name))
    assert mill.configuration == ("parked", "off", "bright"), "the new region is not complete"


class Tumbler(Press):
    before = Press.before.extended()
    scrapped = Press.scrapped.extended()

    @scrapped.entry
    def mourn(self) -> None:
        self.scribble("gone")


def test_an_extended_history_or_final_state_is_still_one():
    assert driven(Tumbler, "RESUME").configuration == ("down", "slow")
    tumbler = driven(Tumbler, "SCRAP")
    assert tumbler.finished
    assert tumbler.steps()[-1].texts == ("gone",)


class Rivals(Chart):
    mood = "calm"

    with State(initial=True, parallel=True) as both:
        with State() as first:
            one = State(initial=True)
            two = State()
        with State() as second:
            low = State(initial=True)
            high = State()
    out = State()

    one.on("GO", "DECIDE", "MAYBE", "ANY", to=two)
    second.on("MAYBE", to=low)

    @low.on("GO", to=out)
    def leave(self) -> None:
        self.scribble("leaving")

    @low.on("DECIDE")
    def decide(self) -> State:
        self.scribble("decided")
        return self.out

    @low.on("MAYBE", to=out, guard=lambda rivals: rivals.mood == "wild")
    def leave_if_wild(self) -> None:
        self.scribble("leaving wildly")

    @low.otherwise
    def stay(self, e: Event) -> None:
        self.scribble(f"staying at {e.signal_name}")


@pytest.mark.parametrize(
    ("signal", "mood", "configuration", "texts"),
    [
        ("GO", "calm", ("two", "low"), ()),
        ("DECIDE", "calm", ("two", "low"), ("decided",)),
        ("MAYBE", "calm", ("two", "low"), ()),
        ("MAYBE", "wild", ("two", "low"), ()),
        ("ANY", "calm", ("two", "low"), ("staying at ANY",)),
    ],
)
def test_a_preempted_arrow_does_not_act_unless_its_function_decides_where_it_leads(
    signal, mood, configuration, texts
):
    for _ in ("its steps are new", "its steps are known from its twin"):
        rivals = Rivals("rivals", threaded=False)
        rivals.mood = mood
        rivals.start_at()
        rivals.dispatch(Event(signal))
        step = rivals.steps()[-1]
        assert (rivals.configuration, step.texts) == (configuration, texts)
        hooked = [fact.name for fact in step.facts if fact.kind is FactKind.HOOK]
        assert hooked == (["low"] if texts else [])
        moved = [fact.name for fact in step.facts if fact.kind is FactKind.TRAN]
        assert moved == (["one", "second"] if (signal, mood) == ("MAYBE", "calm") else ["one"])


class Curious(Chart):
    seen = ()

    with State(initial=True) as outer:
        with State(initial=True) as unnamed:
            here = State(initial=True)
            there = Final()
        after = State()

    here.on("GO", to=there)
    outer.on("done.state.unnamed", to=after)

    @unnamed.otherwise
    def see(self, e: Event) -> None:
        self.seen += (e.signal_name,)


def test_a_completion_named_as_a_signal_passes_by_the_reaction_to_all_others():
    curious = driven(Curious, "OTHER", "GO")
    assert curious.seen == ("OTHER",)
    assert curious.current_state() == "after"
