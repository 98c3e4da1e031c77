"""The names that programs written for miros use exist, and are listed in the guide."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import miros
import miros.activeobject
import miros.foreign
import miros.hsm
import pytest

import farscope
import farscope.engine
from farscope.engine import ActiveObject, Event, Factory, Hsm, return_status, signals
from farscope.engine import miros as ours
from farscope.errors import AlreadyStarted, ChartBuildError, ChartError, ChartStopped, UsageError

GUIDE = Path(__file__).parents[2] / "docs" / "howto" / "miros.md"
KINDS = {"provided", "different", "replaced"}
SOON_S = 30


def names_of_modules() -> Iterator[tuple[str, Any]]:
    for info in [None, *pkgutil.iter_modules(miros.__path__)]:
        module = importlib.import_module(f"miros.{info.name}" if info else "miros")
        for name, value in vars(module).items():
            home = getattr(value, "__module__", None) or type(value).__module__
            if not name.startswith("_") and not inspect.ismodule(value) and home.startswith("miros"):
                yield name, value


def members(kind: type, instance: object = None) -> set[str]:
    own = {name for base in kind.__mro__ if base.__module__.startswith("miros") for name in vars(base)}
    own |= set(vars(instance)) if instance is not None else set()
    return {name for name in own if not name.startswith("_")}


def names_of_miros() -> set[str]:
    factory = miros.Factory("f")
    fabric = miros.activeobject.ActiveFabric()
    owned = {
        "chart": members(miros.Factory, factory) | {"state_name", "state_fn"},
        "Event": members(miros.Event, miros.Event("A")),
        "signals": {name for name in dir(miros.signals) if not name.startswith("_")},
        "return_status": set(miros.return_status) | members(type(miros.return_status)),
        "ForeignHsm": members(miros.foreign.ForeignHsm, miros.foreign.ForeignHsm()),
        "ActiveFabric": members(type(fabric), fabric),
        "LockingDeque": members(miros.activeobject.LockingDeque),
    }
    named = {f"{owner}.{name}" for owner, names in owned.items() for name in names}
    return named | {name for name, _ in names_of_modules()}


def guide() -> dict[str, tuple[str, str]]:
    section = GUIDE.read_text().partition("## Every public name of miros")[2]
    rows = re.findall(r"^\| (`.*?) \| (\w+) \| (.*?) ?\|$", section, re.MULTILINE)
    listed = [(name, kind, here) for names, kind, here in rows for name in re.findall(r"`(.+?)`", names)]
    assert len({name for name, _, _ in listed}) == len(listed), "a name is listed twice"
    return {name: (kind, here) for name, kind, here in listed}


def test_the_guide_lists_every_public_name_of_miros_and_no_other():
    assert set(guide()) == names_of_miros()


def test_each_name_is_provided_different_or_replaced_by_what_is_said():
    for name, (kind, here) in guide().items():
        assert kind in KINDS, name
        assert kind == "provided" or here, f"{name}: say by what"


@pytest.mark.parametrize("name", [name for name, (kind, _) in guide().items() if kind == "provided"])
def test_what_is_said_to_be_provided_is_there(name: str):
    owner, _, member = name.rpartition(".")
    chart = Factory("f", threaded=False)
    chart.nest(chart.create("one").to_method(), parent=None)
    chart.start_at("one")
    owners = {"chart": chart, "Event": Event("A"), "signals": signals, "return_status": return_status}
    owners |= {"ForeignHsm": farscope.ForeignHsm(), "ActiveFabric": ours.ActiveFabric()}
    if not owner:
        assert any(hasattr(module, member) for module in (farscope, ours))
    elif owner == "signals":
        assert member in dir(type(signals))
    else:
        assert hasattr(owners[owner], member)


def flat(library: Any, seen: list[Any], targets: list[Any]) -> Any:
    """Make a chart of flat functions that look, at their top, at where the chart is."""

    @library.spy_on
    def outer(chart, e):
        seen.append(("outer", e.signal_name, chart.state_name, chart.state_fn.__name__))
        targets.append((chart.temp.fun.__name__, "outer"))
        if e.signal == library.signals.INIT_SIGNAL:
            return chart.trans(inner)
        chart.temp.fun = chart.top
        return library.return_status.SUPER

    @library.spy_on
    def inner(chart, e):
        seen.append(("inner", e.signal_name, chart.state_name, chart.state_fn.__name__))
        targets.append((chart.temp.fun.__name__, "inner"))
        if e.signal_name == "T":
            return library.return_status.TRAN
        chart.temp.fun = outer
        return library.return_status.SUPER

    return outer


def test_a_flat_function_knows_its_state_from_the_first_call_of_the_start_on():
    there: list[Any] = []
    here: list[Any] = []
    targets: list[Any] = []
    for library, chart, seen in ((miros, miros.hsm.HsmWithQueues(), there), (farscope, Hsm(), here)):
        targets.clear()
        chart.start_at(flat(library, seen, targets))
        chart.dispatch(library.Event("T"))
    # Our engine asks each state for its parent once.
    assert list(dict.fromkeys(here)) == list(dict.fromkeys(there))
    assert {call[0] == call[2] == call[3] for call in here} == {True}
    assert {target == own for target, own in targets} == {True}


def test_no_word_about_instrumentation_means_that_there_is_some():
    assert Hsm(instrumented=None).instrumented is True
    assert ActiveObject("a", None).instrumented is True


def test_a_queue_size_in_the_place_of_a_name_and_options_of_miros_are_refused_with_the_remedy():
    with pytest.raises(UsageError, match=r"a chart cannot be named 100\n.*queue_size="):
        Hsm(100)
    with pytest.raises(UsageError, match=r"no option maxlen\n.*queue_size="):
        Hsm(maxlen=100)
    with pytest.raises(UsageError, match=r"no option priority\n.*leave it out"):
        Hsm(priority=1)


@pytest.mark.parametrize("library", [miros, farscope])
def test_looking_for_a_signal_makes_none(library):
    everything = library.signals
    count = len(everything)
    assert everything.get("NEVER_MADE") is None
    assert everything.get("ENTRY_SIGNAL") == everything.ENTRY_SIGNAL
    assert everything.highest_inner_signal == 10
    with pytest.raises(KeyError):
        everything["NEVER_MADE"]
    assert len(everything) == count


def test_a_signal_that_is_not_there_says_how_it_is_made():
    with pytest.raises(ChartError, match=r"no signal is called 'NEVER_MADE' so far\n.*signals.append"):
        signals["NEVER_MADE"]


def registered(library: Any, chart: Any, template: Any) -> Any:
    """Give a chart handlers of its own for states that many charts have."""
    inner, outer = template("inner"), template("outer")

    def says(text: str) -> Any:
        def say(chart, e):
            chart.scribble(text)
            return library.return_status.HANDLED

        return say

    if library is miros:
        # Else the first state of all gets handlers that nobody wrote.
        chart._lookup = {}
    chart.register_signal_callback(inner, library.signals.A, says(f"a of {chart.name}"))
    chart.register_signal_callback(outer, library.signals.B, lambda chart, _e: chart.trans(inner))
    chart.register_parent(inner, outer)
    chart.register_parent(outer, chart.top)
    chart.start_at(inner)
    for name in ("A", "B"):
        chart.post_fifo(library.Event(name))
    chart.complete_circuit()
    return [chart.spy(), chart.spy_full(), chart.spy_rtc()]


def handled(_chart, _e):
    return return_status.HANDLED


def test_states_from_a_template_do_what_each_chart_registers_as_in_miros():
    theirs, mine, another = miros.hsm.HsmWithQueues(), Hsm("one"), Hsm("two")
    theirs.name = "one"
    assert registered(farscope, mine, ours.state_method_template) == registered(
        miros, theirs, miros.hsm.state_method_template
    )
    assert "a of two" in registered(farscope, another, ours.state_method_template)[0]


def test_a_template_is_shared_and_what_is_registered_with_a_chart_is_not():
    state = ours.state_method_template("state")
    one, two = Hsm("one"), Hsm("two")
    one.register_signal_callback(state, "A", handled)
    for chart in (one, two):
        chart.start_at(state)
        chart.dispatch(Event("A"))
    assert [chart.steps()[-1].kind.name for chart in (one, two)] == ["HOOK", "IGNORED"]
    with pytest.raises(AlreadyStarted):
        one.register_signal_callback(state, "B", handled)


def test_what_cannot_be_given_handlers_says_what_can():
    with pytest.raises(ChartBuildError, match=r"flat is not a state .*\n.*state_method_template"):
        Hsm("one").register_parent(flat, None)


def test_subscribing_again_leaves_a_line_only_if_it_changes_something():
    def on(chart, e):
        if e.signal_name == "S":
            chart.subscribe("A")
            chart.subscribe("A", "lifo")
            chart.subscribe("A", "lifo")
            return return_status.HANDLED
        chart.temp.fun = chart.top
        return return_status.SUPER

    chart = Hsm("one")
    assert chart.subscribed("A") is False
    chart.start_at(on)
    chart.dispatch(Event("S"))
    assert [line for line in chart.spy() if "SUBSCRIBING" in line] == [
        "SUBSCRIBING TO:(A, TYPE:fifo)",
        "SUBSCRIBING TO:(A, TYPE:lifo)",
    ]
    assert (chart.subscribed("A", "fifo"), chart.subscribed("A", "lifo")) == (False, True)
    ours.ActiveFabric().clear()
    assert chart.subscribed("A") is False


def test_the_fabric_ends_all_charts_that_run_by_themselves():
    fabric = ours.ActiveFabric()
    fabric.start()
    chart = ActiveObject("one")
    chart.start_at(lambda chart, _e: setattr(chart.temp, "fun", chart.top) or return_status.SUPER)
    chart.subscribe("A")
    fabric.publish(Event("A"))
    fabric.stop()
    assert chart.join(SOON_S)
    assert fabric.is_alive()
    with pytest.raises(ChartStopped):
        chart.post_fifo(Event("A"))


def test_scribbles_before_the_start_and_between_steps_are_those_of_the_next_one():
    chart = Factory("one", threaded=False)
    one = chart.create("one").catch("A", handled).to_method()
    chart.nest(one, parent=None)
    chart.scribble("before the start")
    chart.start_at(one)
    chart.dispatch(Event("NOBODYS"))
    chart.scribble("between steps")
    chart.dispatch(Event("A"))
    chart.dispatch(Event("A"))
    assert [step.texts for step in chart.steps()] == [(), (), ("before the start", "between steps"), ()]
    assert chart.spy_rtc() == ["A:one", "A:one:HOOK", "<- Queued:(0) Deferred:(0)"]


def test_of_scribbles_between_steps_the_first_are_kept_and_the_others_counted():
    chart = Factory("one", threaded=False)
    one = chart.create("one").catch("A", handled).to_method()
    chart.nest(one, parent=None)
    chart.start_at(one)
    for number in range(400):
        chart.scribble(number)
    chart.dispatch(Event("A"))
    chart.dispatch(Event("A"))
    cut, last = chart.steps()[1:]
    assert cut.texts[0] == "0"
    # Of 400 scribbles and two facts of the step, 250 are kept.
    assert cut.spy()[-2] == "CUT:(152 facts not kept)"
    assert last.texts == ()


def test_text_is_printed_at_once(capsys):
    Hsm("one").print(7)
    assert capsys.readouterr().out == "7\n"
