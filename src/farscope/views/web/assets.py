"""The page's own files, read as resources of the package: a wheel or a zip on ``sys.path`` serves them too.

They are read once, at the start, and kept in memory (a quarter of a megabyte): a server whose package is
upgraded while it runs goes on showing the page that fits it.
"""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

STATIC: Final[Traversable] = files("farscope.views.web") / "static"

PAGE: Final = "index.html"

# The system's table of types may lack some of these, or have one for scripts that browsers refuse.
_TYPES: Final = {"css": "text/css", "html": "text/html", "js": "text/javascript", "svg": "image/svg+xml"}


class Assets:
    """The files in ``STATIC``, by name. May be used from any thread."""

    def __init__(self) -> None:
        self._contents = {each.name: each.read_bytes() for each in STATIC.iterdir()}

    async def page(self, _: Request) -> Response:
        """Answer with the page itself."""
        return self._answer(PAGE)

    async def file(self, request: Request) -> Response:
        """Answer with the file that the path parameter ``name`` names, or 404."""
        return self._answer(request.path_params["name"])

    def _answer(self, name: str) -> Response:
        content = self._contents.get(name)
        if content is None:
            return PlainTextResponse("Not Found", 404)
        return Response(content, media_type=_TYPES[name.rpartition(".")[2]])
