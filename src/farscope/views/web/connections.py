"""Limits on connections to the page: their number, and how long one may be idle."""

from __future__ import annotations

import asyncio
import errno
import logging
import sys
import time
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

MAX_CONNECTIONS: Final = 256
"""Connections at a time, or a third of the descriptors of the process if that is less; further ones are cut.
A browser opens six, and the scope needs descriptors for its log."""

DESCRIPTORS_EACH: Final = 3
"""At most one in this many descriptors is used for a connection."""

REQUEST_S: Final = 10.0
"""How long a connection may take to send a whole request, from its beginning or the last answer on."""

TOLD_S: Final = 60.0
"""Time between two lines that say that no connection could be accepted."""

_NO_ROOM: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_log = logging.getLogger("farscope")


class Connection(H11Protocol):
    """One connection, cut when there are too many or it sends no request; see ``H11Protocol``."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as above it
        """Accept a new connection, or cut it."""
        if len(self.connections) >= most_connections():
            self.transport = transport
            transport.abort()
            return
        super().connection_made(transport)
        self._wait_for_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Release the connection's slot."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Handle received bytes."""
        super().data_received(data)
        self._wait_for_request()

    def on_response_complete(self) -> None:
        """Restart the time limit after an answer."""
        super().on_response_complete()
        self._wait_for_request()

    def _wait_for_request(self) -> None:
        answering: RequestResponseCycle | None = self.cycle
        if answering is not None and not answering.response_complete:
            self._stop_waiting()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_S, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class OutOfDescriptors:
    """Reports occasionally, in one line, that no connection can be accepted; other errors as usual."""

    def __init__(self) -> None:
        self._told_s = float("-inf")

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Handle an error of an event loop, which waits a second before it accepts again."""
        error = context.get("exception")
        if not (isinstance(error, OSError) and error.errno in _NO_ROOM and "socket" in context):
            loop.default_exception_handler(context)
            return
        now_s = time.monotonic()
        if now_s - self._told_s >= TOLD_S:
            self._told_s = now_s
            _log.warning("no connection can be accepted at the moment: %s", error.strerror)


def most_connections() -> int:
    """Return the maximum number of simultaneous connections in this process."""
    if sys.platform == "win32":
        return MAX_CONNECTIONS
    else:  # noqa: RET505 - what is of one system only is checked for that one
        import resource  # noqa: PLC0415 - there is none on Windows

        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft == resource.RLIM_INFINITY:
            return MAX_CONNECTIONS
        return max(1, min(MAX_CONNECTIONS, soft // DESCRIPTORS_EACH))
