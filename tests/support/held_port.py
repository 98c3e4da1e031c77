"""A TCP port that is ours before anything listens on it, and that nobody else gets meanwhile.

::

    with HeldPort() as port:
        connect("127.0.0.1", port.number)      # refused: it is bound, and nothing listens
        start_server(port.number)              # a server that sets SO_REUSEADDR may listen on it all the same

A port that is only looked for and let go again may be given to any program in between: to one that listens on
a port of the system's choice, or to one that connects to somewhere.
"""

from __future__ import annotations

import socket
from types import TracebackType
from typing import Final, Self

LOOPBACK: Final = "127.0.0.1"


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
