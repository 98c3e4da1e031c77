"""Suppresses pika's log messages about farscope's connections, but not those about other connections.

While a broker is down, pika logs about ten lines per connection attempt, as errors with tracebacks.
Farscope raises its own one-line errors, so pika's messages add nothing. They are identified by the
thread that logs them: see ``quiet_pika``. To see them, set the logger ``farscope`` to ``DEBUG``.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import pika
from pika.adapters.utils.nbio_interface import AbstractIOReference
from pika.adapters.utils.selector_ioloop_adapter import SelectorIOServicesAdapter

LOOKUP_THREAD: Final = "farscope-amqp-lookup"

_FARSCOPE = logging.getLogger("farscope")
_thread = threading.local()


@contextmanager
def quiet_pika() -> Iterator[None]:
    """Suppress pika's log messages from this thread inside the block."""
    _thread.quiet_pika = True
    try:
        yield
    finally:
        _thread.quiet_pika = False


class _Hush(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        del record
        # A logger's filter is asked on the thread that logs.
        return not getattr(_thread, "hushed", False) or _FARSCOPE.isEnabledFor(logging.DEBUG)


def _install() -> None:
    # A filter holds for one logger and not for those below it; all that our connections use exist by now.
    hush = _Hush()
    for name in list(logging.root.manager.loggerDict):
        if name == pika.__name__ or name.startswith(f"{pika.__name__}."):
            logging.getLogger(name).addFilter(hush)


_install()


class Services(SelectorIOServicesAdapter):  # type: ignore[misc] # pika ships no types
    """pika's services, but name lookups run on a thread that is hushed as well."""

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
        self, services: Services, look_up: Callable[[], object], tell: Callable[[Any], None]
    ) -> None:
        self._services = services
        self._look_up = look_up
        self._tell: Callable[[Any], None] | None = tell
        # A name service that never answers must keep no program from ending.
        threading.Thread(target=self._run, name=LOOKUP_THREAD, daemon=True).start()

    def cancel(self) -> bool:
        """Suppress the result; return whether it was still pending."""
        tell, self._tell = self._tell, None
        return tell is not None

    def _run(self) -> None:
        found: object
        try:
            found = self._look_up()
        except Exception as error:  # noqa: BLE001 - whatever it is, the connection's thread turns it into an error of ours
            found = error
        with quiet_pika():
            self._services.add_callback_threadsafe(partial(self._found, found))

    def _found(self, found: object) -> None:
        tell, self._tell = self._tell, None
        if tell is not None:
            tell(found)
