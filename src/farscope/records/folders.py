"""Making folders with the rights they are meant to have, whatever the umask is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

PRIVATE: Final = 0o700
"""For the owner only."""


def make_folder(folder: Path, mode: int = PRIVATE, parent_mode: int = PRIVATE) -> bool:
    """Make ``folder`` and the parents it lacks; return whether it was made. What is there stays as it is.

    Args:
        folder: the folder.
        mode: its rights, bit by bit, if it is made; those of the set-group-id bit included.
        parent_mode: rights of the parents that are made; the umask may take some of them away.

    Raises:
        OSError: it cannot be made, or something else is in its place.
    """
    missing = []
    for parent in folder.parents:
        if parent.exists():
            break
        missing.append(parent)
    for parent in reversed(missing):
        try:
            # Path.mkdir(parents=True) would make them with all rights that the umask leaves.
            parent.mkdir(mode=parent_mode)
        except FileExistsError:
            continue
    try:
        folder.mkdir(mode=mode & 0o777)
    except FileExistsError:
        if not folder.is_dir():
            raise
        return False
    if mode != PRIVATE:
        os.chmod(folder, mode)  # noqa: PTH101 - not a link: it was made a moment ago
    return True
