"""A bounded cache for functions of short texts; results for long texts are computed each time."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final, TypeVar

KEPT: Final = 4_096
"""Maximum number of cached results; above it, the cache is cleared."""

LONGEST: Final = 400
"""Maximum length in characters of an argument whose result is cached; names may have millions."""

Asked = TypeVar("Asked", bound=Hashable)
Answer = TypeVar("Answer")


def remembered(find: Callable[[Asked], Answer], length: Callable[[Asked], int]) -> Callable[[Asked], Answer]:
    """Return ``find`` with a cache of its results, for at most ``KEPT * LONGEST`` characters of arguments.

    ``length`` returns the number of characters of an argument. Used by one thread at a time.
    """
    kept: dict[Asked, Answer] = {}

    def answer(asked: Asked) -> Answer:
        try:
            return kept[asked]
        except KeyError:
            found = find(asked)
        if length(asked) <= LONGEST:
            if len(kept) >= KEPT:
                kept.clear()
            kept[asked] = found
        return found

    return answer
