from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from farscope.records.kinds import UnknownKind
from farscope.records.structure import ChartStructure, StateInfo, StateKind
from farscope.views.regions import MAX_REGIONS, Regions
from support.charger import STRUCTURE

NAMES = st.sampled_from("abcdefgh")
KINDS = st.one_of(st.sampled_from(list(StateKind)), st.just(UnknownKind(77, "FORK")))


def test_each_region_has_the_leaf_that_is_active_in_it():
    regions = Regions(STRUCTURE)
    assert regions.names == ("power", "lock")
    assert regions.split(("idle", "open")) == ("operating", "idle", "open")
    assert regions.split(("off",)) == ("off", None, None)
    assert regions.split(()) == (None, None, None)


def test_around_nested_regions_the_composite_state_is_active():
    structure = ChartStructure(
        (
            StateInfo("p", "", StateKind.PARALLEL),
            StateInfo("a", "p"),
            StateInfo("q", "a", StateKind.PARALLEL),
            StateInfo("a1", "q"),
            StateInfo("a2", "q"),
            StateInfo("deep", "a2"),
            StateInfo("b", "p"),
        )
    )
    regions = Regions(structure)
    assert regions.names == ("a", "a1", "a2", "b")
    assert regions.split(("a1", "deep", "b")) == ("p", "q", "a1", "deep", "b")


def test_leaves_that_no_structure_separates_are_shown_together():
    assert Regions(None).split(("x", "y")) == ("x | y",)


def test_final_and_history_states_are_known():
    regions = Regions(STRUCTURE)
    assert (regions.is_final("full"), regions.is_final("idle")) == (True, False)
    assert regions.history == {"power again": "history"}


def test_further_regions_are_shown_in_the_one_around_them():
    leaves = tuple(f"r{number}" for number in range(MAX_REGIONS + 2))
    states = (StateInfo("p", "", StateKind.PARALLEL), *(StateInfo(leaf, "p") for leaf in leaves))
    split = Regions(ChartStructure(states)).split(leaves)
    assert split[1:] == leaves[:MAX_REGIONS]
    assert split[0] == " | ".join(("p", *leaves[-2:]))


@given(
    st.lists(st.builds(StateInfo, NAMES, st.one_of(NAMES, st.just("")), KINDS), max_size=12).map(tuple),
    st.lists(NAMES, max_size=5, unique=True).map(tuple),
)
def test_no_structure_hides_a_leaf_or_takes_forever(states, leaves):
    split = Regions(ChartStructure(states)).split(leaves)
    shown = " | ".join(text for text in split if text is not None).split(" | ")
    assert set(leaves) <= set(shown)
