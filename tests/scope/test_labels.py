from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farscope.records.step import ChartId
from farscope.scope.chart import Chart
from farscope.scope.labels import Labels, ProbeLabels, candidates, meant, spellings

NAMES = st.sampled_from(["a", "b", "a@h:1", "a@h:1#1", "a@h:1#1/p", "#", "@", ""])
HOSTS = st.sampled_from(["h", "g", "h:1", "h:1#1", "@h"])
SERVICES = st.sampled_from(["", "s", "h", "h:1", "h:1#1", "h:1#1/p", "@h"])
CHARTS = st.builds(
    ChartId, NAMES, HOSTS, st.integers(1, 2), st.integers(1, 2), st.sampled_from(["p", "q"]), SERVICES
)


@settings(deadline=None)
@given(st.sets(CHARTS, max_size=12), st.sets(CHARTS, max_size=4))
def test_no_two_charts_ever_share_a_label(charts, gone):
    charts = {(chart.probe, chart.serial): chart for chart in charts}.values()
    labels = Labels()
    for chart in charts:
        labels.add(chart)
    for chart in gone:
        labels.add(chart)
        labels.remove(chart)
    assert len({labels.of(chart) for chart in charts}) == len(charts)


def test_labels_are_as_short_as_they_can_be():
    one = ChartId("producer", "pi", 10, 1, "aa")
    other_host = ChartId("producer", "mac", 10, 1, "bb")
    same_process = ChartId("producer", "mac", 10, 2, "bb")
    same_chart_again = ChartId("producer", "mac", 10, 2, "cc")
    labels = Labels()
    labels.add(one)
    assert labels.of(one) == "producer"
    labels.add(other_host)
    assert (labels.of(one), labels.of(other_host)) == ("producer@pi:10", "producer@mac:10")
    labels.add(same_process)
    assert labels.of(same_process) == "producer@mac:10#2"
    labels.add(same_chart_again)
    assert labels.of(same_process) == "producer@mac:10#2/bb"
    for chart in (other_host, same_process, same_chart_again):
        labels.remove(chart)
    assert labels.of(one) == "producer"
    assert "producer@pi" in spellings(one)


def test_charts_of_different_services_are_distinguished_by_these_and_those_of_one_by_their_places():
    one = ChartId("pump", "pi", 10, 1, "aa", "north")
    other = ChartId("pump", "mac", 20, 1, "bb", "south")
    labels = Labels()
    for chart in (one, other):
        labels.add(chart)
    assert (labels.of(one), labels.of(other)) == ("pump@north", "pump@south")
    twin = ChartId("pump", "vm", 30, 1, "cc", "south")
    labels.add(twin)
    assert [labels.of(chart) for chart in (one, other, twin)] == ["pump@north", "pump@mac:20", "pump@vm:30"]
    labels.remove(twin)
    assert labels.of(other) == "pump@south"


def test_a_service_that_looks_like_a_place_is_not_part_of_a_label():
    liar, honest = ChartId("pump", "pi", 10, 1, "aa", "mac:20"), ChartId("pump", "mac", 20, 1, "bb")
    labels = Labels()
    for chart in (liar, honest):
        labels.add(chart)
    assert (labels.of(liar), labels.of(honest)) == ("pump@pi:10", "pump@mac:20")
    assert [chart.id for chart in candidates("pump@mac:20", map(Chart, (liar, honest)))] == [honest]


def test_a_service_is_meant_rather_than_a_host_of_that_name():
    one, other = ChartId("pump", "south", 10, 1, "aa", "north"), ChartId("pump", "pi", 20, 1, "bb", "south")
    charts = [Chart(one), Chart(other)]
    assert [chart.id for chart in candidates("pump@south", charts)] == [other]
    assert [chart.id for chart in candidates("pump@pi", charts)] == [other]


def run(began_ns: int, last_ns: int, host: str = "far", name: str = "lamp") -> Chart:
    return Chart(ChartId(name, host, began_ns, 1, f"{began_ns:032x}"), last_ns=last_ns)


def choose(*runs: Chart, alive: Chart | None = None) -> list[Chart]:
    return meant(list(runs), alive=lambda one: one is alive, began_ns=lambda one: one.id.pid)


def test_of_successive_runs_the_newest_is_meant():
    first, second, third = run(10, 15), run(20, 25), run(30, 35)
    assert choose(third, first, second) == [third]


def test_the_only_one_alive_is_meant_whenever_it_began():
    first, second = run(10, 15), run(20, 25)
    assert choose(first, second, alive=first) == [first]


def test_a_run_that_has_not_made_a_step_yet_can_be_the_newest():
    assert choose(run(10, 15), newest := run(20, 0)) == [newest]


@pytest.mark.parametrize(
    "runs",
    [
        (run(10, 25), run(20, 30)),
        (run(10, 15), run(20, 25, host="pi")),
        (run(10, 0), run(20, 25)),
        (run(0, 15), run(20, 25)),
    ],
    ids=["overlapping", "on two hosts", "of unknown end", "of unknown beginning"],
)
def test_runs_stay_ambiguous_when_they_are(runs):
    assert len(choose(*runs)) == 2


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 20)), min_size=2, max_size=6))
def test_never_is_one_chosen_of_runs_of_which_two_overlap(spans):
    runs = [run(began, began + length) for began, length in spans]
    ordered = sorted(spans)
    overlap = any(b + length >= later for (b, length), (later, _) in pairwise(ordered))
    chosen = choose(*runs)
    assert len(chosen) == (len(runs) if overlap else 1)
    assert overlap or chosen[0].last_ns == sum(ordered[-1])


def test_a_name_goes_before_a_label():
    lamp, odd = run(10, 15), run(20, 25, name="lamp@far:10")
    assert candidates("lamp", [lamp, odd]) == [lamp]
    assert candidates("lamp@far:10", [lamp, odd]) == [odd]
    assert candidates("lamp@far", [lamp, odd]) == [lamp]


def test_probes_are_called_by_services_then_places_then_ids():
    labels = ProbeLabels()
    probes = [("aa" * 16, "oven", "pi:1"), ("bb" * 16, "oven", "pi:2"), ("cc" * 16, "pi:3", "pi:3")]
    for _, service, place in probes:
        labels.add(service, place)
    assert [labels.of(*probe) for probe in probes] == ["pi:1", "pi:2", "pi:3"]
    labels.remove("oven", "pi:2")
    assert labels.of(*probes[0]) == "oven"
    labels.add("", "pi:3")
    assert labels.of(*probes[2]) == "pi:3/cccccccc"
