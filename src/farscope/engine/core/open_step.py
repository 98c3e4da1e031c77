"""The open step: the facts and texts that handlers record while a step runs."""

from __future__ import annotations

from farscope.engine.core.algorithm import MAX_FACTS, Made
from farscope.records.current_step import StepContext
from farscope.records.facts import FactKind

MAX_TEXT = 4_000
"""Maximum number of characters kept of a free text or traceback; a note says how much of a longer one is
missing."""

_CUT = int(FactKind.CUT)
_SCRIBBLE = int(FactKind.SCRIBBLE)
_LOG = int(FactKind.LOG)
_WITH_TEXT = (_SCRIBBLE, _LOG)
_ASIDE: Made = (_SCRIBBLE, "", "")
"""Stands, among the refused posts, for scribbles made outside a step."""

_ENDED: Made = (0, "", "")
"""Stands, among the refused posts, for the end of the chart."""


class OpenStep:
    """Everything recorded since the last step was taken: the facts and texts of the running step, if any.

    What is left from outside a step is kept aside for the next one.
    """

    __slots__ = ("_asides", "_asides_cut", "context", "made", "refused", "texts")

    def __init__(self, context: StepContext) -> None:
        self.context = context
        self.made: list[Made] = []
        """Facts in the order in which handlers recorded them; always the same list."""
        self.texts: list[str] = []
        """The texts of those facts that carry one."""
        self.refused: dict[Made, None] = {}
        """Posts from outside that found no room since the last step, each kind once. Both poster and chart
        change it only by single operations, which cannot be interrupted."""
        self._asides: list[str] = []
        self._asides_cut = 0
        """Scribbles made since the last step, outside a step, and the number beyond ``MAX_FACTS`` that were
        dropped."""

    def note(self, kind: int, name: str, detail: str = "") -> bool:
        """Record a fact made by the running handler; return whether it was kept."""
        made = self.made
        if len(made) < MAX_FACTS:
            made.append((kind, name, detail))
            return True
        self._cut(1)
        return False

    def scribble(self, text: object) -> None:
        """Add a free text to the running step."""
        if self.note(_SCRIBBLE, ""):
            self.texts.append(bounded(str(text)))

    def log(self, logger: str, level: str, text: str) -> None:
        """Add a log record to the running step."""
        if self.note(_LOG, logger, level):
            self.texts.append(bounded(text))

    def put_aside(self, text: object) -> None:
        """Keep a free text for the next step; may be called from any thread."""
        if len(self._asides) < MAX_FACTS:
            self._asides.append(bounded(str(text)))
        else:
            self._asides_cut += 1
        self.refused[_ASIDE] = None

    def refuse_next(self) -> None:
        """Make the next step look at ``refused`` although no post was refused: the chart has ended."""
        self.refused[_ENDED] = None

    def note_refused(self) -> None:
        """Record facts for posts that were refused since the last step, and for scribbles outside a step."""
        refused = self.refused
        for fact in list(refused):
            # Removed first: if the same post is refused again now, it belongs to the next step.
            refused.pop(fact, None)
            if fact is _ASIDE:
                self._note_asides()
            else:
                self.note(*fact)

    def take_made(self) -> tuple[Made, ...]:
        """Take the facts that handlers have recorded so far."""
        # ``tuple(made)`` would read freed memory if a finalizer that runs while it allocates (CPython 3.11)
        # posts and so adds another fact. This first builds a list that nothing else refers to.
        made = (*self.made,)
        del self.made[: len(made)]
        return made

    def take_texts(self, count: int) -> tuple[str, ...]:
        """Take the texts of the step that ends, which carries ``count`` of them."""
        texts = (*self.texts[:count],)
        # A fact recorded after the last ones were taken belongs to the next step, and so does its text.
        later = sum(fact[0] in _WITH_TEXT for fact in self.made) if self.made else 0
        del self.texts[: len(self.texts) - later]
        return texts

    def discard(self) -> None:
        """Discard the facts and texts of a step that failed."""
        self.made.clear()
        self.texts.clear()

    def _cut(self, count: int) -> None:
        """Record the fact that ``count`` facts were not kept."""
        made = self.made
        if len(made) > MAX_FACTS:
            made[MAX_FACTS] = (_CUT, "", str(int(made[MAX_FACTS][2]) + count))
        else:
            made.append((_CUT, "", str(count)))

    def _note_asides(self) -> None:
        while self._asides:
            text = self._asides.pop(0)
            if self.note(_SCRIBBLE, ""):
                self.texts.append(text)
        if self._asides_cut:
            self._cut(self._asides_cut)
            self._asides_cut = 0


def bounded(text: str, *, tail: bool = False) -> str:
    """Return ``text`` cut to ``MAX_TEXT`` characters: its beginning, or its end with ``tail``."""
    missing = len(text) - MAX_TEXT
    if missing <= 0:
        return text
    note = f"... ({missing} characters not kept)"
    return f"{note}\n{text[-MAX_TEXT:]}" if tail else f"{text[:MAX_TEXT]}{note}"
