"""Runs the server of the page until it is terminated."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Final

import uvicorn

from farscope.errors import UsageError
from farscope.scope.playback.time_index import TimeIndex
from farscope.scope.scope import Scope
from farscope.views.web.app import make_app
from farscope.views.web.connections import Connection, OutOfDescriptors
from farscope.views.web.live_model import LiveModel
from farscope.views.web.time_travel import Recorded

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")

DEFAULT_PORT: Final = 8270
"""Tried first, so that the address can be bookmarked; if it is taken, any free port is used."""

ENDING_S: Final = 2
"""How long open connections may take to end before they are cut."""

BACKLOG: Final = 64
"""Connections that may wait to be accepted; the system rejects further ones."""


def is_loopback(host: str) -> bool:
    """Return whether an address can be reached only from this machine."""
    return host in LOOPBACK


def bind(host: str, port: int | None) -> socket.socket:
    """Return a socket bound to an address; None is ``DEFAULT_PORT`` if it is free, else any free port.

    Raises:
        UsageError: the address does not belong to this machine, or the port is taken or not allowed.
    """
    if port is None:
        try:
            return _bound(host, DEFAULT_PORT)
        except UsageError:
            return _bound(host, 0)
    return _bound(host, port)


def serve(
    scope: Scope, listener: socket.socket, *, host: str, token: str | None, seek: TimeIndex | None = None
) -> None:
    """Serve the page on ``listener`` until SIGINT or SIGTERM; call it on the main thread.

    ``seek`` is entered, and goes to any moment of the recording that the scope reads; None where it reads
    something else. The signal is raised again at the end, for a previously
    installed handler.

    Raises:
        Exception: the error that ended the following of the scope.
    """
    with LiveModel(scope, recorded=None if seek is None else Recorded(seek)) as model:
        port = listener.getsockname()[1]
        app = make_app(model, host=host, port=port, token=token, ending=lambda: server.should_exit)
        config = uvicorn.Config(
            app,
            http=Connection,
            backlog=BACKLOG,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=ENDING_S,
        )
        server = uvicorn.Server(config)
        asyncio.run(_serve(server, listener))
    if model.failure is not None:
        raise model.failure


async def _serve(server: uvicorn.Server, listener: socket.socket) -> None:
    asyncio.get_running_loop().set_exception_handler(OutOfDescriptors())
    await server.serve(sockets=[listener])


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise UsageError(
            f"{host} is not an address to listen on: {error}", "give an address of this machine"
        ) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        hint = (
            "leave --port out, or --port 0 takes a free one"
            if error.errno == errno.EADDRINUSE
            else "give an address of this machine and a port above 1023"
        )
        raise UsageError(f"cannot listen on {host} port {port}: {error.strerror}", hint) from error
    return listener
