"""Chooses the keys to use: from an argument, the environment, or the user's key file."""

from __future__ import annotations

import logging
import os
import sys
from functools import cache
from pathlib import Path
from shlex import quote

from farscope.errors import KeyringError, NoKey
from farscope.wire.keyfile import AUTOMATIC_MARK, change_key_file, is_a_folder, make_key_file
from farscope.wire.keyring import Key, Keyring, fingerprint, naming_source, new_key_text

__all__ = [
    "KEY_FILE_VARIABLE",
    "KEY_VARIABLE",
    "Key",
    "Keyring",
    "default_key_path",
    "fingerprint",
    "new_key_file",
    "resolve_keyring",
    "rotate_key_file",
]

KEY_FILE_VARIABLE = "FARSCOPE_KEY_FILE"
KEY_VARIABLE = "FARSCOPE_KEY"

_PURPOSE = "# farscope key file: the first key seals, all open"
_MAKE_ONE = "make one with `farscope key new`, and copy that file to every machine that sends or watches"
_log = logging.getLogger("farscope")


def resolve_keyring(key: Keyring | str | bytes | os.PathLike[str] | None = None, *, shared: bool) -> Keyring:
    """Return the keys to use, from the first of these that is given.

    1. ``key`` itself: a keyring, a key in base64, or the path of a key file.
    2. The file named by ``FARSCOPE_KEY_FILE``.
    3. The key in ``FARSCOPE_KEY``, with a warning through the ``farscope`` logger once per process:
       environments are inherited by children and shown by process tools.
    4. The user's key file, ``default_key_path()``. For a log that is not ``shared`` it is created if
       missing; of processes that start at once, one creates it and all use it. Such an automatic file is
       refused for a shared log: nobody else has its key, so nobody else could read the batches.

    Args:
        key: the caller's ``key`` argument, or None.
        shared: whether the log is reachable from other machines.

    Raises:
        NoKey: the log is shared and there is no deliberately made key, or a named file does not exist.
        KeyFileUnsafe, BadKey, PublicKey: a key was found but is unusable.
    """
    if key is not None:
        return Keyring.of(key)
    if file := os.environ.get(KEY_FILE_VARIABLE):
        return Keyring.load(file)
    if text := os.environ.get(KEY_VARIABLE):
        _warn_of_environment()
        with naming_source(
            KEY_VARIABLE, f"`farscope key new` makes one; name its file in {KEY_FILE_VARIABLE}"
        ):
            return Keyring.from_text(text)
    path = default_key_path()
    return _deliberate(path) if shared else _own(path)


def default_key_path() -> Path:
    """Return the path of the user's key file, whether or not it exists.

    ``$XDG_CONFIG_HOME/farscope/key`` where that variable is an absolute path; otherwise the platform's
    folder for settings: ``~/.config``, ``~/Library/Application Support`` or ``%APPDATA%``.

    Raises:
        NoKey: the user has no home folder.
    """
    configured = os.environ.get("XDG_CONFIG_HOME", "")
    if Path(configured).is_absolute():
        return Path(configured) / "farscope" / "key"
    try:
        home = Path.home()
    except RuntimeError:
        raise NoKey("there is no home folder to keep a key in", f"set {KEY_FILE_VARIABLE}") from None
    folders = {"darwin": home / "Library" / "Application Support", "win32": home / "AppData" / "Roaming"}
    roaming = os.environ.get("APPDATA") if os.name == "nt" else None
    return Path(roaming or folders.get(sys.platform, home / ".config")) / "farscope" / "key"


def new_key_file(path: str | os.PathLike[str] | None = None) -> Keyring:
    """Create a key file with one new key, readable only by its owner; return its keys.

    The keys of an automatically made file are kept as old keys below the new one, so that batches sealed with
    them can still be opened; any other existing file is left alone.

    Raises:
        KeyringError: the file exists already, or cannot be created.
    """
    target = Path(path) if path is not None else default_key_path()
    try:
        make_key_file(target, f"{_PURPOSE}\n{new_key_text()}\n")
    except FileExistsError:
        if target.is_dir():
            raise is_a_folder(target) from None
        if target.is_file() and Keyring.load(target).automatic:
            return rotate_key_file(target)
        raise KeyringError(
            f"{target} already exists",
            f"to put a new key on top: farscope key rotate {quote(str(target))}; or choose another path",
        ) from None
    return Keyring.load(target)


def rotate_key_file(path: str | os.PathLike[str] | None = None, *, drop_old: bool = False) -> Keyring:
    """Add a new key at the top of a key file, or remove the old keys; return its keys. Comments are kept.

    Running programs that use the file pick up the new key within seconds; batches sealed with the old keys
    can still be opened. A file with a new key on top counts as made deliberately.

    Args:
        path: the key file; by default, the user's key file.
        drop_old: instead of adding a key, remove all but the first. A file with one key is left unchanged.

    Raises:
        NoKey: the file does not exist.
        KeyFileUnsafe, BadKey: the file is unusable.
        PublicKey: a key that would be kept is publicly known.
        KeyringError: the file cannot be replaced.
    """
    target = Path(path) if path is not None else default_key_path()
    rotated: list[Keyring] = []

    def changed(text: str) -> str:
        with naming_source(target):
            new = _without_old(text) if drop_old else _with_new(text)
            rotated.append(Keyring.from_text(new))
        return new

    change_key_file(target, changed)
    return rotated[0]


def _with_new(text: str) -> str:
    Keyring.from_text(text)
    comments, keys = _parts(text)
    return "\n".join([*(line for line in comments if line != AUTOMATIC_MARK), new_key_text(), *keys, ""])


def _without_old(text: str) -> str:
    # A public key may be among those removed.
    if len(Keyring.from_text(text, allow_public=True).keys) == 1:
        return text
    comments, keys = _parts(text)
    return "\n".join([*comments, keys[0], ""])


def _parts(text: str) -> tuple[list[str], list[str]]:
    """Return the comments and the keys of a key file's text."""
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line.startswith("#")], [
        line for line in lines if line and not line.startswith("#")
    ]


def _own(path: Path) -> Keyring:
    try:
        return Keyring.load(path)
    except NoKey:
        pass
    try:
        make_key_file(path, f"{AUTOMATIC_MARK}\n{_PURPOSE}\n{new_key_text()}\n")
    except FileExistsError:
        _log.debug("another process made %s at the same moment", path)
    return Keyring.load(path)


def _deliberate(path: Path) -> Keyring:
    try:
        keyring = Keyring.load(path)
    except NoKey:
        raise NoKey("a log that others can reach needs a key that somebody made", _MAKE_ONE) from None
    if keyring.automatic:
        raise NoKey(f"the key in {path} was made automatically, for the log of this machine only", _MAKE_ONE)
    return keyring.deliberate_only()


@cache
def _warn_of_environment() -> None:
    _log.warning(
        "the key comes from %s: other programs may see environment variables; better name a file in %s",
        KEY_VARIABLE,
        KEY_FILE_VARIABLE,
    )
