"""Keys and keyrings as values: parsed from text, identified by fingerprint, never shown."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, NoReturn

from farscope.errors import BadKey, KeyringError, PublicKey
from farscope.records.secret_file import Stamp, stamp_of
from farscope.wire.envelope import KEY_ID_BYTES
from farscope.wire.keyfile import AUTOMATIC_MARK, can_be_followed, read_key_file

KEY_BYTES = 32
KEY_ID_DOMAIN = b"farscope key id\x00"

MAX_KEYS = 64
"""Maximum number of keys in a keyring; more raise ``BadKey``: remove old ones."""

_KEY_TEXT = re.compile(r"[A-Za-z0-9_-]{43}=")
_NEW_KEY = "`farscope key new` makes one; for a key file give a pathlib.Path"
_NEW_FILE = "give the path of a key file; `farscope key new PATH` makes one"

# SHA-256 of keys that were printed in public documents: a hash, so that the key is not spread further.
_PUBLIC_KEYS = frozenset({"abe51c58132457cf986a7cc4b8cca75247bf6b85486af48e7e20bffc6e69a71e"})


def new_key_text() -> str:
    """Return a new random key in URL-safe base64."""
    return base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode()


class Key:
    """A 32-byte key. Its repr shows only its fingerprint, and it cannot be pickled or copied."""

    __slots__ = ("id", "secret")

    id: bytes
    """8 bytes that identify the key: a hash, which reveals nothing about it."""
    secret: bytes

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise BadKey(f"a key has {KEY_BYTES} bytes, not {len(secret)}", _NEW_KEY)
        self.secret = secret
        self.id = hashlib.sha256(KEY_ID_DOMAIN + secret).digest()[:KEY_ID_BYTES]

    @property
    def fingerprint(self) -> str:
        """The key's id in hex: safe to show, and included in batches in clear."""
        return self.id.hex()

    def reveal(self) -> str:
        """Return the key itself in URL-safe base64, which is also the form Fernet takes."""
        return base64.urlsafe_b64encode(self.secret).decode()

    def __repr__(self) -> str:
        return f"Key({self.fingerprint})"

    def __reduce__(self) -> NoReturn:
        raise KeyringError("a key cannot be pickled or copied", "hand over the path of its file instead")


class KeyFile(NamedTuple):
    """The origin of a keyring, which lets long-running users read it again."""

    path: Path
    stamp: Stamp | None
    """The file's stamp when it was read."""
    deliberate: bool = False
    """Whether automatically made keys are not acceptable."""


class Keyring:
    """Keys in order: the first seals, all open. Immutable, thread-safe; its repr shows fingerprints only."""

    __slots__ = ("automatic", "file", "keys")

    keys: tuple[Key, ...]
    automatic: bool
    """Whether its file was made automatically by farscope, for this machine's log only."""
    file: KeyFile | None
    """The file it was read from, which sealers and openers reload when it changes. None for a pipe."""

    def __init__(self, keys: Iterable[Key], *, automatic: bool = False, file: KeyFile | None = None) -> None:
        self.keys = tuple({key.id: key for key in keys}.values())
        self.automatic = automatic
        self.file = file
        if not self.keys:
            raise BadKey("a keyring needs at least one key", _NEW_KEY)
        if len(self.keys) > MAX_KEYS:
            raise BadKey(f"a keyring holds at most {MAX_KEYS} keys", "drop the old ones")

    @classmethod
    def from_text(cls, text: str, *, allow_public: bool = False) -> Keyring:
        """Read keys, one per line; empty lines and lines that start with ``#`` are skipped.

        Args:
            text: the content of a key file.
            allow_public: also accept the key printed in the miros example. That key is publicly known: use
                this only for tests of the miros message format.

        Raises:
            BadKey: a line is not a key; the message gives its number, never its content.
            PublicKey: a key is publicly known.
        """
        lines = [line.strip() for line in text.splitlines()]
        return cls(
            [_key(line, n, allow_public) for n, line in enumerate(lines, 1) if line and line[0] != "#"],
            automatic=AUTOMATIC_MARK in lines,
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Keyring:
        """Read a key file.

        Raises:
            NoKey: the file does not exist.
            KeyFileUnsafe: it is refused for one of the reasons in ``records.secret_file``.
            BadKey, PublicKey: as ``from_text``.
        """
        target = Path(path)
        # Taken before reading: a write in between makes the next check read again.
        file = KeyFile(target.absolute(), stamp_of(target)) if can_be_followed(target) else None
        text = read_key_file(target)
        with naming_source(target):
            read = cls.from_text(text)
        return cls(read.keys, automatic=read.automatic, file=file)

    @classmethod
    def of(cls, key: Keyring | str | bytes | os.PathLike[str]) -> Keyring:
        """Return the keyring for any value of a ``key=`` argument.

        A keyring is returned as is; text or bytes are keys in base64; a path is a key file.
        """
        if isinstance(key, Keyring):
            return key
        if isinstance(key, str):
            return cls.from_text(key)
        if isinstance(key, bytes):
            return cls.from_text(key.decode("ascii", "replace"))
        return cls.load(key)

    def deliberate_only(self) -> Keyring:
        """Return the same keys, marked so that a reload never accepts automatically made ones."""
        file = self.file and self.file._replace(deliberate=True)
        return Keyring(self.keys, automatic=self.automatic, file=file)

    @property
    def sealing(self) -> Key:
        """The key that seals."""
        return self.keys[0]

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the key that seals."""
        return self.keys[0].fingerprint

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """The fingerprints of all keys, the sealing one first."""
        return tuple(key.fingerprint for key in self.keys)

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self.fingerprints)})"

    def __reduce__(self) -> NoReturn:
        raise KeyringError("a keyring cannot be pickled or copied", "hand over the path of its file instead")


@contextmanager
def naming_source(place: object, hint: str = _NEW_FILE) -> Iterator[None]:
    """Add the place keys were read from to errors about them; ``hint`` says how to put a key there.

    Raises:
        BadKey, PublicKey: the error raised inside, with the place added.
    """
    try:
        yield
    except BadKey as error:
        # The forms of a call's argument are irrelevant for a key in a file or a variable.
        remedy = hint if error.hint == _NEW_KEY else error.hint
        raise BadKey(f"{place}: {error.message}", remedy) from None
    except PublicKey as error:
        raise PublicKey(f"{place}: {error.message}", error.hint) from None


def fingerprint(key: Keyring | str | bytes | os.PathLike[str]) -> str:
    """Return the fingerprint of the key that seals."""
    return Keyring.of(key).fingerprint


def _key(line: str, number: int, allow_public: bool) -> Key:
    if not _KEY_TEXT.fullmatch(line):
        raise BadKey(
            f"line {number} is not a key: it needs {KEY_BYTES} bytes in URL-safe base64, 44 characters",
            _NEW_KEY,
        )
    secret = base64.urlsafe_b64decode(line)
    if not allow_public and hashlib.sha256(secret).hexdigest() in _PUBLIC_KEYS:
        raise PublicKey(
            "this key is printed in a public document, so everybody has it",
            "`farscope key new` makes one of your own",
        )
    return Key(secret)
