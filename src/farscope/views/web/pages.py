"""The open pages: each requests one frame after the other, with the changes since its last one.

A browser opens at most six connections to a server, for all its pages together. With one stream per page,
a seventh page would get no connection, and the first six could not query the past.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from farscope.views.web.live_model import LiveModel
from farscope.views.web.serialize import Plain
from farscope.views.web.updates import FRAME_S, PageUpdates

HOLD_S: Final = 0.2
"""How long a request waits for a change, while it occupies one of the browser's connections."""

MAX_PAGES: Final = 64
"""Number of pages whose state is remembered; the least recently active one is forgotten and starts over."""


@dataclass(slots=True, eq=False)
class _Page:
    frames: PageUpdates
    opened: tuple[int, ...]
    sent: int = 0
    """Number of frames sent to it."""
    sent_s: float = 0.0
    turn: int = 0
    """Its newest request; older ones are no longer answered."""


class Pages:
    """The state of each page. Used on one event loop."""

    def __init__(self, model: LiveModel, origin_ns: int, ending: Callable[[], bool]) -> None:
        """``origin_ns`` is what times count from; ``ending`` returns whether the server is about to end."""
        self._model = model
        self._origin_ns = origin_ns
        self._ending = ending
        self._pages: OrderedDict[str, _Page] = OrderedDict()

    async def next(self, name: str, opened: tuple[int, ...], seen: int) -> dict[str, Plain] | None:
        """Return what changed since the last frame of a page, or None if nothing does for a while.

        Args:
            name: identifies the page.
            opened: numbers of the charts whose steps and arrows it wants.
            seen: number of frames it received. If one was lost, it gets a complete one, like a new page.
        """
        page = self._pages.pop(name, None)
        if page is None or page.sent != seen or page.opened != opened:
            turn = 0 if page is None else page.turn
            page = _Page(PageUpdates(self._model, self._origin_ns, opened), opened, sent=seen, turn=turn)
        self._pages[name] = page
        while len(self._pages) > MAX_PAGES:
            self._pages.popitem(last=False)
        page.turn += 1
        return await self._wait_for(page, page.turn)

    async def _wait_for(self, page: _Page, turn: int) -> dict[str, Plain] | None:
        until_s = time.monotonic() + HOLD_S
        while page.turn == turn and not self._ending():
            now_s = time.monotonic()
            frame = page.frames.next() if now_s - page.sent_s >= FRAME_S else None
            if frame is not None:
                page.sent += 1
                page.sent_s = now_s
                return frame
            if now_s >= until_s:
                break
            await asyncio.sleep(min(FRAME_S, until_s - now_s))
        return None
