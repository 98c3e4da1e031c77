"""A TCP proxy in this process that disturbs connections as networks and dying servers do.

::

    with TcpProxy("127.0.0.1", 5672) as proxy:
        connect_to("127.0.0.1", proxy.port)
        proxy.stall()          # nothing moves any more, and nobody is told
        proxy.pass_on()        # all is well again

What is set holds for the connections there are and for those to come, until the next setting. The
methods may be called from any thread and return when the setting holds.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
import time
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from support.held_port import LOOPBACK, HeldPort

Result = TypeVar("Result")

CHUNK: Final = 64 * 1024
"""Most bytes moved at a time."""

QUEUED_CHUNKS: Final = 256
"""Chunks on their way in one direction while there is a delay; beyond it the sender has to wait."""

SLICES_A_SECOND: Final = 20
"""A slow line moves so many pieces a second."""

MAX_RECORDED: Final = 256 * 1024 * 1024
"""Recording stops here, so that a forgotten recorder cannot eat the memory."""


class TcpProxy:
    """Listens on a loopback port of its own and forwards to ``host``:``port``; a context manager.

    Args:
        host: where to forward to.
        port: where to forward to.
        record: keep what passes, in both directions, for ``recorded``.
    """

    def __init__(self, host: str, port: int, *, record: bool = False) -> None:
        self._target = (host, port)
        self._record = record
        self._recorded = bytearray()
        self._listener: asyncio.Server | None = None
        self._lines: set[_Line] = set()
        self._open = asyncio.Event()
        self._hanging = False
        self._rate = 0.0
        self._delay_s = 0.0
        self._left: int | None = None
        self._accepted = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tcp-proxy")
        self._thread.start()
        self._held = HeldPort()
        self.port = self._held.number
        """Where it listens; stays the same over ``refuse`` and ``pass_on``."""
        self._do(self._listen())
        self.pass_on()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def pass_on(self) -> None:
        """Forward everything at once: the state at the begin, and the end of every other."""
        self._do(self._set(open_=True))

    def refuse(self) -> None:
        """Refuse new connections and reset those there are, as when the server's program has ended."""
        self._do(self._refuse())

    def hang(self) -> None:
        """Accept connections, but neither forward nor answer; those there are stall."""
        self._do(self._set(open_=False, hanging=True))

    def stall(self) -> None:
        """Stop forwarding and reading: both ends see an open connection on which nothing happens."""
        self._do(self._set(open_=False))

    def stall_after(self, count: int) -> None:
        """Forward ``count`` bytes more, of both directions and all connections, and then ``stall``."""
        self._do(self._set(open_=True, left=count))

    @property
    def stalled(self) -> bool:
        """Whether it has stalled, or hangs."""
        return not self._open.is_set()

    def slow(self, bytes_per_s: float) -> None:
        """Forward at most so much, in each direction of each connection."""
        self._do(self._set(open_=True, rate=bytes_per_s))

    def delay(self, seconds: float) -> None:
        """Forward everything so much later, in each direction."""
        self._do(self._set(open_=True, delay_s=seconds))

    def reset_all(self) -> None:
        """Reset the connections there are (both ends see ECONNRESET); the setting stays as it is."""
        self._do(self._reset())

    @property
    def connections(self) -> int:
        """How many connections there are."""
        return len(self._lines)

    @property
    def accepted(self) -> int:
        """How many connections there have been."""
        return self._accepted

    @property
    def recorded(self) -> bytes:
        """What has passed since the begin, both directions mixed; empty unless ``record``."""
        return bytes(self._recorded)

    def close(self) -> None:
        """End all connections and stop listening; closing twice changes nothing."""
        if self._loop.is_closed():
            return
        self._do(self._refuse())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._held.release()

    def _do(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    # From here on: on the proxy's own thread.

    async def _listen(self) -> None:
        if self._listener is None:
            listening = socket.create_server((LOOPBACK, self.port), backlog=128)
            self._listener = await asyncio.start_server(self._connected, sock=listening, limit=CHUNK)

    async def _set(
        self,
        *,
        open_: bool,
        hanging: bool = False,
        rate: float = 0.0,
        delay_s: float = 0.0,
        left: int | None = None,
    ) -> None:
        self._hanging, self._rate, self._delay_s, self._left = hanging, rate, delay_s, left
        if open_:
            self._open.set()
        else:
            self._open.clear()
        await self._listen()

    async def _refuse(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        await self._reset()

    async def _reset(self) -> None:
        for line in list(self._lines):
            line.reset()
        while self._lines:
            await asyncio.wait([line.task for line in self._lines])
            await asyncio.sleep(0)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            writer.close()
            return
        self._accepted += 1
        line = _Line(task, writer)
        self._lines.add(line)
        try:
            if self._hanging:
                await self._open.wait()
            upstream_reader, upstream_writer = await asyncio.open_connection(*self._target, limit=CHUNK)
            line.ends.append(upstream_writer)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._forward(reader, upstream_writer))
                group.create_task(self._forward(upstream_reader, writer))
        except* (OSError, asyncio.CancelledError):
            # Either end has gone, the target refuses, or the line was reset: both ends shall see it.
            line.abort()
        finally:
            self._lines.discard(line)
            line.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(QUEUED_CHUNKS)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._receive(reader, queue))
            group.create_task(self._deliver(queue, writer))

    async def _receive(self, reader: asyncio.StreamReader, queue: asyncio.Queue[tuple[float, bytes]]) -> None:
        data = b"-"
        while data:
            await self._open.wait()
            rate = self._rate
            data = await reader.read(max(1, int(rate / SLICES_A_SECOND)) if rate else CHUNK)
            if self._record and len(self._recorded) < MAX_RECORDED:
                self._recorded += data
            if rate:
                await asyncio.sleep(len(data) / rate)
            self._count(len(data))
            await queue.put((time.monotonic() + self._delay_s, data))

    def _count(self, passed: int) -> None:
        if self._left is not None:
            self._left -= passed
            if self._left <= 0:
                self._left = None
                self._open.clear()

    async def _deliver(self, queue: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        data = b"-"
        while data:
            due, data = await queue.get()
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await self._open.wait()
            if data:
                writer.write(data)
                await writer.drain()
            else:
                with contextlib.suppress(OSError):
                    writer.write_eof()


class _Line:
    """One connection through the proxy: both its ends, and the task that serves it."""

    def __init__(self, task: asyncio.Task[None], writer: asyncio.StreamWriter) -> None:
        self.task = task
        self.ends = [writer]

    def reset(self) -> None:
        self.abort()
        self.task.cancel()

    def abort(self) -> None:
        for end in self.ends:
            connection = end.get_extra_info("socket")
            if connection is not None and connection.fileno() >= 0:
                # Closing without lingering sends a reset instead of an orderly end.
                with contextlib.suppress(OSError):
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.transport.abort()

    def close(self) -> None:
        for end in self.ends:
            end.close()
