"""Key files on disk: checked when read, created exclusively, replaced atomically.

``records.secret_file`` defines which files are accepted.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from shlex import quote
from typing import TextIO

from farscope.errors import BadKey, KeyFileUnsafe, KeyringError, NoKey
from farscope.records.folders import make_folder
from farscope.records.secret_file import SecretFile

AUTOMATIC_MARK = "# made automatically by farscope, for the log of this machine only"
"""The line that marks a key file as made automatically by farscope rather than deliberately by a person."""

MAX_KEY_FILE_BYTES = 65_536
"""Maximum size of a key file; a larger file is something else, and raises ``KeyFileUnsafe``."""

_MAKE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_NO_LINKS = frozenset(
    {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES}
)


def read_key_file(path: Path) -> str:
    """Return the text of a key file, after checking the opened file.

    Raises:
        NoKey: the file does not exist.
        KeyFileUnsafe: it is refused for one of the reasons in ``records.secret_file``, or too large.
        BadKey: it is not text.
        KeyringError: it cannot be read.
    """
    try:
        data = _secret(path).read(MAX_KEY_FILE_BYTES)
    except FileNotFoundError:
        raise _missing(path) from None
    except OSError as error:
        raise _cannot("read", path, error) from error
    if len(data) > MAX_KEY_FILE_BYTES:
        raise KeyFileUnsafe(
            f"{path} is too large for a key file", "give the path of a key file", path=str(path)
        )
    try:
        return data.decode()
    except UnicodeDecodeError:
        # The cause would contain the file's bytes.
        raise BadKey(f"{path} is not text", "give the path of a key file") from None


def can_be_followed(path: Path) -> bool:
    """Return whether a key file can be read again later: a pipe can be read only once."""
    return not _secret(path).is_descriptor


def make_key_file(path: Path, text: str) -> None:
    """Create a key file readable only by its owner; of several concurrent attempts, one succeeds.

    The file is never visible half written. A missing folder is created with mode 0700.

    Raises:
        FileExistsError: ``path`` exists already.
        KeyringError: the file cannot be created.
    """
    try:
        draft = _beside(path, secrets.token_hex(8))
        make_folder(path.parent)
    except OSError as error:
        raise _cannot("make", path, error) from error
    try:
        _write(draft, text)
        _publish(draft, path, text)
    except FileExistsError:
        raise
    except OSError as error:
        raise _cannot("make", path, error) from error
    finally:
        draft.unlink(missing_ok=True)
    _sync_folder(path.parent)


def change_key_file(path: Path, change: Callable[[str], str]) -> None:
    """Replace a key file's text with the result of ``change``; readers see either the old or the new text.

    If ``change`` raises, the file is left unchanged.

    Raises:
        KeyringError: another change is in progress, or was interrupted; or the file cannot be written.
        NoKey, KeyFileUnsafe, BadKey: as ``read_key_file``.
    """
    if path.is_symlink():
        # This would replace the link, and leave the file that others read unchanged.
        raise KeyFileUnsafe(
            f"the key file {path} is a symbolic link, which a change would replace",
            "change the file that it leads to, where it is managed",
            path=str(path),
        )
    # The draft has a fixed name and is created exclusively before the file is read, so it is also the lock:
    # if two concurrent rotations both read first, one would lose the other's key.
    try:
        draft = _beside(path, "new")
        descriptor = os.open(draft, _MAKE, 0o600)
    except FileExistsError:
        raise KeyringError(
            f"another change of {path} is under way, or was cut off",
            f"if none is running, remove it with: rm {quote(str(draft))}",
        ) from None
    except FileNotFoundError:
        raise _missing(path) from None
    except OSError as error:
        raise _cannot("change", path, error) from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            _fill(file, change(read_key_file(path)))
        draft.replace(path)
    except BaseException as error:
        # Only here: after the rename, a draft with that name belongs to another process.
        draft.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _cannot("change", path, error) from error
        raise
    _sync_folder(path.parent)


def _secret(path: Path) -> SecretFile:
    return SecretFile(path, "key file", lambda message, hint: KeyFileUnsafe(message, hint, path=str(path)))


def _beside(path: Path, ending: str) -> Path:
    """Return the path of a draft in the same folder, so that it can be renamed or linked."""
    if not path.name:
        raise is_a_folder(path)
    return path.with_name(f".{path.name}.{ending}")


def is_a_folder(path: Path) -> KeyringError:
    """Return the error for a folder given as a key file."""
    return KeyringError(f"{path} is a folder, and keys belong in a file", "give the path of a file in it")


def _write(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, _MAKE, 0o600), "w", encoding="utf-8") as file:
        _fill(file, text)


def _fill(file: TextIO, text: str) -> None:
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
        # A file system without hard links: still exclusive, but a reader may come too early.
        _write(path, text)


def _sync_folder(folder: Path) -> None:
    """Make a rename durable: without this, a power cut may bring the old key file back."""
    if os.name == "nt":
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _cannot("store", folder, error) from error


def _missing(path: Path) -> NoKey:
    return NoKey(f"there is no key file {path}", f"make one with: farscope key new {quote(str(path))}")


def _cannot(do: str, path: Path, error: OSError) -> KeyringError:
    return KeyringError(
        f"cannot {do} the key file {path}: {error.strerror or error}", "check path and permissions"
    )
