"""Secret files: opened only if readable by nobody but their owner, or a group chosen by root.

Accepted are:

* a regular file owned by this user or root and closed to everybody else (mode 0600 or 0400);
* a file owned by root with mode 0440 whose group is one of this process's groups, as Kubernetes mounts a
  Secret for a pod with an ``fsGroup``, or that is in systemd's credentials directory, where the group bits
  represent an access control list with only the service's user;
* a symbolic link to such a file, if root owns the link and its folder and nobody else can replace the link:
  Kubernetes and systemd create such links;
* an inherited descriptor, ``/dev/fd/N`` or ``/dev/stdin``, that is a pipe owned by this user, as a shell
  makes for ``<(command)``, or one of the files above.

Everything else is refused: a named pipe would block the caller, and a link in a folder writable by others
could be redirected to another file between check and read. On platforms without owners and modes (Windows),
neither is checked: there, the user's profile folder keeps others out.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from shlex import quote
from typing import Final, NamedTuple

from farscope.errors import FarscopeError

CREDENTIALS_VARIABLE: Final = "CREDENTIALS_DIRECTORY"
"""Environment variable naming the folder where systemd keeps a service's credentials."""

MAX_LINKS: Final = 8
"""Maximum number of symbolic links followed to a file; a longer chain is refused as possibly endless."""

ATTEMPTS: Final = 3
"""How often a path is followed again if a link's target is gone: Kubernetes swaps links at a rotation."""

Stamp = tuple[int, ...]
"""Two different stamps of a path mean the file was replaced, written, or opened to others in between."""

Refusing = Callable[[str, str], FarscopeError]
"""Makes the error for a refused file from a message and a hint."""

_OWNERS_AND_MODES: Final = hasattr(os, "geteuid")
# Without O_NONBLOCK, opening a pipe in place of the file would block forever.
_READ: Final = (
    os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
)
_IS_A_LINK: Final = frozenset({errno.ELOOP, errno.EMLINK})
_DESCRIPTOR: Final = re.compile(r"/(?:dev|proc/self)/fd/(?P<number>\d{1,9})")
_OTHERS: Final = 0o077
_SHARED_BY_ROOT: Final = 0o440


class SecretFile(NamedTuple):
    """A secret file: its path, and its name in messages."""

    path: Path
    kind: str
    """The kind of file as named in messages, for example ``key file``."""
    refused: Refusing

    @property
    def is_descriptor(self) -> bool:
        """Whether the path names an inherited descriptor, which can be read only once."""
        return _descriptor_number(self.path) is not None

    def read(self, max_bytes: int) -> bytes:
        """Return the content, at most ``max_bytes`` + 1 bytes, so that callers can detect a longer one.

        A pipe is read to its end, which may take as long as the command that writes to it.

        Raises:
            OSError: the file cannot be read.
            FarscopeError: the file is refused; made by ``refused``.
        """
        descriptor = self._open()
        try:
            self._check(os.fstat(descriptor))
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                return file.read(max_bytes + 1)
        finally:
            os.close(descriptor)

    def _open(self) -> int:
        number = _descriptor_number(self.path)
        if number is not None:
            return os.dup(number)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return os.open(self._followed(), _READ)
            except FileNotFoundError:
                if attempt == ATTEMPTS or not self.path.is_symlink():
                    raise
            except OSError as error:
                if error.errno in _IS_A_LINK:
                    raise self._is_a_link(self.path) from None
                raise
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.path))

    def _followed(self) -> Path:
        """Return the path's final target, after checking that only root controls each link on the way."""
        path, links = self.path, 0
        rest: list[str] = []
        while True:
            if path.is_symlink():
                links += 1
                if links > MAX_LINKS or not _only_root_may_replace(path):
                    raise self._is_a_link(path)
                target = path.readlink()
                # Parts of a target may be links themselves: each is checked in turn.
                start = Path(target.anchor) if target.is_absolute() else path.parent
                rest = [*target.relative_to(target.anchor).parts, *rest]
                path = start
            if not rest:
                return path
            path = path / rest.pop(0)

    def _check(self, status: os.stat_result) -> None:
        piped = self.is_descriptor and stat.S_ISFIFO(status.st_mode)
        if not stat.S_ISREG(status.st_mode) and not piped:
            raise self.refused(f"{self.path} is not a regular file", f"give the path of a {self.kind}")
        if not _OWNERS_AND_MODES:
            return
        if sys.platform != "win32" and status.st_uid not in (os.geteuid(), 0):
            raise self.refused(
                f"the {self.kind} {self.path} belongs to another user",
                "copy it to a file of your own with mode 600",
            )
        if status.st_mode & _OTHERS and not self._is_shared_by_root(status):
            raise self.refused(
                f"the {self.kind} {self.path} is open to others (mode {stat.S_IMODE(status.st_mode):04o})",
                self._how_to_close(status),
            )

    def _is_shared_by_root(self, status: os.stat_result) -> bool:
        """Return whether root opened the file to one of this process's groups, or as a service credential."""
        if status.st_uid != 0 or stat.S_IMODE(status.st_mode) | _SHARED_BY_ROOT != _SHARED_BY_ROOT:
            return False
        return _is_in_group(status.st_gid) or self._is_credential()

    def _is_credential(self) -> bool:
        named = os.environ.get(CREDENTIALS_VARIABLE)
        if not named or self.path.absolute().parent != Path(named):
            return False
        folder = Path(named).stat()
        return folder.st_uid == 0 and not folder.st_mode & (stat.S_IWGRP | stat.S_IWOTH)

    def _how_to_close(self, status: os.stat_result) -> str:
        if sys.platform != "win32" and status.st_uid != os.geteuid():
            return "have root give it mode 0440 and a group of this process, or give a file of your own"
        return f"close it with: chmod 600 {quote(str(self.path))}"

    def _is_a_link(self, link: Path) -> FarscopeError:
        what = "is" if link == self.path else f"leads through {link},"
        return self.refused(
            f"the {self.kind} {self.path} {what} a symbolic link that others may replace",
            "give the path of the file itself; links are followed in folders that only root can change",
        )


def stamp_of(path: Path) -> Stamp | None:
    """Return the stamp of the file at ``path``; None if unavailable, for example because it does not exist.

    The stamp covers both a symbolic link and its target.
    """
    try:
        return (*_marks(path.lstat()), *_marks(path.stat()))
    except OSError:
        return None


def _marks(status: os.stat_result) -> Stamp:
    times = (status.st_mtime_ns, status.st_ctime_ns)
    return (status.st_dev, status.st_ino, status.st_size, status.st_mode, status.st_uid, *times)


def _descriptor_number(path: Path) -> int | None:
    if str(path) == "/dev/stdin":
        return 0
    match = _DESCRIPTOR.fullmatch(str(path))
    return int(match["number"]) if match else None


def _only_root_may_replace(link: Path) -> bool:
    """Return whether root owns a link and its folder, and nobody else may remove or rename the link."""
    folder, status = link.parent.stat(), link.lstat()
    if folder.st_uid != 0 or status.st_uid != 0:
        return False
    # In a sticky folder, as mounted by Kubernetes, others may add names but not replace root's.
    return bool(folder.st_mode & stat.S_ISVTX) or not folder.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _is_in_group(group: int) -> bool:
    return sys.platform != "win32" and (group == os.getegid() or group in os.getgroups())
