"""Merges the notices of a scope into its steps."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from farscope.records.step import Step
from farscope.scope.notice import Notice


class InPlace:
    """Places notices among steps. Used by one thread, which must take all steps of the scope."""

    def __init__(self, ask: Callable[[], list[Notice]]) -> None:
        """``ask`` returns the notices since its last call, as ``Scope.notices`` does."""
        self._ask = ask
        self._held: deque[Notice] = deque()
        self._taken = 0

    def among(self, steps: Iterable[Step]) -> Iterator[Step | Notice]:
        """Yield the next steps, which must be all that were taken, with each notice in its place."""
        self._held.extend(self._ask())
        for step in steps:
            yield from self._due()
            self._taken += 1
            yield step
        yield from self._due()

    def _due(self) -> Iterator[Notice]:
        while self._held and self._held[0].place <= self._taken:
            yield self._held.popleft()
