"""The structure of a chart, as far as it is known."""

from farscope.records.structure import ChartStructure, StateInfo


def test_a_parent_is_found_by_name() -> None:
    structure = ChartStructure((StateInfo("outer"), StateInfo("inner", "outer")))
    assert structure.parent_of("inner") == "outer"
    assert structure.parent_of("outer") == ""
    assert structure.parent_of("nowhere") == ""
