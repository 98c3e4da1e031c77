"""A wire other than batches is a package of its own, loaded by name when it is first used."""

from __future__ import annotations

import subprocess
import sys

import pytest

from farscope import Scope, broadcast
from farscope.errors import UsageError
from farscope.probe.route import Route
from farscope.wire.keyring import Keyring, new_key_text
from farscope.wire.registry import BATCHES, WIRES, load
from support.small_chart import SmallChart

KEY_TEXT = new_key_text()
KEY = Keyring.from_text(KEY_TEXT)
AWAY = "amqp://guest@127.0.0.1:1/"
"""Nobody listens there."""

OTHERS = [wire for wire in WIRES if wire != BATCHES]
WATCHES_ITSELF = """
import sys
from farscope import Factory, Scope, broadcast
from farscope.wire.registry import load

url, key, *others = sys.argv[1:]
lamp = Factory("lamp", threaded=False)
with Scope(url, key=key) as scope, broadcast(lamp, url=url, key=key):
    pass
loaded = set(sys.modules)
for wire in others:
    package = load(wire, "transport").__name__.rpartition(".")[0]
    assert package in sys.modules
    print(package in loaded)
"""


@pytest.mark.parametrize(("use", "charts"), [(broadcast, [SmallChart()]), (Scope, [])])
def test_an_unknown_wire_is_refused_with_all_names_there_are(use, charts, tmp_path):
    with pytest.raises(UsageError) as caught:
        use(*charts, url=f"sqlite:{tmp_path}", key=KEY, wire="smoke")
    assert "'smoke'" in caught.value.message
    assert all(wire in caught.value.hint for wire in WIRES)


@pytest.mark.parametrize("wire", OTHERS)
def test_every_wire_other_than_batches_has_both_of_its_modules(wire):
    assert isinstance(load(wire, "transport").route(AWAY, KEY), Route)
    with pytest.raises(UsageError, match="no past"):
        load(wire, "feed").open_feed(AWAY, KEY, 0)


def test_who_uses_batches_loads_no_other_wire(tmp_path):
    command = [sys.executable, "-c", WATCHES_ITSELF, f"sqlite:{tmp_path}", KEY_TEXT, *OTHERS]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False"] * len(OTHERS)
