"""States built by parts as the text of flat functions that do the same."""

from __future__ import annotations

import pytest

from farscope.engine import Event, Factory, Hsm, return_status, signals, spy_on
from farscope.errors import ChartBuildError


def on_init(chart, e):
    return chart.trans(chart.inner_state)


def refuse(chart, e):
    return return_status.UNHANDLED


def hook(chart, e):
    chart.scribble("hooked")
    return return_status.HANDLED


class Door(Factory):
    def __init__(self, name) -> None:
        super().__init__(name, threaded=False)
        self.outer = (
            self.create("outer")
            .catch("INIT_SIGNAL", on_init)
            .catch("EXIT_SIGNAL", hook)
            .catch("HOOK", hook)
            .catch("OWN", self.own)
            .to_method()
        )
        self.inner = (
            self.create("in ner")
            .catch("GUARD", refuse)
            .catch("odd signal", lambda chart, _e: chart.trans(chart.inner_state))
            .catch("append", lambda chart, _e: chart.trans(chart.outer_state))
            .to_method()
        )
        self.nest(self.outer, parent=None).nest(self.inner, parent=self.outer)

    def own(self, _e):
        return self.trans(self.inner_state)


EVENTS = ["HOOK", "GUARD", "OWN", "odd signal", "append", "NOPE", "OWN"]


def run(chart, start):
    chart.start_at(start)
    for name in EVENTS:
        chart.post_fifo(Event(name))
    chart.complete_circuit()
    return chart.spy()


def test_the_text_does_what_the_state_does():
    built = Door("door")
    names = {
        "spy_on": spy_on,
        "return_status": return_status,
        "signals": signals,
        "on_init": on_init,
        "hook": hook,
        "refuse": refuse,
        "in_ner_odd_signal": lambda chart, _e: chart.trans(chart.inner_state),
        "in_ner_append": lambda chart, _e: chart.trans(chart.outer_state),
    }
    for state in ("outer", "in ner"):
        exec(built.to_code(state), names)  # noqa: S102 - running it is what its text is for

    class Flat(Hsm):
        own = Door.own

    flat = Flat("flat")
    flat.outer_state, flat.inner_state = names["outer"], names["in_ner"]
    built.outer_state, built.inner_state = built.outer, built.inner
    lines = run(flat, flat.outer_state)
    assert lines == run(built, built.outer)
    assert "odd signal:in ner" in lines


def test_the_text_reads_like_what_one_would_write():
    assert Door("door").to_code("outer") == (
        "@spy_on\n"
        "def outer(chart, e):\n"
        "    status = return_status.UNHANDLED\n"
        "    if e.signal == signals.INIT_SIGNAL:\n"
        "        status = on_init(chart, e)\n"
        "    elif e.signal == signals.EXIT_SIGNAL:\n"
        "        status = hook(chart, e)\n"
        "    elif e.signal == signals.HOOK:\n"
        "        status = hook(chart, e)\n"
        "    elif e.signal == signals.OWN:\n"
        "        status = chart.own(e)\n"
        "    if status == return_status.UNHANDLED:\n"
        "        status, chart.temp.fun = return_status.SUPER, chart.top\n"
        "    return status\n"
    )


def test_a_state_without_handlers_has_a_text_too():
    chart = Factory("bare", threaded=False)
    chart.nest(chart.create("class").to_method(), parent=None)
    names = {"spy_on": spy_on, "return_status": return_status, "signals": signals}
    exec(chart.to_code("class"), names)  # noqa: S102 - same
    flat = Hsm("flat")
    flat.start_at(names["_class"])
    assert flat.current_state() == "class"


def test_of_what_is_no_state_or_not_nested_there_is_no_text():
    chart = Factory("bare", threaded=False)
    state = chart.create("loose").to_method()
    for wrong in (state, "loose", "nobody", hook):
        with pytest.raises(ChartBuildError):
            chart.to_code(wrong)
