"""``farscope doctor``: check a log step by step, and say how to fix problems."""

from __future__ import annotations

import os
import socket
import time
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Final

import click

from farscope.cli.options import key_option
from farscope.cli.style import painted, say
from farscope.cli.timespec import DURATION
from farscope.errors import KeyringError, LogError, LogMissing, LogRefused, WireError, WrongKey
from farscope.logs.base import Log, LogReader
from farscope.logs.diagnostics import Check, Severity, fail, ok, warn
from farscope.logs.url import open_log
from farscope.probe.spool.checks import examine_spool, nothing_waits
from farscope.probe.spool.directory import default_spool_root
from farscope.views.text import escape
from farscope.wire.batch import Batch
from farscope.wire.codec import decode_body, encode_body
from farscope.wire.envelope import Flags
from farscope.wire.keys import Keyring, resolve_keyring
from farscope.wire.seal import Opener, Sealer

ROUND_TRIP_S: Final = 10.0
"""Time limit for the test message to come back, in seconds."""

CLOCK_S: Final = 1.0
"""Larger clock differences are reported: steps are still shown in order, but their times are misleading."""

STRANGERS: Final = 4
"""Number of unknown keys that are listed; the rest are only counted: any writer can invent keys."""

SENDERS: Final = 8
"""Number of processes heard that are listed; the rest are only counted."""

COLOURS: Final = {Severity.OK: "green", Severity.WARN: "yellow", Severity.FAIL: "red"}


@click.command()
@click.argument("url", required=False)
@key_option("Key file to seal and open with.")
@click.option(
    "--listen",
    "listen_s",
    type=DURATION,
    default="3s",
    show_default=True,
    metavar="TIME",
    help="How long to listen to others, to compare their clocks with the one of this machine.",
)
@click.option(
    "--spool",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Folder of your programs' spools, if broadcast(spool=...) names one.",
)
def doctor(url: str | None, *, key: Path | None, listen_s: float, spool: Path | None) -> int:
    """Examine a log step by step, and say how to fix what is wrong.

    URL is the address of the log. The default is FARSCOPE_URL, or else the log in your state folder. On a
    broker, a missing exchange or stream is created if the user has the right to. Finally, one sealed message
    without a chart is sent and read back. Batches that wait in spools are reported for all addresses.

    The exit code is 1 if anything failed.
    """
    log = open_log(url)
    say(f"examining {escape(log.url)}")
    failed = False
    spools = default_spool_root() if spool is None else spool
    for check in chain(examine(log, key, listen_s), _examine_spools(spools, expected=log.shared)):
        failed = failed or check.severity is Severity.FAIL
        _show(check)
    return 1 if failed else 0


def examine(log: Log, key: Path | None, listen_s: float) -> Iterator[Check]:
    """Check the log, the key, the round trip of a message, and the clocks of the senders."""
    reachable = True
    for check in log.examine():
        reachable = reachable and check.severity is not Severity.FAIL
        yield check
    keyring: Keyring | None = None
    try:
        keyring = resolve_keyring(key, shared=log.shared)
        yield ok("key", f"seals with {keyring.fingerprints[0]}, opens {len(keyring.fingerprints)}")
    except KeyringError as error:
        yield fail("key", error.message, error.hint or "farscope key new makes one")
    if reachable and keyring is not None:
        yield from _examine_use(log, keyring, listen_s)


def _examine_spools(root: Path | None, *, expected: bool) -> Iterator[Check]:
    if root is None:
        if expected:
            yield warn(
                "spool",
                "there is no home folder to keep one in: what the log does not take waits in memory only",
                "set XDG_STATE_HOME to a folder to write to, or name one with broadcast(spool=...)",
            )
        return
    found = False
    for check in examine_spool(root):
        found = True
        yield check
    if expected and not found:
        yield nothing_waits(root)


def _examine_use(log: Log, keyring: Keyring, listen_s: float) -> Iterator[Check]:
    probe = os.urandom(16)
    try:
        reader = log.reader()
    except LogError as error:
        written = _write(log, keyring, probe)
        alone = written.severity is Severity.WARN
        yield _cannot("read", error, "fine for a user who only broadcasts", alone=alone)
        yield written
        return
    try:
        yield ok("read", "this user may read")
        written = _write(log, keyring, probe)
        yield written
        ear = _Ear(reader, keyring)
        if written.severity is Severity.OK:
            yield _read_back(ear, probe)
        yield from _compare_clocks(ear, probe, listen_s)
        yield from ear.services(probe)
        yield from ear.strangers()
    finally:
        reader.close()


def _write(log: Log, keyring: Keyring, probe: bytes) -> Check:
    now_ns = time.time_ns()
    body = encode_body(
        Batch(
            host=socket.gethostname(),
            pid=os.getpid(),
            started_ns=now_ns,
            sent_ns=now_ns,
            next_number=0,
            numbers=[],
            steps=[],
        )
    )
    writer = log.writer(probe.hex())
    try:
        began = time.monotonic()
        writer.append([Sealer(keyring, probe).seal(0, Flags.HEARTBEAT | Flags.GOODBYE, body)], ROUND_TRIP_S)
        return ok("write", f"a sealed message was stored in {1000 * (time.monotonic() - began):.0f} ms")
    except LogError as error:
        return _cannot("write", error, "fine for a user who only watches")
    finally:
        writer.close()


