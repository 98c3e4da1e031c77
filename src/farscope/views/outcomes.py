"""The words for the outcomes of events, in text and in diagrams; the page has its own in ``format.js``."""

from __future__ import annotations

from typing import Final

from farscope.records.shape import AnyStepKind, StepKind

HANDLED: Final = "handled"
"""A state handled the event without a transition."""

PASSED_ON: Final = "passed on"
"""A state left the event to the state around it."""

REFUSED: Final = "refused"
"""A guard did not let the event cause a transition."""

FAILED: Final = "failed"
"""A handler raised, which ended the step."""

OUTCOMES: Final = {
    StepKind.HOOK: "hook",
    StepKind.IGNORED: "ignored",
    StepKind.REFUSED: REFUSED,
    StepKind.FAILED: FAILED,
}
"""The word for each kind of step that has no trace line, as in ``--only``."""

NOTES: Final = {kind: f"({HANDLED if kind is StepKind.HOOK else word})" for kind, word in OUTCOMES.items()}
"""The note on an arrow of a sequence diagram for a step that led to no state."""


def outcome_of(kind: AnyStepKind) -> str:
    """Return the word for a kind of step; that of a later release has its own name."""
    return OUTCOMES[kind] if isinstance(kind, StepKind) and kind in OUTCOMES else kind.name.lower()


def note_of(kind: AnyStepKind) -> str:
    """Return the note on an arrow for a step of that kind that led to no state."""
    return NOTES[kind] if isinstance(kind, StepKind) and kind in NOTES else f"({outcome_of(kind)})"
