"""Key files on disk: read with suspicion, made exclusively, replaced in one go.

Where the platform knows no owners and modes (Windows), the checks of both are left out: there the
folder of the user's profile is what keeps others away.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from pathlib import Path

from farscope.errors import BadKey, KeyFileUnsafe, KeyringError, NoKey

AUTOMATIC_MARK = "# made automatically by farscope, for the log of this machine only"
"""The line that tells a key file farscope made by itself from one somebody made on purpose."""

MAX_KEY_FILE_BYTES = 65_536
"""A larger file is ``KeyFileUnsafe``: it is something else."""

_OWNERS_AND_MODES = hasattr(os, "geteuid")
# Without O_NONBLOCK a pipe in the place of the file would hold us up for ever.
_READ = (
    os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
)
_MAKE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_NO_LINKS = frozenset(
    {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES}
)


def read_key_file(path: Path) -> str:
    """Return the text of a key file after checking what was opened.

    Raises:
        NoKey: there is no such file.
        KeyFileUnsafe: a symbolic link, no regular file, too large, somebody else's, or open to others.
        BadKey: it is not text.
        KeyringError: it cannot be read.
    """
    try:
        descriptor = os.open(path, _READ)
    except FileNotFoundError:
        raise NoKey(f"there is no key file {path}", f"`farscope key new {path}` makes one") from None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise KeyFileUnsafe(
                f"the key file {path} is a symbolic link", "give the path of the file itself", path=str(path)
            ) from None
        raise _cannot("read", path, error) from error
    with os.fdopen(descriptor, "rb") as file:
        _check(path, os.fstat(descriptor))
        data = file.read(MAX_KEY_FILE_BYTES + 1)
    if len(data) > MAX_KEY_FILE_BYTES:
        raise KeyFileUnsafe(
            f"{path} is too large for a key file", "give the path of a key file", path=str(path)
        )
    try:
        return data.decode()
    except UnicodeDecodeError:
        # The cause would carry the file's bytes.
        raise BadKey(f"{path} is not text", "give the path of a key file") from None


def make_key_file(path: Path, text: str) -> None:
    """Make a key file that only its owner can read; of several that try at once, one succeeds.

    Nobody ever sees the file half written. A missing folder is made with mode 0700.

    Raises:
        FileExistsError: there is something at ``path`` already.
        KeyringError: it cannot be made.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(draft, text)
        try:
            _publish(draft, path, text)
        finally:
            draft.unlink(missing_ok=True)
    except FileExistsError:
        raise
    except OSError as error:
        raise _cannot("make", path, error) from error


def replace_key_file(path: Path, text: str) -> None:
    """Put ``text`` in the place of a key file in one go; readers see the old or the new one.

    Raises:
        KeyringError: another replacement is under way, or was cut off; or the file cannot be written.
    """
    # A fixed name, made exclusively, is also the lock: two rotations at once would lose one's key.
    draft = path.with_name(f".{path.name}.new")
    try:
        _write(draft, text)
    except FileExistsError:
        raise KeyringError(
            f"another rotation of {path} is under way, or was cut off", f"if none is running, remove {draft}"
        ) from None
    except OSError as error:
        raise _cannot("write", path, error) from error
    try:
        draft.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise _cannot("write", path, error) from error


def _check(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise KeyFileUnsafe(f"{path} is no regular file", "give the path of a key file", path=str(path))
    if not _OWNERS_AND_MODES:
        return
    if status.st_uid not in (os.geteuid(), 0):
        raise KeyFileUnsafe(
            f"the key file {path} belongs to another user",
            "copy it to a file of your own with mode 600",
            path=str(path),
        )
    if status.st_mode & 0o077:
        raise KeyFileUnsafe(
            f"the key file {path} is open to others (mode {stat.S_IMODE(status.st_mode):04o})",
            f"close it with: chmod 600 {path}; if others may have read it, run: farscope key rotate {path}",
            path=str(path),
        )


def _write(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, _MAKE, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _publish(draft: Path, path: Path, text: str) -> None:
    if os.name == "nt":
        draft.rename(path)  # fails there if the target exists
        return
    try:
        os.link(draft, path, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # A file system without hard links: exclusive all the same, but a reader may come too early.
        _write(path, text)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make a rename last: without it a power cut may bring the old key file back."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _cannot(do: str, path: Path, error: OSError) -> KeyringError:
    return KeyringError(
        f"cannot {do} the key file {path}: {error.strerror or error}", "check path and permissions"
    )
