"""What was worked out for short texts, kept while there is room; long ones are worked out each time."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final, TypeVar

KEPT: Final = 4_096
"""Answers kept; when there are more, all are forgotten and worked out again."""

LONGEST: Final = 400
"""Characters that what is asked for may have for its answer to be kept; names may have millions."""

Asked = TypeVar("Asked", bound=Hashable)
Answer = TypeVar("Answer")


def remembered(find: Callable[[Asked], Answer], length: Callable[[Asked], int]) -> Callable[[Asked], Answer]:
    """Return ``find``, which then keeps its answers, in ``KEPT * LONGEST`` characters at most.

    ``length`` tells how many characters there are in what is asked for. For one thread at a time.
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
