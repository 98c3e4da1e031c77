"""Reloads a keyring when its file changes, so that key rotation needs no restart."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable

from farscope.errors import KeyringError
from farscope.records.secret_file import Stamp, stamp_of
from farscope.wire.keyring import KeyFile, Keyring

CHECK_S = 2.0
"""How often a key file in use is checked: the maximum delay, counted from the next batch, until a new key
seals and a removed one stops opening batches."""

RETRY_S = 1.0
"""An unusable and unchanged file is not read more often than this, whoever asks."""

_log = logging.getLogger("farscope")

_logged: dict[str, str] = {}
"""Last message logged about each unusable file: several probes and a spool may follow one file."""


class KeyReloader:
    """Provides the current keys of a file; a keyring not read from a file never changes.

    If the file is missing, damaged or accessible to others, the keys read before stay in use. This is logged
    once through the logger ``farscope``, unless the next look finds the file in order, as when it was just
    being copied. Used by one thread at a time.
    """

    def __init__(self, keyring: Keyring, clock: Callable[[], float] = time.monotonic) -> None:
        self.keyring = keyring
        """The keys as last read."""
        self._file = keyring.file
        self._clock = clock
        self._failing: tuple[Stamp | None] | None = None
        self._failed_s = self._checked_s = -math.inf

    def check_if_due(self) -> bool:
        """Check the file if not checked for ``CHECK_S``; return whether its keys have changed."""
        if self._file is None:
            return False
        now_s = self._clock()
        return now_s - self._checked_s >= CHECK_S and self._check(self._file, now_s)

    def check_now(self) -> bool:
        """Check the file because a key is missing; return whether its keys have changed."""
        return self._file is not None and self._check(self._file, self._clock())

    def _check(self, file: KeyFile, now_s: float) -> bool:
        self._checked_s = now_s
        stamp = stamp_of(file.path)
        if stamp is not None and stamp == file.stamp:
            return False
        if self._failing == (stamp,) and now_s - self._failed_s < RETRY_S:
            return False
        try:
            found = _read(file)
        except KeyringError as error:
            self._failed(error, file, stamp, now_s)
            return False
        return self._adopt(found, file)

    def _adopt(self, found: Keyring, file: KeyFile) -> bool:
        changed = found.fingerprints != self.keyring.fingerprints
        self.keyring, self._file, self._failing = found, found.file, None
        _logged.pop(str(file.path), None)
        if changed:
            _log.info("the key file %s has changed: it seals with %s", file.path, found.fingerprint)
        return changed

    def _failed(self, error: KeyringError, file: KeyFile, stamp: Stamp | None, now_s: float) -> None:
        again, self._failing, self._failed_s = self._failing == (stamp,), (stamp,), now_s
        name, said = str(file.path), error.message
        if again and _logged.get(name) != said:
            _logged[name] = said
            _log.warning("%s; what was read from it before stays in use (%s)", said, error.hint)


def _read(file: KeyFile) -> Keyring:
    """Read a key file again.

    Raises:
        KeyringError: it is unusable, or may not replace the keys read before.
    """
    found = Keyring.load(file.path)
    if not file.deliberate:
        return found
    if found.automatic:
        raise KeyringError(
            f"the keys in {file.path} were made automatically, for the log of this machine only",
            "bring the key file that the others have",
        )
    return found.deliberate_only()
