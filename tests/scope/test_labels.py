from hypothesis import given, settings
from hypothesis import strategies as st

from farscope.records.step import ChartId
from farscope.scope.labels import Labels, spellings

NAMES = st.sampled_from(["a", "b", "a@h:1", "a@h:1#1", "a@h:1#1/p", "#", "@", ""])
HOSTS = st.sampled_from(["h", "g", "h:1", "h:1#1", "@h"])
CHARTS = st.builds(ChartId, NAMES, HOSTS, st.integers(1, 2), st.integers(1, 2), st.sampled_from(["p", "q"]))


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
