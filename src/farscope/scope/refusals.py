"""Notices about refused batches: enough to act on, however many batches are refused."""

from __future__ import annotations

from farscope.scope.intake import Refused
from farscope.scope.notice import Notice, NoticeKind

MAX_FINGERPRINTS = 256
"""Foreign keys reported individually; batches sealed with further ones are only counted."""


class Refusals:
    """Reports each foreign key once, any other reason the 1st, 10th, 100th time; not thread-safe."""

    def __init__(self) -> None:
        self._fingerprints: set[str] = set()

    @property
    def fingerprints(self) -> list[str]:
        """Fingerprints of the foreign keys, sorted."""
        return sorted(self._fingerprints)

    def tell(self, refused: Refused, count: int) -> list[Notice]:
        """Return the notices for a refused batch, the ``count``-th for its reason."""
        if refused.fingerprint:
            if refused.fingerprint in self._fingerprints or len(self._fingerprints) >= MAX_FINGERPRINTS:
                return []
            self._fingerprints.add(refused.fingerprint)
        elif str(count).strip("0") != "1":
            return []
        return [Notice(kind=NoticeKind.REFUSED, detail=refused.detail, count=count)]
