"""The static tree: document order, containment, and the domain of a transition."""

from __future__ import annotations

import pytest

from farscope.engine.core.state_tree import Tree, in_document_order, outward
from farscope.engine.core.states import StateNode
from farscope.errors import Invariant, NotAState
from farscope.records.structure import StateKind


def node(name, parent=None):
    return StateNode(name, name, parent, lambda _chart, _e: 0, {})


@pytest.fixture
def tree():
    """Draw ``a {b {c, d}, h (history)}, e``."""
    made = Tree()
    a = node("a")
    b = node("b", a)
    for state, kind in (
        (a, StateKind.PLAIN),
        (b, StateKind.PARALLEL),
        (node("c", b), StateKind.PLAIN),
        (node("d", b), StateKind.PLAIN),
        (node("h", a), StateKind.HISTORY),
        (node("e"), StateKind.FINAL),
    ):
        made.add(state, kind, state.parent)
    return made


def named(tree, name):
    return next(vertex for vertex in tree.vertices if vertex.name == name)


def test_vertices_are_numbered_in_document_order(tree):
    assert [vertex.name for vertex in tree.vertices] == ["", "a", "b", "c", "d", "h", "e"]
    assert in_document_order(reversed(tree.vertices)) == tree.vertices
    assert [vertex.name for vertex in outward(named(tree, "d"))] == ["d", "b", "a"]


def test_history_states_are_not_children(tree):
    a = named(tree, "a")
    assert [vertex.name for vertex in a.children] == ["b"]
    assert [vertex.name for vertex in a.histories] == ["h"]


@pytest.mark.parametrize(
    ("source", "target", "domain"),
    [
        ("c", "d", "b"),
        ("c", "c", "b"),
        ("c", "b", "b"),
        ("b", "c", "b"),
        ("b", "b", "a"),
        ("c", "h", "a"),
        ("c", "e", ""),
        ("a", "a", ""),
        ("a", "d", "a"),
    ],
)
def test_the_domain_is_the_least_common_ancestor_unless_a_state_leads_to_itself(tree, source, target, domain):
    assert tree.domain(named(tree, source), named(tree, target)).name == domain


def test_containment_includes_the_vertex_itself(tree):
    contained = [vertex.name for vertex in tree.vertices if named(tree, "b").contains(vertex)]
    assert contained == ["b", "c", "d"]


def test_the_child_toward_a_state_leads_to_it(tree):
    assert named(tree, "a").child_toward(named(tree, "d")).name == "b"
    with pytest.raises(Invariant, match="state e does not lie inside a"):
        named(tree, "a").child_toward(named(tree, "e"))


def test_states_are_added_in_document_order_only(tree):
    late = node("late", named(tree, "b").its_state)
    with pytest.raises(Invariant, match="state late was added out of document order"):
        tree.add(late, StateKind.PLAIN, late.parent)


def test_a_state_that_the_chart_does_not_have_is_refused(tree):
    with pytest.raises(NotAState, match="state stray is not one of the chart's"):
        tree.of(node("stray"))


def test_the_root_is_no_state(tree):
    with pytest.raises(Invariant, match="used as a state"):
        _ = tree.root.its_state
    with pytest.raises(Invariant, match="nothing lies around"):
        tree.around(tree.root)
