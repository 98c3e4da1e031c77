"""Signals have numbers, events carry them, and both travel by name."""

from __future__ import annotations

import pickle
import threading

import pytest

from farscope.engine import Event, return_status, signals
from farscope.engine.event import INNER_SIGNALS, Signals
from farscope.errors import ChartError, Malformed


def test_a_signal_is_made_at_first_use_and_then_a_plain_attribute():
    number = signals.MADE_HERE
    assert number == signals["MADE_HERE"] == signals.append("MADE_HERE")
    assert "MADE_HERE" in signals
    assert "MADE_NOWHERE" not in signals
    assert vars(signals)["MADE_HERE"] == number
    assert signals.name_for_signal(number) == "MADE_HERE"


def test_a_signal_named_like_a_method_does_not_hide_the_method():
    assert Event("append").signal_name == "append"
    assert callable(signals.append)


def test_inner_signals_are_told_from_the_users_by_number_and_name():
    assert all(signals.is_inner_signal(name) for name in INNER_SIGNALS)
    assert signals.is_inner_signal(signals.REFLECTION_SIGNAL)
    assert not signals.is_inner_signal(signals.B)
    assert not signals.is_inner_signal("B")
    assert not signals.is_inner_signal("NEVER_HEARD_OF")
    assert "NEVER_HEARD_OF" not in signals


@pytest.mark.parametrize("nonsense", [0, -1, 10**9, None, []])
def test_what_is_no_signal_is_refused(nonsense):
    with pytest.raises(ChartError, match="is not a signal"):
        Event(signal=nonsense)
    with pytest.raises(ChartError, match="is not a signal"):
        signals.name_for_signal(nonsense)


@pytest.mark.parametrize("nonsense", ["", None, 7])
def test_what_is_no_name_makes_no_signal(nonsense):
    with pytest.raises(ChartError, match="not a name for a signal"):
        signals.append(nonsense)


def test_threads_that_make_the_same_signals_get_the_same_numbers():
    fresh = Signals()
    seen: list[list[int]] = []
    start = threading.Barrier(4)

    def make():
        start.wait()
        seen.append([fresh.append(f"S{number}") for number in range(300)])

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen[0] == seen[1] == seen[2] == seen[3]
    assert len(set(seen[0])) == 300


def test_an_event_has_signal_name_and_payload():
    event = Event(signal=signals.B, payload=[1])
    assert (event.signal, event.signal_name, event.payload) == (signals.B, "B", [1])
    assert event.has_payload()
    assert not Event("B").has_payload()
    assert Event("B").signal == signals.B
    assert (str(event), str(Event("B"))) == ("B::<[1]>", "B::<>")
    assert repr(event) == "Event(signal='B', payload=[1])"


def test_an_event_travels_as_json_and_as_a_pickle_by_its_signals_name():
    for event in (Event("B"), Event("B", payload={"deep": [1, None]})):
        for copy in (Event.loads(Event.dumps(event)), pickle.loads(pickle.dumps(event))):  # noqa: S301 - ours
            assert (copy.signal_name, copy.payload) == (event.signal_name, event.payload)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"signal_name": 3, "payload": 1}', '{"signal_name": "B"}'])
def test_text_that_is_no_event_is_refused(text):
    with pytest.raises(Malformed, match="no event"):
        Event.loads(text)


def test_statuses_differ():
    statuses = {name: value for name, value in vars(return_status).items() if "TRAN_" not in name}
    assert len(set(statuses.values())) == len(statuses) == 9


def test_all_signals_there_are_can_be_looked_through():
    number = signals.append("LOOKED_THROUGH")
    assert ("LOOKED_THROUGH", number) in signals.items()
    assert dict(zip(signals.keys(), signals.values(), strict=True)) == dict(signals.items())
    assert list(signals) == signals.keys()
    assert len(signals) == len(signals.items())
    assert signals.keys()[0] == "ENTRY_SIGNAL"
