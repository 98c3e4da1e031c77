"""A TCP port that is ours before anything listens on it, and that nobody else gets meanwhile.

::

    with HeldPort() as port:
        connect("127.0.0.1", port.number)      # refused: it is bound, and nothing listens
        start_server(port.number)              # a server that sets SO_REUSEADDR may listen on it all the same

A port that is only looked for and let go again may be given to any program in between: to one that listens on
a port of the system's choice, or to one that connects to somewhere.
"""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack
from types import TracebackType
from typing import Final, Self

LOOPBACK: Final = "127.0.0.1"
ROWS: Final = range(20_000, 32_000)
"""Where rows of ports are looked for: below the ports of the system's choice, which begin at 32,768."""


class HeldPort:
    """A port of the system's choice on one address, held until ``release``; may be used as a context manager.

    Linux lets a server listen on it if that has set SO_REUSEADDR, as Erlang's do: of all sockets bound to a
    port with that option, one may listen. Whoever asks for any free port is given another one.
    """

    def __init__(self, address: str = LOOPBACK) -> None:
        self._address = address
        self._socket: socket.socket | None = None
        self.number = 0
        self.hold()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def hold(self) -> None:
        """Hold the same port again after a release; raises ``OSError`` if it was given away."""
        if self._socket is None:
            self._socket = socket.socket()
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind((self._address, self.number))
            self.number = self._socket.getsockname()[1]

    def release(self) -> None:
        """Give it back; releasing twice changes nothing."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class HeldRow:
    """Free UDP ports in a row, starting at ``first``, which no other test is given; a context manager.

    A server of datagrams cannot listen on a port that is held by a socket. What is held is a name for each
    row, an abstract Unix socket that the system closes with its process; and nobody is given ports of these
    numbers by the system.
    """

    def __init__(self, count: int, address: str = LOOPBACK) -> None:
        self._name = socket.socket(socket.AF_UNIX)
        begin = ROWS[os.getpid() * count % len(ROWS)] // count * count
        for first in (*range(begin, ROWS.stop - count, count), *range(ROWS.start, begin, count)):
            if self._is_claimed(first, count) and _are_free(address, range(first, first + count)):
                self.first = first
                return
        self._name.close()
        raise OSError(f"no {count} UDP ports in a row are free")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._name.close()

    def _is_claimed(self, first: int, count: int) -> bool:
        self._name.close()
        self._name = socket.socket(socket.AF_UNIX)
        try:
            self._name.bind(f"\0farscope-tests-{count}-udp-ports-from-{first}")
        except OSError:
            return False
        return True


def _are_free(address: str, ports: range) -> bool:
    with ExitStack() as stack:
        try:
            for port in ports:
                stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)).bind((address, port))
        except OSError:
            return False
    return True
