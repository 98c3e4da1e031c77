"""Hostile bytes for the envelope and the decoder, grown from the golden vectors under coverage.

Run with ``make fuzz``, or ``python tests/soak/fuzz_wire.py [seconds] [corpus folder]`` where atheris is
installed. The first byte of an input says what the rest is: a body before compression, a body as it is, a
sealed batch, or orders how to change the tree of values in a good body; these come past the reading of
MessagePack, where most others end.

It ends with an error when anything but the promised errors comes out, when what was decoded does not survive
being encoded again, or when memory is taken that an input cannot account for; that input is kept in the
present folder.
"""

from __future__ import annotations

import base64
import json
import resource
import sys
import tempfile
import zlib
from pathlib import Path
from typing import Any

import atheris
import msgspec

with atheris.instrument_imports(include=["farscope"]):
    from farscope.errors import BatchTooLarge, Malformed, WireError
    from farscope.records.step import Step
    from farscope.wire.body_schema import MAX_TEXT, ZLIB
    from farscope.wire.codec import decode_body, encode_body
    from farscope.wire.keyring import Key, Keyring
    from farscope.wire.seal import Opener

SECONDS = 600
MOST_BYTES = 65_536
"""Size of an input at most."""
MOST_MEMORY = 128 * 1024 * 1024
"""What decoding the worst body may take for a moment, as docs/threat-model.md promises."""
VECTORS = Path(__file__).parent.parent / "vectors"
PLAIN, COMPRESSED, SEALED, ORDERS = range(4)
MOST_ORDERS = 6
PACKED = bytes([ZLIB])
MOST_COPIES = 5_000

_keyring = Keyring([Key(bytes(range(32)))])
_probe = bytes(range(16))


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def look_at_body(body: bytes) -> None:
    try:
        batch = decode_body(body, _probe)
    except Malformed:
        return
    for step in map(Step._make, batch.steps):
        step.spy()
        step.trace()
        if sum(map(len, step.texts)) > MAX_TEXT:
            # A writer keeps the texts of a step within the bound together, a reader checks each.
            return
    try:
        again = encode_body(batch)
    except BatchTooLarge:
        return
    if decode_body(again, _probe) != batch:
        raise AssertionError("a batch is another one after encoding and decoding")


def look_at_batch(data: bytes) -> None:
    try:
        _, body = Opener(_keyring).open(data)
    except WireError:
        return
    look_at_body(body)


def look(data: bytes) -> None:
    """Take one input."""
    before = peak_bytes()
    kind, rest = (data[0] % 4, data[1:]) if data else (COMPRESSED, b"")
    if kind == PLAIN:
        look_at_body(PACKED + zlib.compress(rest, 1))
    elif kind == COMPRESSED:
        look_at_body(rest)
    elif kind == SEALED:
        look_at_batch(rest)
    else:
        look_at_body(PACKED + zlib.compress(msgspec.msgpack.encode(changed(rest)), 1))
    if peak_bytes() - before > MOST_MEMORY:
        raise AssertionError(f"{len(data)} bytes took {peak_bytes() - before} bytes of memory")


def changed(data: bytes) -> Any:
    """Return the tree of a good body after following the orders in ``data``, most of which keep types."""
    orders = atheris.FuzzedDataProvider(data)
    pick = orders.ConsumeIntInRange
    tree = msgspec.msgpack.decode(_trees[pick(0, len(_trees) - 1)])
    most_copies = MOST_COPIES
    for _ in range(pick(1, MOST_ORDERS)):
        place, index = tree, pick(0, len(tree) - 1)
        while isinstance(place[index], list) and place[index] and pick(0, 7):
            place = place[index]
            index = pick(0, len(place) - 1)
        match place[index], pick(0, 15):
            case _, 0:
                place[index] = [0, -1, "", [], None, True, 1.5][pick(0, 6)]
            case list(), 1 | 2:
                place[index] = []
            case list() as some, order if some:
                # Grown in a grown part it would be our own trees that take the memory.
                most_copies, copies = (1, pick(0, most_copies)) if order > 12 else (most_copies, 1)
                some.extend([some[pick(0, len(some) - 1)]] * copies)
            case str(), _:
                place[index] = orders.ConsumeUnicodeNoSurrogates(20)
            case bool(), _:
                place[index] = not place[index]
            case int(), 1 | 2:
                place[index] = pick(-(2**63), 2**64 - 1)
            case int(), 3 | 4:
                place[index] = min(max(place[index] + pick(-2, 2), -(2**63)), 2**64 - 1)
            case _:
                place[index] = pick(0, 8)
    return tree


def good_bodies() -> list[bytes]:
    """Return the bodies, before compression, of the vectors that are in order."""
    found = []
    for path in sorted(VECTORS.glob("v*/*.json")):
        vector = json.loads(path.read_text())
        if vector["outcome"] == "ok":
            keyring = Keyring([Key(bytes.fromhex(vector["key"]))])
            _, body = Opener(keyring).open(base64.b64decode(vector["sealed"]))
            found.append(zlib.decompress(body[1:]) if body[:1] == PACKED else body[1:])
    return [body for body in found if len(body) < MOST_BYTES]


def seeds() -> list[bytes]:
    """Return the golden vectors, each as a sealed batch and, where it opens, as both kinds of body."""
    found = []
    for path in sorted(VECTORS.glob("v*/*.json")):
        vector = json.loads(path.read_text())
        sealed = base64.b64decode(vector["sealed"])
        found.append(bytes([SEALED]) + sealed)
        try:
            _, body = Opener(Keyring([Key(bytes.fromhex(vector["key"]))])).open(sealed)
            plain = zlib.decompressobj().decompress(body, MOST_BYTES)
        except (WireError, zlib.error):
            continue
        found += [bytes([COMPRESSED]) + body, bytes([PLAIN]) + plain]
    orders = [bytes([ORDERS, number]) * 40 for number in range(len(_trees))]
    return [seed for seed in found if len(seed) <= MOST_BYTES] + orders


_trees = good_bodies()


def main() -> None:
    """Run for the time and with the corpus the command line names."""
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    with tempfile.TemporaryDirectory(prefix="farscope-fuzz-") as folder:
        corpus = Path(sys.argv[2] if len(sys.argv) > 2 else folder)
        corpus.mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(seeds()):
            (corpus / f"vector-{number}").write_bytes(seed)
        options = [
            f"-max_total_time={seconds}",
            f"-max_len={MOST_BYTES}",
            "-rss_limit_mb=2048",
            "-timeout=30",
        ]
        atheris.Setup([sys.argv[0], *options, "-print_final_stats=1", str(corpus)], look)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
