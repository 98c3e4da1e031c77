"""What to tell people of batches that were refused: enough to act on, however many there are."""

from __future__ import annotations

from farscope.scope.intake import Refused
from farscope.scope.notice import Notice, NoticeKind

MAX_FINGERPRINTS = 256
"""Foreign keys told one by one; what is sealed with further ones is only counted."""


class Refusals:
    """Tells each foreign key once, any other reason the 1st, 10th, 100th time; not thread-safe."""

    def __init__(self) -> None:
        self._fingerprints: set[str] = set()

    @property
    def fingerprints(self) -> list[str]:
        """Those of the foreign keys, sorted."""
        return sorted(self._fingerprints)

    def tell(self, refused: Refused, count: int) -> list[Notice]:
        """Return what there is to tell of a batch, the ``count``-th of its reason."""
        if refused.fingerprint:
            if refused.fingerprint in self._fingerprints or len(self._fingerprints) >= MAX_FINGERPRINTS:
                return []
            self._fingerprints.add(refused.fingerprint)
        elif str(count).strip("0") != "1":
            return []
        return [Notice(kind=NoticeKind.REFUSED, detail=refused.detail, count=count)]
