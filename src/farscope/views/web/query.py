"""Parses the query of a request: returns values within bounds, or rejects it with a reason."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request

MAX_CHARTS: Final = 512
"""Maximum number of charts in a request; a longer list is rejected."""

MAX_TIME: Final = 1 << 62
"""Largest time in nanoseconds; times beyond it are clamped."""

_TOKEN = re.compile(r"[0-9A-Za-z]{1,32}")
_NUMBER = re.compile(r"-?[0-9]{1,20}")


class Query:
    """The query of a request; each method raises a 400 that names the invalid parameter."""

    def __init__(self, request: Request, origin_ns: int) -> None:
        self._query = request.query_params
        self._origin_ns = origin_ns

    def moment(self, name: str, default_ns: int | None = None) -> int:
        """Return a time in nanoseconds since the epoch."""
        text = self._query.get(name)
        if text is None and default_ns is not None:
            return default_ns
        time_ns = self._integer(name, text or "") + self._origin_ns
        return min(max(time_ns, -MAX_TIME), MAX_TIME)

    def count(self, name: str, default: int, most: int, least: int = 1) -> int:
        """Return a number from ``least`` to ``most``; other values are clamped."""
        text = self._query.get(name)
        return min(max(least, default if text is None else self._integer(name, text)), most)

    def token(self, name: str) -> str:
        """Return a short word by which a client identifies itself."""
        text = self._query.get(name, "")
        if not _TOKEN.fullmatch(text):
            raise HTTPException(400, f"{name} must be a word of at most 32 letters and digits")
        return text

    def chart(self) -> int:
        """Return the number of the chart that is queried."""
        return self._integer("chart", self._query.get("chart", ""))

    def charts(self, name: str = "charts") -> tuple[int, ...]:
        """Return the numbers of charts, separated by commas; empty if none are named."""
        texts = [text for text in self._query.get(name, "").split(",") if text]
        if len(texts) > MAX_CHARTS:
            raise HTTPException(400, f"{name} may name {MAX_CHARTS} charts at most")
        return tuple(dict.fromkeys(self._integer(name, text) for text in texts))

    def word(self, name: str, choices: Iterable[str]) -> str:
        """Return one of ``choices``; the first one by default."""
        words = list(choices)
        said = self._query.get(name, words[0])
        if said not in words:
            raise HTTPException(400, f"{name} must be one of: {', '.join(words)}")
        return said

    def _integer(self, name: str, text: str) -> int:
        if not _NUMBER.fullmatch(text):
            raise HTTPException(400, f"{name} must be a whole number")
        return int(text)
