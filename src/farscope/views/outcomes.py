"""The words for what became of an event, in text and in diagrams; the page has its own in ``format.js``."""

from __future__ import annotations

from typing import Final

from farscope.records.shape import StepKind

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
