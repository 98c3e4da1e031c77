"""Maps the arguments of ``broadcast`` to the transport that sends the batches."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple, TypeAlias

from farscope.errors import UsageError
from farscope.logs.base import NetworkLog
from farscope.logs.url import open_log
from farscope.probe.backoff import LOGGER
from farscope.probe.spool.directory import default_spool_root
from farscope.probe.spool.transport import SpoolTransports
from farscope.probe.transport import SealedTransport, TransportMaker
from farscope.wire.keys import Keyring, resolve_keyring
from farscope.wire.registry import BATCHES, WIRES, load

AnyKey: TypeAlias = Keyring | str | bytes | os.PathLike[str] | None
SpoolPlace: TypeAlias = str | os.PathLike[str] | bool | None
"""Where batches wait while a network log is unreachable: a folder, True for the user's, False for none."""


class Route(NamedTuple):
    """How steps reach their destination."""

    make_transport: TransportMaker
    address: str
    """The destination, without a password."""


def route(url: str | None, key: AnyKey, wire: str, spool: SpoolPlace) -> Route:
    """Return the route to ``url``; touches nothing but the key file.

    Raises:
        BadUrl, LogRefused: the address is invalid or unusable.
        KeyringError: there is no key, or it may not be used.
        UsageError: the wire is unknown, or there is no home folder for the spool's path.
    """
    if wire not in WIRES:
        known = " or ".join(f'wire="{name}"' for name in WIRES)
        raise UsageError(f"unknown wire format {wire!r}", f"use {known}")
    if wire != BATCHES:
        other: Route = load(wire, "transport").route(url, resolve_keyring(key, shared=True))
        return other
    log = open_log(url)
    keyring = resolve_keyring(key, shared=log.shared)
    root = _spool_root(spool) if isinstance(log, NetworkLog) else None
    if root is not None and isinstance(log, NetworkLog):
        return Route(SpoolTransports(log, keyring, root), log.url)
    return Route(lambda probe: SealedTransport(log.writer(probe.hex()), keyring, probe), log.url)


def _spool_root(spool: SpoolPlace) -> Path | None:
    if spool is None or spool is False:
        return None
    if spool is True:
        root = default_spool_root()
        if root is None:
            LOGGER.warning(
                "no spool: there is no home folder to keep one in, so what a network log does not take "
                "waits in memory only; set XDG_STATE_HOME, or name a folder with broadcast(spool=...)"
            )
        return root
    try:
        return Path(spool).expanduser()
    except RuntimeError as error:
        raise UsageError(
            f"the home folder in {os.fspath(spool)} is not known", "write an absolute path, or set HOME"
        ) from error
