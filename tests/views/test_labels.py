from __future__ import annotations

from farscope.records.step import ChartId
from farscope.views.labels import NO_NAME, chart_labels, process_labels, visible


def test_control_characters_are_seen_and_nothing_is_empty():
    assert visible("a\nb\x1b[2J\u202e") == "a\\nb\\x1b[2J\\u202e"
    assert visible("") == visible("  ") == NO_NAME


def test_charts_of_one_name_are_told_apart_and_others_keep_their_name():
    twins = [ChartId("p", "pi", 1, 1, "ab"), ChartId("p", "pi", 1, 2, "ab"), ChartId("p", "pi", 2, 1, "cd")]
    labels = chart_labels([*twins, ChartId("q", "pi", 1, 3, "ab")])
    assert len(set(labels.values())) == 4
    assert all(label.startswith("p@pi:") for chart, label in labels.items() if chart in twins)
    assert "q" in labels.values()


def test_a_process_is_called_by_its_service_unless_another_process_has_the_same():
    pump, valve = ChartId("p", "pi", 1, 1, "ab", "pump"), ChartId("q", "pi", 1, 2, "ab", "pump")
    twins = [ChartId("r", "pi", pid, 1, f"c{pid}", "valve") for pid in (2, 3)]
    assert process_labels([pump, valve, *twins, ChartId("s", "pi", 4, 1), ChartId("t", "", 0, 1)]) == {
        ("pi", 1): "pump",
        ("pi", 2): "pi:2",
        ("pi", 3): "pi:3",
        ("pi", 4): "pi:4",
        ("", 0): "",
    }


def test_a_chart_known_from_text_alone_is_called_by_its_name_whatever_that_holds():
    chart = ChartId("c@x#1", "", 0, 1)
    assert chart_labels([chart]) == {chart: "c@x#1"}
