"""Errors about permissions or objects missing on a broker, with the commands that fix them."""

from __future__ import annotations

import shlex
from typing import Final

from farscope.errors import LogMissing, LogRefused, LogUnavailable
from farscope.logs.rabbitmq.settings import Settings

AGAIN: Final = "it will be retried"


def permissions(settings: Settings) -> str:
    """Return the administrator commands that grant a user write access, read access, or both."""
    start = f"rabbitmqctl set_permissions -p {shlex.quote(settings.vhost)} {shlex.quote(settings.user)} '^$'"
    write, read, nothing = _exactly(settings.exchange), _exactly(settings.stream), "^$"
    return (
        "set_permissions replaces all rights a user had, so give all that are needed; "
        f"to write and read: {start} '{write}' '{read}'; "
        f"to write only: {start} '{write}' '{nothing}'; to read only: {start} '{nothing}' '{read}'"
    )


def missing(settings: Settings, what: str, *, stream: bool = False) -> LogMissing:
    """Return the error for a missing exchange (or ``stream``) that this user may not create."""
    return LogMissing(
        f"the log is not set up on {settings.place}, and user {settings.user!r} may not do it: {what}",
        "run farscope doctor once with the address of a user who may configure, write and read",
        begins_anew=stream,
    )


def as_temporary(error: LogRefused) -> LogUnavailable:
    """Convert a refusal of a client that was admitted before to a temporary error, so that it keeps retrying.

    This happens while a broker is rebuilt: it comes up first without the user, then without the virtual host,
    then without the stream, or with another certificate. Clients need not be restarted after the repair.
    """
    waiting = LogUnavailable(error.message, f"{error.hint}; {AGAIN}", refused=True)
    waiting.__cause__ = error
    return waiting


def unbound(settings: Settings) -> LogMissing:
    """Return the error for a published batch that was not routed to any queue."""
    return LogMissing(
        f"the exchange {settings.exchange!r} has no stream {settings.stream!r}: nothing would be kept",
        "run farscope doctor once with the address of a user who may configure, write and read",
    )


def _exactly(name: str) -> str:
    return "^" + "".join(mark if mark.isalnum() or mark in "-_" else "\\" + mark for mark in name) + "$"
