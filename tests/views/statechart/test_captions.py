from __future__ import annotations

from farscope.records.kinds import UnknownKind
from farscope.records.structure import Reaction, ReactionFlag, StateKind
from farscope.views.statechart.captions import caption, stereotype


def test_guards_that_lead_to_one_target_are_joined():
    both = [Reaction("a", "GO", "b", guard=guard) for guard in ("hot", "late", "hot")]
    assert caption("GO", both) == "GO [hot or late]"


def test_a_timed_reaction_without_a_known_delay_shows_its_signal():
    assert caption("TICK", [Reaction("a", "TICK", "b", flags=(ReactionFlag.TIMED,))]) == "TICK"


def test_flags_and_kinds_of_later_releases_are_shown_by_name():
    flags = (ReactionFlag.INTERNAL, UnknownKind(77, "ON_ERROR"))
    assert caption("GO", [Reaction("a", "GO", "b", flags=flags)]) == "GO (internal) (on error)"
    assert stereotype(UnknownKind(9, "CHOICE")) == "choice"
    assert stereotype(StateKind.FINAL) == ""


def test_a_guard_alone_needs_no_event():
    assert (
        caption("", [Reaction("a", "", "b", guard="full", flags=(ReactionFlag.EVENTLESS,))])
        == "[full] (eventless)"
    )


def test_a_timeout_that_repeats_says_every():
    tick = Reaction("a", "every.a.1s", flags=(ReactionFlag.TIMED,), delay="1 s")
    assert caption("every.a.1s", [tick]) == "every 1 s"
