"""A link between network namespaces that loses packets and takes its time, also where there is no netem."""

from __future__ import annotations

import fcntl
import os
import selectors
import struct
import time
from collections import deque
from pathlib import Path
from random import Random
from threading import Thread
from types import TracebackType
from typing import Self

from support.namespaces import Namespace

TUN = Path("/dev/net/tun")
SET_INTERFACE = 0x400454CA
LAYER_3_WITHOUT_HEADER = 0x0001 | 0x1000
PACKET_BYTES = 65_536
WAITING = 4_096
"""Packets on their way in one direction; at the limit further ones are lost, as in a full queue."""


class LossyLink:
    """Carries packets between an interface in one namespace and one in another, on a thread of its own.

    Each packet, either way, takes ``delay_s`` and is lost with the chance ``loss``, drawn from ``seed``.
    """

    def __init__(
        self,
        one: Namespace,
        name: str,
        other: Namespace,
        other_name: str,
        *,
        delay_s: float,
        loss: float,
        seed: int = 0,
    ) -> None:
        self.carried = 0
        """Packets that arrived."""
        self.lost = 0
        """Packets that did not."""
        self._delay_s = delay_s
        self._loss = loss
        self._random = Random(seed)  # noqa: S311 - which packets are lost is no secret
        self._ends = (_interface(one, name), _interface(other, other_name))
        self._waiting: tuple[deque[tuple[float, bytes]], ...] = (deque(), deque())
        self._stop, self._stopping = os.pipe()
        self._thread = Thread(target=self._carry, name=f"lossy link {name}-{other_name}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take the link away, and its interfaces with it."""
        os.close(self._stopping)
        self._thread.join()
        for end in (*self._ends, self._stop):
            os.close(end)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _carry(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._stop, selectors.EVENT_READ)
            for place, end in enumerate(self._ends):
                selector.register(end, selectors.EVENT_READ, place)
            while True:
                for key, _ in selector.select(self._left_s()):
                    if key.data is None:
                        return
                    self._take(key.data)
                self._deliver()

    def _take(self, place: int) -> None:
        packet = os.read(self._ends[place], PACKET_BYTES)
        if self._random.random() < self._loss or len(self._waiting[place]) >= WAITING:
            self.lost += 1
        else:
            self._waiting[place].append((time.monotonic() + self._delay_s, packet))

    def _left_s(self) -> float | None:
        due = [waiting[0][0] for waiting in self._waiting if waiting]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _deliver(self) -> None:
        now = time.monotonic()
        for place, waiting in enumerate(self._waiting):
            while waiting and waiting[0][0] <= now:
                _, packet = waiting.popleft()
                os.write(self._ends[1 - place], packet)
                self.carried += 1


def _interface(namespace: Namespace, name: str) -> int:
    with namespace.entered():
        end = os.open(TUN, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.ioctl(end, SET_INTERFACE, struct.pack("16sH22x", name.encode(), LAYER_3_WITHOUT_HEADER))
        except BaseException:
            os.close(end)
            raise
        return end
