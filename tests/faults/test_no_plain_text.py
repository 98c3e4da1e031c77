"""Nothing that passes a broker, lies on its disk or waits in the spool contains a chart's words."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from farscope import Event, Factory, Scope, broadcast
from farscope.logs.base import Entry
from farscope.logs.url import open_log
from farscope.probe.spool.directory import SpoolFolder
from farscope.probe.spool.queue import Spool
from farscope.testing.waiting import eventually
from farscope.wire.keyring import Keyring
from farscope.wire.keys import new_key_file
from farscope.wire.seal import Opener
from support.broker import Broker
from support.tcp_proxy import TcpProxy

pytestmark = [pytest.mark.broker, pytest.mark.timeout(120)]

STEPS = 300
BEGIN = slice(0, 64)
"""So much of a batch stands together wherever it is stored; the rest may be cut into pages."""


class Words:
    """Words that nobody else on this machine uses, and a chart made of them."""

    def __init__(self) -> None:
        mark = os.urandom(4).hex()
        self.chart_name, self.outer, self.left, self.right, self.signal, self.scribble = (
            f"{word}{mark}"
            for word in ("lighthouse", "tower", "lantern", "foghörn", "STORMSIGNAL", "shipwreck")
        )

    @property
    def all(self) -> tuple[str, ...]:
        return (self.chart_name, self.outer, self.left, self.right, self.signal, self.scribble)

    def chart(self) -> Factory:
        def turn(chart: Factory, to: str):
            chart.scribble(self.scribble)
            return chart.trans(to)

        chart = Factory(self.chart_name, threaded=False)
        chart.create(self.outer).catch("INIT_SIGNAL", lambda chart, _: chart.trans(self.left))
        chart.create(self.left).catch(self.signal, lambda chart, _: turn(chart, self.right))
        chart.create(self.right).catch(self.signal, lambda chart, _: turn(chart, self.left))
        chart.nest(self.outer, parent=None).nest(self.left, parent=self.outer).nest(
            self.right, parent=self.outer
        )
        return chart

    def found_in(self, *contents: bytes) -> set[str]:
        """Return the words that stand in any of these, as text is usually written."""
        return {
            word
            for word in self.all
            for encoding in ("utf-8", "latin-1", "utf-16-le")
            for content in contents
            if word.encode(encoding) in content
        }


def contents(folder: Path, pattern: str = "*") -> list[bytes]:
    return [path.read_bytes() for path in folder.rglob(pattern) if path.is_file()]


def holds(content: Iterable[bytes], batch: bytes) -> bool:
    return any(batch[BEGIN] in piece for piece in content)


def unsealed(entries: list[Entry], key: Keyring) -> list[bytes]:
    opener = Opener(key)
    bodies = [opener.open(entry.data)[1] for entry in entries]
    # The first byte says whether the rest is compressed.
    return [zlib.decompress(body[1:]) if body[0] else body[1:] for body in bodies]


def read_all(url: str, count: int) -> list[Entry]:
    reader, entries = open_log(url).reader(since_ns=0), []
    # One that was stored twice, as after a lost connection, is there twice: the count alone is no end.
    eventually(lambda: entries.extend(reader.read(0.5)) or (len(entries) >= count and reader.caught_up))
    reader.close()
    return entries


def via(url: str, port: int) -> str:
    return re.sub(r"@127\.0\.0\.1:\d+", f"@127.0.0.1:{port}", url)


def test_no_word_of_a_chart_is_on_the_wire_in_the_stream_or_in_the_spool(
    broker: Broker, fresh_log_url: Callable[..., str], tmp_path: Path
):
    words, key_file = Words(), tmp_path / "key"
    new_key_file(key_file)
    key, chart = Keyring.load(key_file), words.chart()
    with TcpProxy("127.0.0.1", broker.port, record=True) as proxy:
        url, bare_url = (via(fresh_log_url(), proxy.port) for _ in range(2))
        with (
            Scope(url, key_file) as scope,
            broadcast(chart, url=url, key=key_file, spool=tmp_path / "spool") as probe,
        ):
            chart.start_at(words.outer)
            assert probe.flush(20)
            proxy.refuse()
            for _ in range(STEPS):
                chart.dispatch(Event(words.signal))
            eventually(lambda: probe.stats.spooled == STEPS)
            spooled = contents(tmp_path / "spool")
            proxy.pass_on()
            assert probe.flush(30)
            assert scope.wait_for(lambda scope: scope.stats.received == STEPS + 1, 20)
            assert words.scribble in "".join(scope[words.chart_name].spy())
            batches = probe.stats.batches
        entries = read_all(url, batches)
        wire, disk = proxy.recorded, contents(broker.data)
        assert words.found_in(wire) == words.found_in(*disk) == words.found_in(*spooled) == set()
        secret = key_file.read_text().strip().splitlines()[-1].encode()
        assert not any(secret in content for content in (wire, *disk, *spooled))

        # The places are the right ones: the sealed batches are there.
        segments = contents(broker.data, "*.segment")
        assert all(holds([wire], entry.data) and holds(segments, entry.data) for entry in entries)
        assert any(holds(spooled, entry.data) for entry in entries)

        # And the search is one that finds: the same batches, unsealed, show every word.
        bare = unsealed(entries, key)
        writer = open_log(bare_url).writer("bare")
        writer.append(bare, 20)
        writer.close()
        spool = Spool(SpoolFolder(tmp_path / "bare", bare_url), "bare")
        spool.store(bare)
        spool.leave()
        assert words.found_in(proxy.recorded) == set(words.all)
        assert words.found_in(*contents(broker.data, "*.segment")) == set(words.all)
        assert words.found_in(*contents(tmp_path / "bare")) == set(words.all)