class _Ear:
    """Receives and classifies incoming batches."""

    def __init__(self, reader: LogReader, keyring: Keyring) -> None:
        self._reader = reader
        self._opener = Opener(keyring)
        self._strangers: Counter[str] = Counter()
        self._senders: dict[bytes, str] = {}
        """What each probe heard calls its process."""
        self._spoilt = 0
        self._why_spoilt = ""

    def batches(self, timeout_s: float) -> Iterator[tuple[bytes, Batch, int]]:
        """Read once; ignore what is not a batch, and count batches sealed with another key."""
        entries = self._reader.read(timeout_s)
        arrived_ns = time.time_ns()
        for entry in entries:
            try:
                header, body = self._opener.open(entry.data)
                batch = decode_body(body, header.probe)
                self._senders[header.probe] = _process(batch)
                yield header.probe, batch, arrived_ns
            except WrongKey as error:
                self._strangers[error.fingerprint] += 1
            except WireError as error:
                self._spoilt += 1
                self._why_spoilt = error.message

    @property
    def heard_strangers(self) -> bool:
        """Whether anything was sealed with another key."""
        return bool(self._strangers)

    def services(self, own: bytes) -> Iterator[Check]:
        """Name the services of other probes, each with its host and process."""
        named = sorted(name for probe, name in self._senders.items() if probe != own)
        if named:
            more = len(named) - SENDERS
            rest = f" and {more:,} more" if more > 0 else ""
            yield ok("services", f"heard {', '.join(named[:SENDERS])}{rest}")

    def strangers(self) -> Iterator[Check]:
        """Report unknown keys, and batches that no key opens."""
        if self._spoilt:
            what = (
                f"heard {self._spoilt:,} that cannot be taken for a batch; the last one: {self._why_spoilt}"
            )
            yield warn(
                "foreign", what, "whatever its steps were, nobody sees them; who may write to this log?"
            )
        named = self._strangers.most_common(STRANGERS)
        for fingerprint, count in named:
            what = f"others seal with another key (fingerprint {fingerprint}; batches heard: {count:,})"
            yield warn(
                "foreign", what, "fine if they are others' charts; compare farscope key show over there"
            )
        if len(self._strangers) > len(named):
            more = len(self._strangers) - len(named)
            yield warn("foreign", f"and batches of {more:,} more keys", "who may write to this log?")


def _read_back(ear: _Ear, probe: bytes) -> Check:
    deadline = time.monotonic() + ROUND_TRIP_S
    try:
        while time.monotonic() < deadline:
            if probe in [batch[0] for batch in ear.batches(0.2)]:
                return ok("message", "sent, read back and opened")
    except LogError as error:
        return fail("message", error.message, error.hint)
    remedy = "is the stream bound to the exchange? farscope doctor as an administrator binds it"
    return fail("message", "the message was stored, but never came", remedy)


def _compare_clocks(ear: _Ear, own: bytes, listen_s: float) -> Iterator[Check]:
    """Compare sending times with the local clock; the least delayed batch of each host counts."""
    offsets: dict[str, float] = {}
    deadline = time.monotonic() + listen_s
    while time.monotonic() < deadline:
        try:
            for probe, batch, arrived_ns in ear.batches(0.2):
                if probe != own:
                    offset = (batch.sent_ns - arrived_ns) / 1e9
                    offsets[batch.host] = max(offset, offsets.get(batch.host, offset))
        except LogError as error:
            yield fail("clocks", error.message, error.hint)
            return
    if not offsets:
        what = "anything this key opens" if ear.heard_strangers else "anything"
        yield ok("clocks", f"nobody sent {what} within {listen_s:g} s, so there is none to compare with")
    for host, offset in sorted(offsets.items()):
        what = f"{host} is {abs(offset):.1f} s {'ahead of' if offset > 0 else 'behind'} this machine"
        if abs(offset) > CLOCK_S:
            yield warn("clocks", what, "set the clocks of both by NTP, for example with chrony")
        else:
            yield ok("clocks", f"{host} agrees within a second")


def _process(batch: Batch) -> str:
    place = f"{batch.host}:{batch.pid}"
    return f"{batch.service} ({place})" if batch.service else place


def _cannot(name: str, error: LogError, unless: str, *, alone: bool = False) -> Check:
    """Report what a user may not do: a warning if this may be intended, a failure if nothing else is left."""
    if isinstance(error, LogMissing) or not isinstance(error, LogRefused):
        return fail(name, error.message, error.hint)
    remedy = f"{unless}; otherwise {error.hint}"
    return fail(name, error.message, remedy) if alone else warn(name, error.message, remedy)


def _show(check: Check) -> None:
    say(f"{painted(f'{check.severity:4}', COLOURS[check.severity])}  {check.name:<10}{escape(check.what)}")
    if check.remedy:
        say(f"{'':16}{escape(check.remedy)}")
