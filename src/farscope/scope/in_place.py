"""The notices of a scope between the steps they belong between."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from farscope.records.step import Step
from farscope.scope.notice import Notice


class InPlace:
    """Puts notices among steps. Used by one thread, which takes every step of the scope from the first on."""

    def __init__(self, ask: Callable[[], list[Notice]]) -> None:
        """``ask`` returns the notices since it was last called, as ``Scope.notices`` does."""
        self._ask = ask
        self._held: deque[Notice] = deque()
        self._taken = 0

    def among(self, steps: Iterable[Step]) -> Iterator[Step | Notice]:
        """Yield the next steps, all that were taken, and each notice where it belongs."""
        self._held.extend(self._ask())
        for step in steps:
            yield from self._due()
            self._taken += 1
            yield step
        yield from self._due()

    def _due(self) -> Iterator[Notice]:
        while self._held and self._held[0].place <= self._taken:
            yield self._held.popleft()
