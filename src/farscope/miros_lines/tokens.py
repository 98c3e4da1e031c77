"""The miros format: one Fernet token for each line of text.

A token proves that a holder of the key made it, and when, to the second. It says nothing about order,
repetition or gaps: the limits on accounting that ``docs/howto/miros-programs.md`` describes follow from that.
"""

from __future__ import annotations

import struct
from base64 import urlsafe_b64decode
from binascii import Error as Base64Error
from typing import Final, NamedTuple

from cryptography.fernet import Fernet, InvalidToken

from farscope.errors import Malformed, WrongKey
from farscope.wire.key_reload import KeyReloader
from farscope.wire.keyring import Keyring

SPY: Final = "spy"
TRACE: Final = "trace"
"""Names of the exchanges; ``marked`` encodes each as one byte."""

_MARKS: Final = {SPY: b"S", TRACE: b"T"}
_EXCHANGES: Final = {mark: exchange for exchange, mark in _MARKS.items()}

MAX_TOKEN_BYTES = 256 * 1024
"""Longest token accepted; a longer one is ``Malformed``. Real lines are far shorter."""

VERSION = 0x80
"""The first byte of every Fernet token."""
LEAST_BYTES = 1 + 8 + 16 + 16 + 32
"""Length of the shortest token: version, time, initialization vector, one block and the seal."""


class Line(NamedTuple):
    """A message and the exchange it is sent to or received from."""

    exchange: str
    token: bytes


def marked(line: Line) -> bytes:
    """Encode a line as a reader's entry: one byte for the exchange, then the message."""
    return _MARKS[line.exchange] + line.token


def unmarked(data: bytes) -> Line:
    """Decode an entry made by ``marked``."""
    return Line(_EXCHANGES[data[:1]], data[1:])


class OpenedLine(NamedTuple):
    """A line and the time it was sealed."""

    text: str
    sealed_s: int
    """Seconds since the epoch, by the clock of the machine that sealed it."""


class LineSealer:
    """Makes tokens with a keyring's first key, following its file. Used by one thread at a time."""

    def __init__(self, keyring: Keyring) -> None:
        self._reloader = KeyReloader(keyring)
        self._fernet = Fernet(keyring.sealing.reveal())

    def seal(self, text: str) -> bytes:
        """Return the token for a line."""
        if self._reloader.check_if_due():
            self._fernet = Fernet(self._reloader.keyring.sealing.reveal())
        return self._fernet.encrypt(text.encode("utf-8", "backslashreplace"))


class LineOpener:
    """Opens tokens made with any key of a keyring, following its file. Used by one thread at a time."""

    def __init__(self, keyring: Keyring) -> None:
        self._reloader = KeyReloader(keyring)
        self._take_keys()

    def open(self, token: bytes) -> OpenedLine:
        """Return the line in a token.

        Raises:
            Malformed: not a Fernet token, too long, or the content is not text.
            WrongKey: sealed with a key that is not in the keyring, or altered in transit; a token does not
                tell which.
        """
        sealed_s = _sealed_s(token)
        if self._reloader.check_if_due():
            self._take_keys()
        plain = self._decrypted(token)
        if plain is None and self._reloader.check_now():
            self._take_keys()
            plain = self._decrypted(token)
        if plain is None:
            raise WrongKey(
                "a line sealed with a key that is not in the keyring, or changed on its way",
                "`farscope key show` lists the fingerprints of your keys; ask the sender for the key file",
            )
        try:
            return OpenedLine(plain.decode(), sealed_s)
        except UnicodeDecodeError:
            raise Malformed("a line that is not text") from None

    def _take_keys(self) -> None:
        self._fernets = [Fernet(key.reveal()) for key in self._reloader.keyring.keys]

    def _decrypted(self, token: bytes) -> bytes | None:
        for fernet in self._fernets:
            try:
                return fernet.decrypt(token)
            except InvalidToken:
                continue
        return None


def _sealed_s(token: bytes) -> int:
    if len(token) > MAX_TOKEN_BYTES:
        raise Malformed(f"a token of {len(token)} bytes is over the limit of {MAX_TOKEN_BYTES}")
    try:
        raw = urlsafe_b64decode(token)
    except (Base64Error, ValueError):
        raw = b""
    if len(raw) < LEAST_BYTES or raw[0] != VERSION:
        raise Malformed("not a Fernet token")
    seconds: int = struct.unpack_from(">Q", raw, 1)[0]
    return seconds
