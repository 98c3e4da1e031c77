"""JSON text for exports: exact, and safe to print anywhere."""

from __future__ import annotations

import json
from typing import Any

import msgspec

_encoder = msgspec.json.Encoder()


def json_text(thing: Any) -> str:
    """Return ``thing`` as JSON in one line of printable ASCII.

    Half surrogates, which other programs' parsers refuse, become replacement characters.
    """
    try:
        encoded = _encoder.encode(thing)
        if encoded.isascii() and b"\x7f" not in encoded:
            return encoded.decode()
    except UnicodeEncodeError:
        thing = _whole(thing)
    # JSON lets DEL through, terminals act on it.
    return json.dumps(thing, separators=(",", ":")).replace("\x7f", "\\u007f")


def whole_text(text: str) -> str:
    """Return ``text`` with half surrogates joined, or made replacement characters where they are alone."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _whole(thing: Any) -> Any:
    if isinstance(thing, str):
        return whole_text(thing)
    if isinstance(thing, dict):
        return {_whole(key): _whole(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple):
        return [_whole(part) for part in thing]
    return thing
