"""Suppresses pika's log messages about farscope's connections, but not those about other connections.

While a broker is down, pika logs about ten lines per connection attempt, as errors with tracebacks.
Farscope raises its own one-line errors, so pika's messages add nothing. They are identified by the
name of the thread that logs them. To see them, set the logger ``farscope`` to ``DEBUG``.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import pika
from pika.adapters.utils.nbio_interface import AbstractIOReference
from pika.adapters.utils.selector_ioloop_adapter import SelectorIOServicesAdapter

THREAD_PREFIX: Final = "farscope-amqp-"
"""How the names of all threads that use pika for farscope begin."""

_FARSCOPE = logging.getLogger("farscope")


class _OtherThreads(logging.Filter):
    """Passes the records of threads that are not farscope's, and all records while it is debugged."""

    def filter(self, record: logging.LogRecord) -> bool:
        del record
        # A logger's filters run on the thread that logs; a record need not contain the thread's name.
        quiet = threading.current_thread().name.startswith(THREAD_PREFIX)
        return not quiet or _FARSCOPE.isEnabledFor(logging.DEBUG)


def _install() -> None:
    # A filter applies to one logger and not to its children; all loggers that connections use exist by now.
    other_threads = _OtherThreads()
    for name in list(logging.root.manager.loggerDict):
        if name == pika.__name__ or name.startswith(f"{pika.__name__}."):
            logging.getLogger(name).addFilter(other_threads)


_install()


class Services(SelectorIOServicesAdapter):  # type: ignore[misc] # pika ships no types
    """pika's services, but name lookups run on a daemon thread with farscope's prefix."""

    def getaddrinfo(  # noqa: PLR0917 - the interface is pika's
        self,
        host: str,
        port: int,
        on_done: Callable[[Any], None],
        family: int = 0,
        socktype: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> AbstractIOReference:
        """Look up ``host``; ``on_done`` receives the result or an exception on the connection's thread."""

        def look_up() -> object:
            return socket.getaddrinfo(
                host=host, port=port, family=family, type=socktype, proto=proto, flags=flags
            )

        return _Lookup(self, look_up, on_done)


class _Lookup(AbstractIOReference):  # type: ignore[misc] # pika ships no types
    """A lookup in progress; everything except the lookup itself runs on the connection's thread."""

    def __init__(
        self, services: Services, look_up: Callable[[], object], on_done: Callable[[Any], None]
    ) -> None:
        self._services = services
        self._look_up = look_up
        self._on_done: Callable[[Any], None] | None = on_done
        # A daemon: a name service that never answers must not keep a program from ending.
        threading.Thread(target=self._run, name=f"{THREAD_PREFIX}lookup", daemon=True).start()

    def cancel(self) -> bool:
        """Suppress the result; return whether it was still pending."""
        on_done, self._on_done = self._on_done, None
        return on_done is not None

    def _run(self) -> None:
        found: object
        try:
            found = self._look_up()
        except Exception as error:  # noqa: BLE001 - the connection's thread converts whatever it is
            found = error
        self._services.add_callback_threadsafe(partial(self._found, found))

    def _found(self, found: object) -> None:
        on_done, self._on_done = self._on_done, None
        if on_done is not None:
            on_done(found)
