"""The URLs of the web page: the page itself, the stream of frames, and queries about the past."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from farscope.views.web.assets import Assets
from farscope.views.web.auth import Guard
from farscope.views.web.endpoints import Endpoints
from farscope.views.web.live_model import LiveModel
from farscope.views.web.pages import Pages
from farscope.views.web.query import MAX_TIME, Query
from farscope.views.web.updates import FRAME_S, PageUpdates

KEEP_ALIVE_S: Final = 10.0
"""A comment is sent after this long without a frame, so that a closed page is noticed."""

_encode = msgspec.json.Encoder().encode


def make_app(
    model: LiveModel,
    *,
    host: str,
    port: int,
    token: str | None = None,
    ending: Callable[[], bool] = lambda: False,
) -> ASGIApp:
    """Return the application that shows a model.

    Args:
        model: entered before the first request and exited after the last.
        host: address the server is bound to.
        port: its port; requests for another one are rejected.
        token: required from browsers; needed for any address except loopback.
        ending: returns whether the server is about to end, so that streams end, too.
    """
    origin_ns = time.time_ns() // 1_000_000_000 * 1_000_000_000
    answers = Endpoints(model, origin_ns)
    pages = Pages(model, origin_ns, ending)
    assets = Assets()

    async def live(request: Request) -> Response:
        frames = PageUpdates(model, origin_ns, Query(request, origin_ns).charts("open"))
        return StreamingResponse(_stream(frames, ending), media_type="text/event-stream")

    async def frame(request: Request) -> Response:
        query = Query(request, origin_ns)
        changes = await pages.next(
            query.token("page"), query.charts("open"), query.count("seen", 0, MAX_TIME, 0)
        )
        if changes is None:
            return Response(status_code=204)
        return Response(_encode(changes), media_type="application/json")

    def answering(answer: Callable[[Query], object]) -> Callable[[Request], Response]:
        # Plain functions run on a thread, so that a long query delays no stream.
        def endpoint(request: Request) -> Response:
            return Response(_encode(answer(Query(request, origin_ns))), media_type="application/json")

        return endpoint

    def sequence(request: Request) -> Response:
        return Response(answers.sequence(Query(request, origin_ns)), media_type="image/svg+xml")

    app = Starlette(
        routes=[
            Route("/", assets.page),
            Route("/api/frame", frame),
            Route("/api/live", live),
            Route("/api/at", answering(answers.at)),
            Route("/api/near", answering(answers.near)),
            Route("/api/timeline", answering(answers.timeline)),
            Route("/api/steps", answering(answers.steps)),
            Route("/api/step", answering(answers.step)),
            Route("/api/picture", answering(answers.picture)),
            Route("/api/stats", answering(answers.stats)),
            Route("/api/sequence", sequence),
            Route("/static/{name}", assets.file),
        ]
    )
    return Guard(app, host=host, port=port, token=token)


async def _stream(frames: PageUpdates, ending: Callable[[], bool]) -> AsyncIterator[bytes]:
    """Yield server-sent events; each frame is made only after the previous one was sent."""
    sent_s = time.monotonic()
    while not ending():
        frame = frames.next()
        if frame is not None:
            sent_s = time.monotonic()
            yield b"data: " + _encode(frame) + b"\n\n"
        elif time.monotonic() - sent_s > KEEP_ALIVE_S:
            sent_s = time.monotonic()
            yield b": still here\n\n"
        await asyncio.sleep(FRAME_S)
