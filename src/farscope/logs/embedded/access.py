"""Read access to an embedded log: only the owner, unless the address grants more."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from farscope.errors import LogRefused
from farscope.records.folders import PRIVATE, make_folder

if sys.platform != "win32":
    import grp

OWNER: Final = "owner"
GROUP: Final = "group"
ALL: Final = "all"


class Access(NamedTuple):
    """``readers=`` of an address: ``owner``, ``group`` (the folder's), ``all``, or the name of a group.

    Only the owner of a file may ever write to it.
    """

    readers: str = OWNER

    @property
    def file_mode(self) -> int:
        """Permission bits of a file."""
        return {OWNER: 0o600, ALL: 0o644}.get(self.readers, 0o640)

    @property
    def folder_mode(self) -> int:
        """Permission bits of the folder, if the log creates it."""
        return {OWNER: PRIVATE, ALL: 0o755}.get(self.readers, 0o750 | stat.S_ISGID)

    def make_folder(self, folder: Path) -> None:
        """Create ``folder`` unless it exists.

        Raises:
            OSError: it cannot be created.
            LogRefused: the requested readers cannot be given access.
        """
        group = self._group()
        made = make_folder(folder, self.folder_mode, PRIVATE if self.readers == OWNER else 0o755)
        if made and group is not None and sys.platform != "win32":
            self._give(lambda: os.chown(folder, -1, group))
            folder.chmod(self.folder_mode)  # a change of owner clears the set-group-id bit

    def apply(self, descriptor: int) -> None:
        """Set the permissions of a newly created file; raises like ``make_folder``."""
        if sys.platform != "win32" and self.readers != OWNER:
            group = self._group()
            if group is not None:
                self._give(lambda: os.fchown(descriptor, -1, group))
            os.fchmod(descriptor, self.file_mode)

    def _give(self, change: Callable[[], None]) -> None:
        try:
            change()
        except PermissionError as error:
            raise LogRefused(
                f"this user may not give files to the group {self.readers!r}",
                "make this user a member of the group, or use readers=group in a set-group-id folder",
            ) from error

    def _group(self) -> int | None:
        """Return the id of the group named in ``readers``, or None if it names none."""
        if sys.platform != "win32" and self.readers not in {OWNER, GROUP, ALL}:
            try:
                return grp.getgrnam(self.readers).gr_gid
            except KeyError as error:
                raise LogRefused(
                    f"there is no group {self.readers!r} on this machine",
                    "readers= takes owner, group, all, or the name of a group",
                ) from error
        return None
