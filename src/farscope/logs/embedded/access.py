"""Who besides the owner may read an embedded log: nobody, unless the address says so."""

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

    Nobody but the owner of a file ever gets the right to write it.
    """

    readers: str = OWNER

    @property
    def file_mode(self) -> int:
        """Rights of a file."""
        return {OWNER: 0o600, ALL: 0o644}.get(self.readers, 0o640)

    @property
    def folder_mode(self) -> int:
        """Rights of the folder where the log makes it."""
        return {OWNER: PRIVATE, ALL: 0o755}.get(self.readers, 0o750 | stat.S_ISGID)

    def make_folder(self, folder: Path) -> None:
        """Make ``folder`` unless it is there.

        Raises:
            OSError: it cannot be made.
            LogRefused: it cannot have the readers it should.
        """
        group = self._group()
        made = make_folder(folder, self.folder_mode, PRIVATE if self.readers == OWNER else 0o755)
        if made and group is not None and sys.platform != "win32":
            self._give(lambda: os.chown(folder, -1, group))
            folder.chmod(self.folder_mode)  # a change of owner takes the set-group-id bit away

    def apply(self, descriptor: int) -> None:
        """Give a file that was just made its rights; raises like ``make_folder``."""
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
        """Return the number of the group that was named, None if none was."""
        if sys.platform != "win32" and self.readers not in {OWNER, GROUP, ALL}:
            try:
                return grp.getgrnam(self.readers).gr_gid
            except KeyError as error:
                raise LogRefused(
                    f"there is no group {self.readers!r} on this machine",
                    "readers= takes owner, group, all, or the name of a group",
                ) from error
        return None
