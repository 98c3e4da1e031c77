"""What is put right around a fork, on systems that fork."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable


def _nothing() -> None:
    """Nothing is to be done."""


def at_fork(
    *,
    before: Callable[[], object] = _nothing,
    in_parent: Callable[[], object] = _nothing,
    in_child: Callable[[], object] = _nothing,
) -> None:
    """Call these whenever this process forks, for good; on Windows, where none does, nothing is done.

    Args:
        before: called first, in reverse order of registering.
        in_parent: called behind the fork in the process that forked, in order of registering.
        in_child: the same in the new process, whose only thread is the one that forked.
    """
    if sys.platform != "win32":
        os.register_at_fork(before=before, after_in_parent=in_parent, after_in_child=in_child)
