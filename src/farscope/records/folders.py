"""Creates folders with the intended permissions, regardless of the umask."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

PRIVATE: Final = 0o700
"""Access for the owner only."""


def make_folder(folder: Path, mode: int = PRIVATE, parent_mode: int = PRIVATE) -> bool:
    """Create ``folder`` and its missing parents; return whether it was created. Existing ones are unchanged.

    Args:
        folder: the folder.
        mode: its exact mode if it is created, including the set-group-id bit.
        parent_mode: mode of the parents that are created, subject to the umask.

    Raises:
        OSError: it cannot be created, or ``folder`` exists and is not a folder.
    """
    missing = []
    for parent in folder.parents:
        if parent.exists():
            break
        missing.append(parent)
    for parent in reversed(missing):
        try:
            # Path.mkdir(parents=True) would create them with all permissions the umask allows.
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
