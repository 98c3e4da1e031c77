"""Every golden vector has its expected outcome, also by a reader made from docs/wire-format.md alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import runpy
import struct
import zlib
from itertools import accumulate
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from farscope.errors import Malformed, Tampered, UnsupportedVersion, WrongKey
from farscope.wire.codec import decode_body, encode_body
from farscope.wire.envelope import peek_header
from farscope.wire.keyring import Key, Keyring
from farscope.wire.seal import Opener

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("v*/*.json"))
MAKER = runpy.run_path(str(HERE / "make_vectors.py"))
OUTCOMES = {
    "wrong key": WrongKey,
    "tampered": Tampered,
    "malformed": Malformed,
    "unsupported version": UnsupportedVersion,
}


def load(path: Path) -> tuple[Keyring, bytes, dict]:
    vector = json.loads(path.read_text())
    keyring = Keyring([Key(bytes.fromhex(vector["key"]))])
    return keyring, base64.b64decode(vector["sealed"]), vector


def read(keyring: Keyring, sealed: bytes):
    header, body = Opener(keyring).open(sealed)
    return decode_body(body, header.probe)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_vector_has_its_outcome(path):
    keyring, sealed, vector = load(path)
    if vector["outcome"] == "ok":
        assert MAKER["as_json"](read(keyring, sealed)) == vector["batch"]
    else:
        with pytest.raises(OUTCOMES[vector["outcome"]]):
            read(keyring, sealed)


GOOD = [path for path in FILES if load(path)[2]["outcome"] == "ok"]


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_vector_is_read_the_same_after_another_key_was_put_on_top(path):
    keyring, sealed, vector = load(path)
    rotated = Keyring([Key(bytes(32)), *keyring.keys])
    assert MAKER["as_json"](read(rotated, sealed)) == vector["batch"]


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_vector_survives_another_encoding(path):
    keyring, sealed, _ = load(path)
    batch = read(keyring, sealed)
    assert decode_body(encode_body(batch), peek_header(sealed).probe) == batch


def test_every_vector_the_maker_knows_is_there_and_no_other():
    known = {f"{vector.name}.json": vector.outcome for vector in MAKER["vectors"]()}
    assert known == {path.name: load(path)[2]["outcome"] for path in FILES if path.parent.name == "v1"}


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_the_page_alone_is_enough_to_read_a_good_vector(path):
    _, sealed, vector = load(path)
    assert by_the_page(bytes.fromhex(vector["key"]), sealed) == vector["batch"]


def by_the_page(key: bytes, sealed: bytes) -> dict:
    """Read a batch with none of farscope's code."""
    magic, version, _, key_id, probe, number, nonce = struct.unpack(">4sHH8s16sQ12s", sealed[:52])
    assert (magic, version) == (b"FARS", 1)
    assert key_id == hashlib.sha256(b"farscope key id\x00" + key).digest()[:8]
    pseudorandom = hmac.digest(probe, key, "sha256")
    info = b"farscope batch key, format 1" + struct.pack(">I", number >> 32)
    derived = hmac.digest(pseudorandom, info + b"\x01", "sha256")
    tree = msgspec.msgpack.decode(zlib.decompress(AESGCM(derived).decrypt(nonce, sealed[52:], sealed[:52])))
    host, pid, started, sent, next_number, strings, facts, shapes, charts, drops, columns = tree
    return {
        "host": host,
        "pid": pid,
        "started_ns": started,
        "sent_ns": sent,
        "next_number": next_number,
        "charts": [chart_by_the_page(row, strings) for row in charts],
        "drops": drops,
        "numbers": numbers_by_the_page(columns[0]),
        "steps": steps_by_the_page(columns, strings, facts, shapes, charts),
    }


def chart_by_the_page(row: list, strings: list[str]) -> dict:
    serial, name, state, number, stopped, structure = row
    return {
        "serial": serial,
        "name": strings[name],
        "state": strings[state],
        "number": number,
        "stopped": stopped,
        "structure": structure
        and {
            "states": [[strings[i] for i in entry] for entry in structure[0]],
            "reactions": [[strings[i] for i in entry] for entry in structure[1]],
        },
    }


def numbers_by_the_page(runs: list) -> list[int]:
    numbers, position = [], 0
    for skipped, count in runs:
        position += skipped
        numbers += range(position, position + count)
        position += count
    return numbers


def steps_by_the_page(columns: list, strings: list, facts: list, shapes: list, charts: list) -> list[dict]:
    size = sum(count for _, count in columns[0])
    chart, number, shape, time, duration, queued, deferred, waited, serial = (
        column or [0] * size for column in columns[1:10]
    )
    times = list(accumulate(time))
    texts = dict(columns[11])
    cause_numbers = iter(columns[10])
    last: dict[int, int] = {}
    last_cause: dict[int, int] = {}
    steps = []
    for i in range(size):
        last[chart[i]] = last.get(chart[i], 0) + number[i]
        cause = None
        if serial[i]:
            last_cause[serial[i]] = last_cause.get(serial[i], 0) + next(cause_numbers)
            cause = [serial[i], last_cause[serial[i]]]
        kind, signal, start, end, fact_indices = shapes[shape[i]]
        steps.append(
            {
                "serial": charts[chart[i]][0],
                "number": last[chart[i]],
                "kind": kind,
                "signal": strings[signal],
                "start": strings[start],
                "end": strings[end],
                "facts": [[facts[j][0], strings[facts[j][1]], strings[facts[j][2]]] for j in fact_indices],
                "time_ns": times[i],
                "duration_ns": duration[i],
                "queued": queued[i],
                "deferred": deferred[i],
                "waited_ns": waited[i],
                "cause": cause,
                "texts": texts.get(i, []),
            }
        )
    return steps
