"""Makes ``tests/support`` importable, here and in programs started from here: a real broker, a proxy."""

from __future__ import annotations

import os
import sys
from pathlib import Path

TESTS = str(Path(__file__).parent.parent.parent / "tests")
sys.path.insert(0, TESTS)
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [TESTS, os.environ.get("PYTHONPATH")]))
