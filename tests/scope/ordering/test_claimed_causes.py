"""Steps handed out together come after their causes in other processes, with any clocks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from farscope.records.shape import Shape, StepKind
from farscope.records.step import Cause, ChartId, Step
from farscope.scope.ordering.claimed_causes import after_their_causes

SHAPE = Shape(StepKind.HOOK, "S", "a", "a", ())
CHARTS = [ChartId("c", "h", 1, serial, probe) for probe in ("aa", "bb", "cc") for serial in (1, 2)]


def step(chart, number, cause=None, time_ns=0):
    return tuple(Step(chart, number, SHAPE, time_ns, 0, 0, 0, 0, cause))


def keys(steps):
    return [(each[0].probe, each[0].serial, each[1]) for each in steps]


def caused_by(causing, chart):
    """Return a cause as a scope knows it: with the probe only if that is another one."""
    probe, serial, number = causing
    return Cause(serial, number, "" if probe == chart.probe else probe, claimed=probe != chart.probe)


@st.composite
def histories(draw):
    """Return steps in the order in which they happened; any earlier one may be the cause of a later one."""
    numbers = dict.fromkeys(CHARTS, 0)
    steps = []
    for _ in range(draw(st.integers(0, 25))):
        chart = draw(st.sampled_from(CHARTS))
        numbers[chart] += 1
        causing = draw(st.none() | st.sampled_from(keys(steps))) if steps else None
        steps.append(step(chart, numbers[chart], causing and caused_by(causing, chart)))
    return steps


@given(histories(), st.randoms(use_true_random=False))
def test_every_step_comes_after_its_cause_and_charts_keep_their_order(history, random):
    # As if the clocks of the processes differed: an interleaving that keeps the order within each process.
    processes = [[each for each in history if each[0].probe == probe] for probe in ("aa", "bb", "cc")]
    mixed = []
    while any(processes):
        mixed.append(random.choice([queue for queue in processes if queue]).pop(0))
    ordered = after_their_causes(mixed)
    places = {key: place for place, key in enumerate(keys(ordered))}
    assert sorted(places) == sorted(keys(history))
    for each in ordered:
        cause, key = each[8], keys([each])[0]
        if cause is not None:
            assert places[cause.probe or key[0], cause.serial, cause.number] < places[key]
        if each[1] > 1:
            assert places[key[0], key[1], each[1] - 1] < places[key]


@given(histories())
def test_what_is_in_order_stays_as_it_is(history):
    assert list(after_their_causes(history)) == history


def test_nothing_waits_for_a_step_that_is_not_here():
    steps = [step(CHARTS[0], 1, Cause(1, 77, "bb", claimed=True)), step(CHARTS[2], 1)]
    assert list(after_their_causes(steps)) == steps


def test_steps_that_claim_to_cause_each_other_are_handed_out_once_each():
    steps = [
        step(CHARTS[0], 1, Cause(1, 1, "bb", claimed=True)),
        step(CHARTS[2], 1, Cause(1, 1, "aa", claimed=True)),
        step(CHARTS[4], 1, Cause(1, 1, "cc", claimed=True)),
    ]
    assert sorted(keys(after_their_causes(steps))) == sorted(keys(steps))
