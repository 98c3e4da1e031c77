"""Seals bodies and opens sealed batches: AES-256-GCM with a separate key for each probe.

Each probe's key comes from the shared key by HKDF-SHA256, salted with the probe id, so that no two
processes ever encrypt under one key. Nonces are random. 96 random bits are enough for 2**32
batches under one key (NIST SP 800-38D), so every 2**32 batch numbers get a separate key.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from farscope.errors import BatchTooLarge, Invariant, Tampered, WrongKey
from farscope.wire.envelope import (
    FORMAT_VERSION,
    HEADER_BYTES,
    MAX_BATCH_BYTES,
    MAX_BATCH_NUMBER,
    NONCE_BYTES,
    OVERHEAD_BYTES,
    PROBE_BYTES,
    Flags,
    Header,
    check_suite,
    peek_header,
)
from farscope.wire.key_reload import KeyReloader
from farscope.wire.keyring import Key, Keyring

KEY_DOMAIN = b"farscope batch key, format 2"
"""Separates batch keys from anything else derived from the same shared key."""

MAX_DERIVED_KEYS = 1_024
"""Maximum number of derived keys an opener caches; then the oldest is dropped, and rederived if needed."""


class Sealer:
    """Seals the batches of one probe with the keyring's first key. Used by one thread at a time.

    The keyring's file is reloaded when it changes, see ``KeyReloader``.
    """

    def __init__(self, keyring: Keyring, probe: bytes) -> None:
        if len(probe) != PROBE_BYTES:
            raise Invariant(f"a probe id has {PROBE_BYTES} bytes, not {len(probe)}")
        self._reloader = KeyReloader(keyring)
        self._key = keyring.sealing
        self._probe = probe
        self._epoch = -1
        self._cipher: AESGCM | None = None

    def seal(self, number: int, flags: Flags, body: bytes) -> bytes:
        """Return the sealed batch. Sealing the same body again gives different bytes.

        Raises:
            BatchTooLarge: the sealed batch would be over ``MAX_BATCH_BYTES``.
        """
        if not 0 <= number <= MAX_BATCH_NUMBER:
            raise Invariant(f"batch number {number} does not fit into 64 bits")
        if len(body) + OVERHEAD_BYTES > MAX_BATCH_BYTES:
            raise BatchTooLarge(
                f"a body of {len(body)} bytes does not fit into a batch of {MAX_BATCH_BYTES}",
                "send fewer steps in one batch",
            )
        if self._reloader.check_if_due():
            self._key = self._reloader.keyring.sealing
            self._cipher = None
        if self._cipher is None or number >> 32 != self._epoch:
            self._epoch = number >> 32
            self._cipher = _derive(self._key, self._probe, self._epoch)
        nonce = os.urandom(NONCE_BYTES)
        head = Header(FORMAT_VERSION, flags, self._key.id, self._probe, number, nonce).pack()
        return head + self._cipher.encrypt(nonce, body, head)


class Opener:
    """Opens batches of any probe sealed with any key of a keyring. Used by one thread at a time.

    The keyring's file is reloaded when it changes, see ``KeyReloader``, and checked before a batch is
    rejected because of its key.
    """

    def __init__(self, keyring: Keyring) -> None:
        self._reloader = KeyReloader(keyring)
        self._keys: dict[bytes, Key] = {}
        self._ciphers: dict[tuple[bytes, bytes, int], AESGCM] = {}
        self._take_keys()

    def open(self, data: bytes) -> tuple[Header, bytes]:
        """Return a batch's header, now verified, and its body, still compressed.

        An authentic batch may be old or a duplicate: the scope detects this by probe and number.

        Raises:
            Malformed: not a batch.
            UnsupportedVersion: it has a format version that this release cannot read.
            UnsupportedSuite: it was sealed in a way that this release does not know.
            WrongKey: it was sealed with a key that is not in the keyring.
            Tampered: the header or body was changed after sealing.
        """
        header = peek_header(data)
        check_suite(header)
        if self._reloader.check_if_due():
            self._take_keys()
        key = self._keys.get(header.key_id)
        if key is None and self._reloader.check_now():
            self._take_keys()
            key = self._keys.get(header.key_id)
        if key is None:
            fingerprint = header.key_id.hex()
            raise WrongKey(
                f"sealed with another key (fingerprint {fingerprint})",
                "`farscope key show` lists the fingerprints of your keys; ask the sender for the key file",
                fingerprint=fingerprint,
            )
        place = (key.id, header.probe, header.number >> 32)
        cipher = self._ciphers.get(place) or _derive(key, header.probe, header.number >> 32)
        try:
            body = cipher.decrypt(header.nonce, data[HEADER_BYTES:], data[:HEADER_BYTES])
        except InvalidTag:
            # The cause adds nothing, and which part was changed cannot be known.
            raise Tampered("the seal of a batch does not hold: it was changed after sealing") from None
        self._keep(place, cipher)
        return header, body

    def _take_keys(self) -> None:
        self._keys = {key.id: key for key in self._reloader.keyring.keys}
        self._ciphers.clear()

    def _keep(self, place: tuple[bytes, bytes, int], cipher: AESGCM) -> None:
        # Only keys of verified batches are cached, so that forged probe ids evict nothing.
        if place not in self._ciphers:
            if len(self._ciphers) >= MAX_DERIVED_KEYS:
                del self._ciphers[next(iter(self._ciphers))]
            self._ciphers[place] = cipher


def _derive(key: Key, probe: bytes, epoch: int) -> AESGCM:
    info = KEY_DOMAIN + epoch.to_bytes(4, "big")
    return AESGCM(HKDF(SHA256(), length=32, salt=probe, info=info).derive(key.secret))
